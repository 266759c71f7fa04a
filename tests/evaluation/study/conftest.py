"""A folder with a tiny prior and pictures of its size, to compare methods in; and studies written by hand."""

import json

import numpy as np
import PIL.Image
import pytest
from click.testing import CliRunner
from diffusers import DDPMScheduler

from tests.blank import unless_drawn
from tests.conftest import tiny_unet
from tests.evaluation.study.written import Study
from vipaint_pyro.cli.main import main
from vipaint_pyro.evaluation.study import priors
from vipaint_pyro.pipelines.vipaint import VIPaintPipeline

METHODS = "vipaint-2:fit_steps=2;num_chains=1;refinement_steps=2,dps:num_steps=3"
CONDITIONS = ["--masks", "rotated", "--task", "super-resolution"]
COMMON = ["evaluate", "--prior", "prior", "--data", "pictures", "--labels", "none", "--samples", "2"]


@pytest.fixture
def here(tmp_path, monkeypatch, request):
    """The folder; a prior of an earlier test is forgotten, and charts are left white."""
    unless_drawn(request, monkeypatch)
    monkeypatch.chdir(tmp_path)
    priors.load.cache_clear()
    pipe = VIPaintPipeline(
        tiny_unet(classes=3), DDPMScheduler(clip_sample=False), null_class=2, class_names=["cat", "dog"]
    )
    pipe.save_pretrained("prior")
    (tmp_path / "pictures").mkdir()
    rng = np.random.default_rng(0)
    for i in range(4):
        PIL.Image.fromarray(rng.integers(0, 256, (8, 8), dtype=np.uint8)).save(f"pictures/{i}.png")
    yield tmp_path
    priors.load.cache_clear()


def command(*more, methods=METHODS, conditions=CONDITIONS, images=2, out="out"):
    """The arguments of a small study."""
    return [*COMMON, "--methods", methods, *conditions, "--images", str(images), "--out", out, *map(str, more)]


def evaluate(*more, **how):
    """Run one; its result."""
    return CliRunner().invoke(main, command(*more, **how))


def records(folder="out"):
    """Path -> record, without what no two runs share."""
    from pathlib import Path

    found = {}
    for path in sorted((Path(folder) / "records").rglob("*.json")):
        record = json.loads(path.read_text())
        found[str(path.relative_to(folder))] = {
            k: v for k, v in record.items() if k not in ("seconds", "peak_memory_mib")
        }
    return found


@pytest.fixture
def study(tmp_path):
    """Makes a study: ``study(methods, ...)``."""
    return lambda methods, name="study", **options: Study(tmp_path / name, methods, **options)
