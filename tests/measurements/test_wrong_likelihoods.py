"""What is no likelihood, or one that does not look at A x: said in one line before anything is computed."""


import pyro
import pyro.distributions as dist
import pytest
import torch

from tests.measurements.refusals import SHAPE, f64, identity, noise, random, refused, seen
from vipaint_pyro.measurements.any_family import Family
from vipaint_pyro.measurements.likelihoods import Laplace
from vipaint_pyro.measurements.measurement import Measurement

WEIGHT = torch.nn.Parameter(torch.ones(()))


@pytest.mark.parametrize("given", [dist.Normal, torch.distributions.Laplace, dist.Poisson])
def test_a_class_of_distributions_is_no_likelihood(given):
    words = refused(lambda: Measurement(identity(), given, random(1, *SHAPE)), TypeError)
    assert words == (
        "a likelihood is a function of A x to a distribution, as in lambda loc: dist.Normal(loc, 0.1), not the class "
        f"{given.__name__}"
    )


@pytest.mark.parametrize("given", [dist.Normal(0.0, 1.0), torch.distributions.Normal(0.0, 1.0)])
def test_a_distribution_is_no_likelihood(given):
    words = refused(lambda: Measurement(identity(), given, random(1, *SHAPE)), TypeError)
    assert "as in lambda loc: dist.Normal(loc, 0.1), not the distribution Normal(loc: 0.0, scale: 1.0)" in words


IGNORES = (
    "gives a distribution that does not depend on A x, so that pictures would ignore y: put A x into it, as in "
    "lambda loc: dist.Normal(loc, 0.1)"
)


@pytest.mark.parametrize(
    "function",
    [
        lambda loc: dist.Normal(0.0, 0.3),
        lambda loc: dist.Normal(torch.zeros_like(loc), 0.3),
        lambda loc: dist.Normal(loc.detach(), 0.3),
        lambda loc: dist.Laplace(WEIGHT, 0.3),
        lambda loc: dist.Normal(pyro.param("of a mistake", torch.zeros(())), 0.3),
        lambda loc: dist.Delta(torch.zeros_like(loc)),
    ],
)
def test_a_likelihood_that_ignores_a_x(function):
    y = random(1, *SHAPE)
    store, state = {*pyro.get_param_store().keys()}, torch.get_rng_state()
    with torch.no_grad():
        words = refused(lambda: Measurement(identity(), function, y))
        assert words.startswith("the likelihood <function <lambda> at ") and words.endswith(IGNORES)
        assert {*pyro.get_param_store().keys()} == store and torch.equal(state, torch.get_rng_state())
        assert refused(lambda: Measurement(identity(), Family(function), y)) == f"the family {IGNORES}"


@pytest.mark.parametrize(
    "function",
    [
        lambda loc: dist.Normal(loc, 0.3),
        lambda loc: dist.Normal(0.0, 0.1 + loc.abs()),
        lambda loc: dist.Delta(loc),
        lambda loc: dist.Bernoulli(logits=loc),  # y is none of its values
        lambda loc: dist.Normal(loc, pyro.sample("scale of noise", dist.Gamma(2.0, 2.0))),
        lambda loc: dist.Exponential(loc),  # which takes no y for A x
        lambda loc: 1 / 0,
    ],
)
def test_a_likelihood_of_a_x_passes_or_is_left_to_say_what_it_does_not_take(function):
    y, state = random(1, *SHAPE), torch.get_rng_state()
    trace = pyro.poutine.trace(lambda: Measurement(identity(), function, y)).get_trace()
    assert set(trace.nodes) == {"_INPUT", "_RETURN"} and torch.equal(state, torch.get_rng_state())


def test_in_inference_mode_too_a_likelihood_is_one_of_a_x():
    with torch.inference_mode():
        y = random(1, *SHAPE)
        assert Measurement(seen(1, *SHAPE), noise, y).y is y
        assert refused(lambda: Measurement(seen(1, *SHAPE), lambda loc: dist.Normal(0.0, 0.3), y)).endswith(IGNORES)


@pytest.mark.parametrize("function", [lambda loc: None, lambda loc: loc])
def test_a_function_that_gives_no_distribution(function):
    words = refused(lambda: Measurement(identity(), function, random(1, *SHAPE)), TypeError)
    assert "gives a distribution of pyro.distributions, such as dist.Normal(loc, 0.1), but gave" in words


def test_a_negative_distance():
    class Negative(Laplace):
        def distance(self, operator, y, x):
            return self.sign * (y - operator(x)).square().sum((-3, -2, -1))

    y, x = random(1, *SHAPE), random(5, 1, *SHAPE, seed=1)
    likelihood = Negative()
    measurement = Measurement(identity(), likelihood, y)
    squares = (x - y).square().sum((-3, -2, -1))
    for sign in (torch.tensor(-1.0, **f64), torch.tensor([1.0, 1, -1, 1, 1], **f64)[:, None]):
        object.__setattr__(likelihood, "sign", sign)
        words = refused(lambda: measurement.distance(x))
        assert words.startswith("Negative.distance is at least 0, and 0 where x explains y as well as can be")
        assert words.endswith(f"It gave {(sign * squares).min():.4g}")
    object.__setattr__(likelihood, "sign", 1.0)
    assert torch.equal(measurement.distance(x), squares)
    assert measurement.distance(y) == 0
