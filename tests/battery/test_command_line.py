"""Every command refuses every bad line: a status above 0, one line of error, no traceback, nothing written."""

from pathlib import Path

import pytest
from click.testing import CliRunner
from diffusers import DDPMScheduler

from tests.battery.command_line import command_lines, pictures
from tests.battery.common import words_wrong
from tests.conftest import tiny_unet
from vipaint_pyro.cli.main import main
from vipaint_pyro.pipelines.vipaint import VIPaintPipeline
from vipaint_pyro.samplers.base import Sampler
from vipaint_pyro.samplers.vipaint.sampler import VIPaintSampler


class Computed(AssertionError):
    """A bad line came as far as computing."""


def wrong_with(args: list[str]) -> list[str]:
    """What is wrong with how a line is refused."""
    before = sorted(Path(".").rglob("*"))
    result = CliRunner().invoke(main, args)
    words = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
    found = []
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        found.append(f"{type(result.exception).__name__}: {result.exception}")
    elif result.exit_code == 0:
        found.append("accepted")
    elif len(words) != 1:
        found.append(f"no line of error: {result.stderr}")
    elif "Missing option" not in words[0]:  # click lists what it may be, line by line
        said = result.stderr.split("Error: ")[1]
        found += words_wrong(said)
    return found + (["wrote something"] if sorted(Path(".").rglob("*")) != before else [])


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with a prior and pictures; where a run begins to compute, it ends."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    pictures(tmp_path)
    network = tiny_unet(classes=3)
    names = {"null_class": 2, "class_names": ["cat", "dog"]}
    VIPaintPipeline(network, DDPMScheduler(clip_sample=False), **names).save_pretrained("prior")

    def computes(self, *args, **kwargs):
        raise Computed("computing began")

    monkeypatch.setattr(Sampler, "sample", computes)
    monkeypatch.setattr(VIPaintSampler, "fitted", computes)
    return tmp_path


PARTS = 8


@pytest.mark.parametrize("part", [0, *(pytest.param(k, marks=pytest.mark.slow) for k in range(1, PARTS))])
def test_bad_lines_are_refused_in_one_line(folder, part):
    lines = command_lines()[part::PARTS]
    found = {name: wrong for name, args in lines if (wrong := wrong_with(args))}
    assert not found
    assert len(lines) > 60
