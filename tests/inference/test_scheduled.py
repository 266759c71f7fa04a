"""Pyro's schedulers step with the fit: the rate after n steps is the closed form, and goes on from a file."""

import math

import pyro
import pytest
import torch

from tests.guides.test_registry import Y, pair
from tests.inference.test_checkpoint import STEPS, Ended, assert_same, once
from vipaint_pyro.inference.fit import fit

LR = 0.05
#: Scheduler -> its arguments, and the rate after n steps.
CLOSED = {
    "ExponentialLR": ({"gamma": 0.8}, lambda n: LR * 0.8**n),
    "StepLR": ({"step_size": 2, "gamma": 0.5}, lambda n: LR * 0.5 ** (n // 2)),
    "MultiStepLR": ({"milestones": [1, 4], "gamma": 0.1}, lambda n: LR * 0.1 ** ((n >= 1) + (n >= 4))),
    "LambdaLR": ({"lr_lambda": lambda n: 1 / (1 + n)}, lambda n: LR / (1 + n)),
    "LinearLR": (
        {"start_factor": 0.5, "end_factor": 1.0, "total_iters": 4}, lambda n: LR * min(0.5 + 0.125 * n, 1.0)
    ),
    "CosineAnnealingLR": ({"T_max": 8}, lambda n: LR * (1 + math.cos(math.pi * n / 8)) / 2),
    # No loss is ever lower by 10^9: the first is the best, and each after it is one too many.
    "ReduceLROnPlateau": (
        {"factor": 0.5, "patience": 0, "threshold": 1e9, "threshold_mode": "abs"}, lambda n: LR * 0.5 ** (n - 1)
    ),
}  # fmt: skip


def scheduled(name, **args):
    return getattr(pyro.optim, name)({"optimizer": torch.optim.Adam, "optim_args": {"lr": LR}, **args})


@pytest.mark.parametrize("name", CLOSED)
def test_the_rate_after_n_steps_is_the_closed_form(gaussian, name):
    args, rate = CLOSED[name]
    for n in (1, 5):
        model, guide = pair("hierarchical", gaussian)
        optim = scheduled(name, **args)
        fit(model, guide, Y, num_steps=n, optim=optim)
        rates = [s.optimizer.param_groups[0]["lr"] for s in optim.optim_objs.values()]
        assert len(rates) == len(list(guide.parameters())) and rates == pytest.approx([rate(n)] * len(rates))


def test_a_plateau_is_one_of_the_loss(gaussian):
    model, guide = pair("hierarchical", gaussian)
    optim = scheduled("ReduceLROnPlateau", patience=1)
    record = fit(model, guide, Y, num_steps=6, optim=optim)
    assert {s.best for s in optim.optim_objs.values()} == {min(record.losses)}


def test_the_parameters_are_those_of_the_bare_loop(gaussian):
    """Of plain gradient steps: the k-th has the rate of k steps before it."""
    moved = {}
    for name, optim in (
        ("scheduled", scheduled("ExponentialLR", gamma=0.5)), ("plain", pyro.optim.Adam({"lr": LR})),
        ("none", scheduled("ExponentialLR", gamma=1.0)),
    ):  # fmt: skip
        model, guide = pair("hierarchical", gaussian)
        before = guide.mu_100.detach().clone()
        fit(model, guide, Y, num_steps=3, optim=optim, generator=torch.Generator().manual_seed(0))
        moved[name] = (guide.mu_100.detach() - before).abs().max().item()
    assert moved["none"] == moved["plain"] > 1.4 * moved["scheduled"]


@pytest.mark.battery
@pytest.mark.parametrize(
    "name, args",
    [
        ("ExponentialLR", {"gamma": 0.8}),
        ("ReduceLROnPlateau", {"patience": 0, "threshold": 0.5}),
        ("OneCycleLR", {"max_lr": 0.1, "total_steps": STEPS}),  # moves Adam's betas too
        ("MultiStepLR", {"milestones": [2, 6]}),
    ],
)
def test_rates_of_a_scheduler_go_on_from_where_they_were(gaussian, tmp_path, name, args):
    def optim(guide):
        return scheduled(name, **args)

    with pytest.raises(Ended):
        once(gaussian, "hierarchical", tmp_path / "fit", at=5, every=2, optim=optim)
    unbroken = once(gaussian, "hierarchical", optim=optim)
    assert_same(unbroken, once(gaussian, "hierarchical", tmp_path / "fit", optim=optim))
    plain = once(gaussian, "hierarchical", optim=lambda guide: pyro.optim.Adam({"lr": LR}))
    assert plain[1].losses != unbroken[1].losses


def test_another_scheduler_is_another_fit(gaussian, tmp_path):
    with pytest.raises(Ended):
        once(gaussian, "hierarchical", tmp_path / "fit", at=5, optim=lambda g: scheduled("ExponentialLR", gamma=0.8))
    with pytest.raises(ValueError, match="optimizer: 'Adam, ExponentialLR' -> 'Adam, StepLR'"):
        once(gaussian, "hierarchical", tmp_path / "fit", optim=lambda g: scheduled("StepLR", step_size=2))
