"""An item's numbers are those of a direct call of its sampler with the image's own generators, and of the metrics."""

import math
import pickle

import pytest
import torch

from tests.evaluation.study.conftest import METHODS
from vipaint_pyro.evaluation.metrics import diversity, observed_error, psnr
from vipaint_pyro.evaluation.study.conditions import measured, stream
from vipaint_pyro.evaluation.study.features import make_features
from vipaint_pyro.evaluation.study.job import compute, failed
from vipaint_pyro.evaluation.study.methods import sampler_of
from vipaint_pyro.evaluation.study.plan import Item, Plan
from vipaint_pyro.evaluation.study.recorded import recordable
from vipaint_pyro.evaluation.study.study import Study
from vipaint_pyro.images import to_bytes
from vipaint_pyro.measurements.lpips import LPIPS
from vipaint_pyro.priors.diffusion import DiffusionPrior


@pytest.fixture
def study(here):
    """Of two methods under a mask and a task."""
    plan = Plan(
        "prior", "pictures", tuple(METHODS.split(",")), ("rotated", "super-resolution"), images=2, samples=3, seed=5,
        labels="none",
    )  # fmt: skip
    return Study(plan)


@pytest.mark.battery
@pytest.mark.parametrize("condition", ["rotated", "super-resolution"])
@pytest.mark.parametrize("method", METHODS.split(","))
def test_the_numbers_of_a_direct_call(study, method, condition):
    (job,) = study.jobs([Item(1, condition, method)])
    outcome = compute(pickle.loads(pickle.dumps(job)))  # as a worker has it
    record = outcome.record
    assert record["error"] is None

    prior = DiffusionPrior.from_pretrained("prior").conditioned(None)
    truth = study.source.truth(1)[None]
    seen = measured(condition, truth, 5, 1)
    samples = sampler_of(method, prior, 3)(prior, seen, 3, [stream(5, 1, "sampler")])
    x, lpips = samples.images.detach(), LPIPS()
    hole, clipped = condition == "rotated", x.clamp(-1, 1)
    known = seen.operator.observed if hole else torch.zeros(1, 1, 8, 8, dtype=torch.bool)
    composite = torch.where(known, truth, clipped)
    expected = {
        "lpips_raw": lpips(clipped, truth),
        "lpips_composite": lpips(composite, truth),
        "psnr": psnr(composite, truth),
        "observed_error": observed_error(seen.operator(x), seen.y, seen.operator.observed),
    }
    for name, values in expected.items():
        torch.testing.assert_close(torch.tensor(record["scores"][name]), values[:, 0], msg=name)
    assert record["scores"]["diversity"] == pytest.approx(float(diversity(x, known)), rel=1e-5)
    assert torch.equal(outcome.samples, to_bytes(x[:, 0]))
    features = make_features("lpips-alex")
    assert torch.equal(outcome.features, features(composite[:, 0]))
    assert torch.equal(outcome.truth_features, features(truth)) and record["features"] == "lpips-alex"
    calls = record["calls"]
    assert calls["forward"] == sum(samples.calls.values()) / 3
    assert calls["backward"] == sum(samples.backward.values()) / 3
    assert record["settings"]["sampler"]["class"] == type(sampler_of(method, prior, 3)).__name__
    assert record["settings"]["condition"]["sigma"] == (None if hole else 0.05)
    assert record["seconds"] > 0 and record["weights"] == study.marks["weights"]


def test_an_item_depends_on_no_other(study):
    items = study.plan.items()
    alone = compute(next(study.jobs(items[-1:]))).record["scores"]
    for job in study.jobs(items):
        last = compute(job).record["scores"]
    assert last == alone


def test_all_methods_see_the_same(study):
    jobs = list(study.jobs(study.plan.items()))
    by = {}
    for job in jobs:
        by.setdefault((job.item.image, job.item.condition), []).append(job.measurement)
    for seen in by.values():
        assert len(seen) == 2 and all(torch.equal(s.y, seen[0].y) for s in seen)


def test_other_weights_fail(study):
    from dataclasses import replace

    job = replace(next(study.jobs(study.plan.items())), weights="0" * 12)
    error = compute(job).record["error"]
    assert error["type"] == "ValueError" and "have changed: 000000000000 -> " in error["message"]


def test_a_failure_says_what_was_asked(study):
    job = next(study.jobs(study.plan.items()))
    record = failed(job, "the process died").record
    assert record["error"] == {"type": "Lost", "message": "the process died"} and record["scores"] is None
    assert record["settings"]["sampler"]["fit_steps"] == 2 and record["settings"]["num_samples"] == 3


def test_without_features(study):
    from dataclasses import replace

    outcome = compute(replace(next(study.jobs(study.plan.items())), features="none"))
    assert outcome.features is None and outcome.truth_features is None and outcome.record["features"] is None


def test_the_psnr_of_the_truth_itself_is_a_word():
    """JSON has no infinity."""
    assert recordable({"psnr": [math.inf, 3.0], "ssim": None}) == {"psnr": ["inf", 3.0], "ssim": None}
    assert recordable({"psnr_mean": math.inf, "psnr_mean_hole": 2.0}) == {"psnr_mean": "inf", "psnr_mean_hole": 2.0}
    for name, value in (("psnr", [-math.inf]), ("psnr", [math.nan]), ("ssim", [math.inf]), ("diversity", math.inf)):
        with pytest.raises(ValueError, match=f"the score {name} is not finite"):
            recordable({name: value})
