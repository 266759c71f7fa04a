"""Rates that fall: Adam's steps against those of the hand."""

import pytest
import torch

from vipaint_pyro.guides import HierarchicalGuide
from vipaint_pyro.inference.optimizers import decaying_optimizer


def test_rates_fall_from_ten_times_the_guides_own_to_a_tenth():
    # Of a constant gradient, however large, every step of Adam is as long as its rate.
    parameter = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    optimizer = decaying_optimizer(lambda: None, 4)
    settings = optimizer.pt_optim_args("mu")
    adam = optimizer.pt_optim_constructor([parameter], **settings)
    steps = []
    for _ in range(4):
        before = parameter.detach().clone()
        parameter.grad = torch.full_like(parameter, 1000.0)
        adam.step()
        steps.append(float(before - parameter.detach()))
    factor = (0.1 / 10) ** (1 / 4)
    expected = [10 * 0.05 * factor ** (i + 1) for i in range(4)]  # Pyro's falls before the step
    assert steps == pytest.approx(expected, rel=1e-6) and expected[-1] == pytest.approx(0.1 * 0.05)


def test_every_parameter_has_the_rate_that_its_guide_gives_it():
    optimizer = decaying_optimizer(HierarchicalGuide.__new__(HierarchicalGuide), 10, 4.0, 1.0)
    rates = {name: optimizer.pt_optim_args(f"guide.{name}_5")["lr"] for name in ("mu", "tau", "gamma")}
    assert rates == pytest.approx({"mu": 0.4, "tau": 0.08, "gamma": 0.2})


@pytest.mark.parametrize("given", [{"num_steps": 0}, {"first": 0.0}, {"last": -1.0}])
def test_settings_that_cannot_be(given):
    with pytest.raises(ValueError, match=next(iter(given))):
        decaying_optimizer(lambda: None, **{"num_steps": 5, **given})
