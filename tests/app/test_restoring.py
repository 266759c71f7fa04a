"""Tasks: measured now, or measured before; the sampler gets what the library's own operator says."""

import json

import pytest
import torch

from tests.app.conftest import Until, asked, picture_of
from tests.cli.calls import noise_heard
from vipaint_pyro.app.filling import Filling
from vipaint_pyro.app.restoring import restored
from vipaint_pyro.cli.app import write_filling
from vipaint_pyro.images import from_model, to_model, to_unit
from vipaint_pyro.measurements.tasks import make_operator, measure

NONE = {"scale": 2, "std": None, "length": None, "angle": None}


def test_a_truth_is_measured_with_the_tasks_noise(pipe):
    picture = picture_of(8, 8)
    known, said, facts = restored(picture, pipe.prior, "super-resolution", NONE, True, None, 3)
    operator = make_operator("super-resolution", (1, 8, 8), scale=2)
    y = measure(operator, to_model(to_unit(picture.image, (1, 8, 8))), 0.05, torch.Generator().manual_seed(3))
    assert torch.equal(known.measured, from_model(y)[0]) and known.truth and "noise of 0.05" in said
    assert facts["task"] == {"name": "super-resolution", "options": {"scale": 2, "method": "bicubic"}, "sigma": 0.05}


def test_what_was_measured_is_taken_and_restored(pipe):
    known, _, facts = restored(picture_of(4, 4), pipe.prior, "super-resolution", NONE, False, None, 0)
    assert known.unit is None and known.measured.shape == (1, 4, 4)
    filling = Filling(pipe, [known], asked(samples=2), facts)
    filling.run(Until())
    assert filling.count == 2 and filling.picture(0).size == (8, 8) and filling.observed().size == (4, 4)


@pytest.mark.parametrize(
    "truth, more, sigma, believed",
    [(True, "", 0.05, 0.05), (True, "measurement-scale=0.2", 0.0, 0.2), (False, "", 0.0, 0.03)],
)
def test_the_method_is_told_of_noise_that_is_known(pipe, tmp_path, monkeypatch, truth, more, sigma, believed):
    known, _, facts = restored(picture_of(*((8, 8) if truth else (4, 4))), pipe.prior, "super-resolution", NONE, truth,
                               None, 0)  # fmt: skip
    few = asked(samples=1, method="mmps", more=f"num-steps=2 {more}")
    filling = Filling(pipe, [known], few, facts)
    assert filling.pieces[0].measurement.likelihood.sigma == sigma
    heard = noise_heard(monkeypatch)
    filling.run(Until())
    assert heard == [believed]
    write_filling(tmp_path / "out", filling)
    said = json.loads((tmp_path / "out" / "run.json").read_text())
    assert said["settings"]["measurement_scale"] == believed


@pytest.mark.parametrize("how", ["crop", "stretch"])
def test_another_size_is_made_to_fit_as_chosen(pipe, how):
    with pytest.raises(ValueError, match="24x16, and 8x8 is taken here: choose"):
        restored(picture_of(24, 16), pipe.prior, "deblur", NONE, True, None, 0)
    known, said, _ = restored(picture_of(24, 16), pipe.prior, "deblur", NONE, True, how, 0)
    assert known.unit.shape == (1, 8, 8) and "8x8" in said


@pytest.mark.parametrize(
    "method, more, seen",
    [
        ("mmps", "num-steps=2", {0, 1, 2}),
        ("tds", "num-steps=2 particles=3", {0, 2}),
        ("tds", "num-steps=2 particles=3 own-cloud=false", {0, 2}),
        ("vipaint", "fit-steps=1 refinement-steps=2 refine=tds", {0, 2}),
    ],
)
def test_particles_are_not_shown_as_samples(pipe, method, more, seen):
    known, _, facts = restored(picture_of(4, 4), pipe.prior, "super-resolution", NONE, False, None, 0)
    filling, shown = Filling(pipe, [known], asked(samples=2, method=method, more=more), facts), set()
    filling.run(Until(lambda view: shown.add(len(view.samples)) is not None))
    assert shown | {0} == seen and filling.count == 2
