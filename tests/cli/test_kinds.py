"""What the commands say of a picture's kind and of the bound; priors ranked for a picture."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import torch

from tests.cli.calls import inpaint, plain, vipaint
from vipaint_pyro.cli.kinds import fit_settings
from vipaint_pyro.kind.bounds import range_of_bounds
from vipaint_pyro.kind.measuring import measured_range
from vipaint_pyro.kind.range import FILE, write_range
from vipaint_pyro.pipelines.vipaint import VIPaintPipeline
from vipaint_pyro.samplers.vipaint.sampler import VIPaintSampler


@pytest.fixture
def kind(here):
    """The prior of ``here`` knows its own kind, smooth pictures; image.png is none."""
    prior = VIPaintPipeline.from_pretrained("prior").prior
    generator = torch.Generator().manual_seed(0)
    x = torch.nn.functional.interpolate(torch.rand(161, 1, 2, 2, generator=generator), (8, 8), mode="bilinear")
    PIL.Image.fromarray((x[160, 0] * 255).round().byte().numpy()).save("own.png")
    known = measured_range(prior, 2 * x[:160] - 1, {})
    write_range(Path("prior") / FILE, known)
    return known


def said(folder):
    return json.loads((Path(folder) / "run.json").read_text())["kind"]


@pytest.mark.filterwarnings("default::vipaint_pyro.kind.check.KindWarning")
def test_one_sentence_of_warning_and_run_json(kind):
    strange = inpaint("--out", "a")
    assert strange.exit_code == 0 and strange.stderr.count("Warning: the picture does not look like") == 1
    assert said("a")["verdict"] == "not of the prior's kind" and said("a")["strangeness"] > said("a")["limit"]
    facts = json.loads(Path("a/run.json").read_text())
    assert facts["denoiser_calls"]["kind"] == said("a")["calls"] == 6
    own = inpaint("--out", "b", image="own.png")
    assert own.exit_code == 0 and not own.stderr and said("b")["verdict"] == "of the prior's kind"
    silent = inpaint("--out", "c", "--no-check-kind")
    assert not silent.stderr and said("c")["text"] == "it was not looked at"
    assert Path("a/sample-00.png").read_bytes() == Path("c/sample-00.png").read_bytes()
    fitted = vipaint("fit", "image.png", "mask.png", "--prior", "prior", "--fit-steps", 2, "--quiet", "--out", "f")
    assert fitted.exit_code == 0 and "does not look like" in fitted.stderr and said("f")["verdict"].startswith("not")


def test_a_method_without_a_network_has_no_kind(kind):
    done = plain("--method", "estimate", "--samples", 1, "--quiet")
    assert done.exit_code == 0 and not done.stderr and said("out")["text"] == "it was not looked at"
    assert not json.loads(Path("out/run.json").read_text())["denoiser_calls"].get("kind")
    assert "without a network" in Path("out/report.html").read_text()


def test_a_prior_without_the_file_says_that_it_is_unknown(here):
    done = inpaint("--out", "out")
    assert not done.stderr and said("out")["verdict"] == said("out")["bound"]["verdict"] == "unknown"
    assert "has no kind.json" in said("out")["text"]


def test_a_damaged_file_is_one_line(here):
    Path("prior", FILE).write_text("{")
    done = inpaint("--out", "out")
    assert done.exit_code == 1 and done.stderr.count("\n") == 1 and "measure the kind again" in done.stderr


def test_a_bound_is_called_usual_or_unusually_low(kind):
    inpaint("--out", "first", image="own.png")
    settings, bound = json.loads(Path("first/run.json").read_text())["settings"], said("first")["bound"]["nats_per_dim"]
    for shift, words in ((0, "usual for this prior"), (1, "unusually low for this prior")):
        share = 1 - 12 / 64  # seen
        kept = {name: settings[name] for name in fit_settings(VIPaintSampler())}
        bounds = range_of_bounds([(bound + shift + d) / share for d in (-0.1, 0.1)], kept)
        write_range(Path("prior") / FILE, replace(kind, bound=bounds))
        done = inpaint("--out", f"out-{shift}", image="own.png")
        assert f"nats per dimension, is {words}" in done.stdout, done.output
        assert said(f"out-{shift}")["bound"]["verdict"] == words.removesuffix(" for this prior")


@pytest.fixture
def light(monkeypatch, kind):
    """No built-in priors, which take their time."""
    monkeypatch.setattr("vipaint_pyro.cli.priors_for.BUILT_IN", {})


def rows(*args):
    done = vipaint("priors", "--json", *args)
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)["priors"]


def test_priors_are_ranked_for_a_picture(light, here):
    shutil.copytree("prior", "unknown")
    Path("unknown", FILE).unlink()
    own, other = rows("--for", "own.png", "--mask", "mask.png", "--prior", "unknown", "--prior", "prior")
    assert (own["prior"], own["verdict"], own["would"]) == ("prior", "of its kind", "is taken as it is")
    assert (other["prior"], other["verdict"], other["strangeness"]) == ("unknown", "unknown", None)
    large = PIL.Image.fromarray(np.random.default_rng(0).integers(0, 256, (20, 24), dtype=np.uint8))
    large.save("large.png")
    hole = np.zeros((20, 24), np.uint8)
    hole[8:14, 9:15] = 255
    PIL.Image.fromarray(hole).save("hole.png")
    (row,) = rows("--for", "large.png", "--mask", "hole.png", "--prior", "prior")
    assert row["verdict"] == "not of its kind" and "1 square of 24x20: 12x12 at 6,5" in row["would"]
    (row,) = rows("--for", "large.png", "--prior", "prior")
    assert "--resize crop takes the middle 20x20 of 24x20" == row["would"]
    PIL.Image.new("RGB", (8, 8), (200, 0, 0)).save("red.png")
    (row,) = rows("--for", "red.png", "--prior", "prior")
    assert row["verdict"] == "does not take it" and "in colour" in row["text"]
    lines = vipaint("priors", "--for", "own.png", "--prior", "prior").stdout.splitlines()
    assert lines[0].startswith("1. prior (8x8 grey): of its kind, strangeness 0.")


def test_mask_and_prior_are_for_ranking(here):
    done = vipaint("priors", "--mask", "mask.png")
    assert done.exit_code == 2 and "give the picture by --for" in done.output
