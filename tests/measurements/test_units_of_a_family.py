"""A family whose parameter is not in the units of y is refused before a fit, and none other."""

import re

import pyro.distributions as dist
import pytest
import torch

from tests.measurements.refusals import SHAPE, f64, identity, noise, random, refused
from vipaint_pyro.measurements.any_family import Family
from vipaint_pyro.measurements.linear_map import LinearMap
from vipaint_pyro.measurements.measurement import Measurement
from vipaint_pyro.measurements.nonlinear import Nonlinear


def logits(loc):
    return dist.Bernoulli(logits=loc)


@pytest.mark.parametrize(
    "family, y",
    [(logits, 1.0), (logits, 0.0), (lambda p: dist.Binomial(10, probs=p.sigmoid()), 0.0),
     (lambda p: dist.Binomial(10, probs=p.clamp(0.1, 0.9)), 7.0)],
)  # fmt: skip
def test_a_family_whose_parameter_is_not_in_the_units_of_y(family, y):
    y = torch.full((1, *SHAPE), y, **f64)
    for operator in (LinearMap(lambda x: 20 * x, SHAPE), Nonlinear(lambda x: 20 * x, family, SHAPE, **f64)):
        words = refused(lambda o=operator: Measurement(o, o.likelihood or Family(family), y))
        assert "saturated is not the largest log density that y can have: the family's parameter is not in" in words
        assert "Family(family, saturated=0.0)" in words
        assert Measurement(operator, Family(family, saturated=0.0), y).y is y


def test_y_that_is_no_parameter_of_the_family():
    y = torch.full((1, *SHAPE), 7.0, **f64)
    tenths = Nonlinear(lambda x: x.sigmoid(), lambda p: dist.Binomial(10, probs=p), SHAPE, **f64)
    assert "the family's parameter is not in the units of y" in refused(lambda: Measurement.of(tenths, y))


def test_a_saturated_that_is_too_low():
    y = random(1, *SHAPE)
    wrong = Family(noise, saturated=lambda y: 0 * y)  # a density, which may be above 1
    words = refused(lambda: Measurement(Nonlinear(lambda x: x.sinh(), wrong, SHAPE), wrong, 0 * y))
    assert re.search("largest log density .*: it is <function .*, and there are images that give y a larger one", words)
    assert Measurement(identity(), Family(noise), y).y is y


def test_of_what_is_hidden_no_density_is_asked():
    y = torch.zeros(1, *SHAPE, **f64)
    y[..., 0] = 1
    observed = torch.ones(SHAPE, dtype=torch.bool)
    observed[..., 0] = False
    # Of y = 0 the probability by logits is largest where they are lowest, of 1 where they are highest.
    low = Family(logits, saturated=lambda y: torch.where(y == 1, -9.0, 0.0))
    hidden = Nonlinear(lambda x: 20 * x, low, SHAPE, observed=observed, **f64)
    assert Measurement.of(hidden, y).y is y
    assert "it is <function" in refused(lambda: Measurement.of(Nonlinear(lambda x: 20 * x, low, SHAPE, **f64), y))


@pytest.mark.parametrize("many, dtype", [(1e5, torch.float32), (1e9, torch.float64)])
def test_many_counts_are_in_their_units(many, dtype):
    """Rounding is no error of the user's: the two densities differ by less than their last digits here."""
    counts = Nonlinear(lambda x: many + x, dist.Poisson, (1, 8, 8), dtype=dtype)
    y = many + torch.arange(-32.0, 32.0, dtype=dtype).reshape(1, 1, 8, 8)
    assert Measurement.of(counts, y).y is y


def test_a_family_that_does_not_take_all_images_is_tried_on_the_others():
    y = torch.zeros(1, *SHAPE, **f64)
    darker = Nonlinear(lambda x: 0.5 - x.mean((1, 2, 3), keepdim=True).expand_as(x), dist.Poisson, SHAPE, **f64)
    assert Measurement.of(darker, y).y is y  # of a light image the rate is negative
    near = Family(lambda loc: dist.Uniform(loc - 1.5, loc + 1.5))
    assert Measurement(identity(), near, y + 0.8).num_images == 1  # which is none of its values for a dark image


@pytest.mark.parametrize("rate", [30.0, 2e4, 1e6])
def test_many_counts_are_no_mistake_in_single_precision(rate):
    """The terms of log p are as large as the counts there, and their rounding is no larger density."""
    counts = Nonlinear(lambda x: rate * x.exp(), dist.Poisson, SHAPE)
    truth = torch.rand(1, *SHAPE, generator=torch.Generator().manual_seed(0)) * 2 - 1
    y = counts(truth).round()
    exact, single = (counts.likelihood.deviance(counts, y.to(d), truth.to(d)) for d in (torch.float64, torch.float32))
    assert torch.allclose(single.double(), exact, rtol=0, atol=1e-4 * rate)
