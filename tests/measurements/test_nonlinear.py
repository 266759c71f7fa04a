"""Measurements of any kind: densities and gradients by hand, in the model and in the refinement's pull."""

import pyro.distributions as dist
import pytest
import torch
from pyro import poutine

from vipaint_pyro.measurements.any_family import Family
from vipaint_pyro.measurements.blurs import Blur
from vipaint_pyro.measurements.likelihoods import Gaussian
from vipaint_pyro.measurements.matrix import as_matrix
from vipaint_pyro.measurements.measurement import Measurement
from vipaint_pyro.measurements.moment_matched import MomentMatched
from vipaint_pyro.measurements.nonlinear import Nonlinear
from vipaint_pyro.measurements.operator import LinearOperator
from vipaint_pyro.models import DiffusionModel
from vipaint_pyro.randomness import NoiseStreams
from vipaint_pyro.samplers import DPSSampler, refine

SHAPE = (1, 2, 3)
f64 = dict(dtype=torch.float64)


def images(*batch, seed=0):
    return torch.rand(*batch, *SHAPE, generator=torch.Generator().manual_seed(seed), **f64) * 1.8 - 0.9


def counts(n=2, family=dist.Poisson, **options):
    return Nonlinear(lambda x: 5 * (x + 1.1), family, SHAPE, n, **f64, **options)


def seeded(*seeds):
    return [torch.Generator().manual_seed(seed) for seed in seeds]


def floor(operator, x, *seeds):
    return operator.likelihood.floor(operator, None, x, NoiseStreams(seeded(*seeds), len(seeds)))


def norm(v):
    return v.square().sum((-3, -2, -1)).sqrt()


def test_a_models_density_of_counts_is_that_by_hand(gaussian):
    observed = torch.tensor([True, True, False])
    operator = counts(2, observed=observed)
    y = torch.tensor([3.0, 0, 0, 7, 12, 0], **f64).reshape(1, *SHAPE).expand(2, *SHAPE)
    # The prior's pixels reach down to where there are no counts left, so give the function a floor.
    operator.function = lambda x: torch.nn.functional.softplus(x)
    model = DiffusionModel(gaussian, operator, (500, 250), operator.likelihood, form="marginal")
    trace = poutine.trace(model).get_trace(y)
    trace.compute_log_prob()
    rate = (1 + trace.nodes["x"]["value"].exp()).log()
    by_hand = y * rate.log() - rate - torch.lgamma(y + 1)
    expected = by_hand[..., :2].sum((-3, -2, -1))
    torch.testing.assert_close(trace.nodes["y"]["unscaled_log_prob"], expected, rtol=1e-12, atol=1e-12)
    assert expected.shape == (2,)


def test_a_model_draws_counts(gaussian):
    operator = Nonlinear(lambda x: 5 * x.exp(), dist.Poisson, SHAPE, 2, **f64)
    model = DiffusionModel(gaussian, operator, (500, 250), operator.likelihood, form="marginal")
    y = poutine.trace(model).get_trace().nodes["y"]["value"]
    assert y.shape == (2, *SHAPE) and torch.equal(y, y.round()) and y.max() > 0


def test_the_gradient_of_counts_is_that_by_hand():
    operator = counts()
    x = images(4, 2).requires_grad_()
    y = torch.poisson(5 * (images(2, seed=1) + 1.1), generator=torch.Generator().manual_seed(0))
    density = operator.likelihood(operator(x)).log_prob(y).sum()
    (gradient,) = torch.autograd.grad(density, x)
    torch.testing.assert_close(gradient, (y / (x + 1.1) - 5).detach(), rtol=1e-12, atol=1e-12)
    # The deviance is minus twice that, up to a constant in x.
    deviance = operator.likelihood.deviance(operator, y, x)
    assert deviance.shape == (4, 2)
    (pulled,) = torch.autograd.grad(deviance.sum(), x)
    torch.testing.assert_close(pulled, -2 * gradient, rtol=1e-12, atol=1e-12)


def test_the_deviance_of_counts_is_that_of_the_textbook():
    operator = counts(1)
    x, y = images(1), torch.tensor([4.0, 0, 1, 9, 2, 6], **f64).reshape(1, *SHAPE)
    rate = 5 * (x + 1.1)
    expected = 2 * (torch.xlogy(y, y / rate) - (y - rate)).sum((-3, -2, -1))
    deviance = operator.likelihood.deviance(operator, y, x)
    torch.testing.assert_close(deviance, expected, rtol=1e-12, atol=1e-12)
    # Entries that are not observed count for nothing.
    partly = counts(1, observed=torch.tensor([False, True, True]))
    cut = 2 * (torch.xlogy(y, y / rate) - (y - rate))[..., 1:].sum((-3, -2, -1))
    torch.testing.assert_close(partly.likelihood.deviance(partly, y, x), cut, rtol=1e-12, atol=1e-12)
    # It is 0 where the rate is the count, and has then no gradient that is not finite.
    y = y + 1
    at_best = (y / 5 - 1.1).requires_grad_()
    distance = operator.likelihood.distance(operator, y, at_best)
    assert distance.item() < 1e-6
    assert torch.autograd.grad(distance, at_best)[0].isfinite().all()


def test_with_gaussian_noise_the_pull_is_that_of_dps():
    operator = Blur(SHAPE, torch.rand(3, 3, generator=torch.Generator().manual_seed(0), **f64), 2)
    likelihood = Family(lambda loc: dist.Normal(loc, 0.3), unit=0.3)
    y, z = images(2), images(5, 2, seed=1).requires_grad_()
    torch.testing.assert_close(likelihood.distance(operator, y, z), norm(y - operator(z)), rtol=1e-12, atol=0)
    same = DPSSampler(zeta=0.7).pull(z, Gaussian(0.3).distance(operator, y, z))
    (gradient,) = torch.autograd.grad(likelihood.distance(operator, y, z).sum(), z)
    torch.testing.assert_close(-0.7 * gradient, same, rtol=1e-11, atol=1e-12)


def test_a_linear_function_with_gaussian_noise_is_the_linear_measurement(gaussian):
    operator = Blur(SHAPE, torch.ones(3, 3), 2)
    other = Nonlinear(operator, lambda loc: dist.Normal(loc, 0.2), SHAPE, 2, **f64)
    y = images(2)
    densities = []
    for a, likelihood in ((operator, Gaussian(0.2)), (other, other.likelihood)):
        torch.manual_seed(0)
        model = DiffusionModel(gaussian, a, (500, 250), likelihood, form="marginal")
        trace = poutine.trace(model).get_trace(y)
        trace.compute_log_prob()
        densities.append(trace.nodes["y"]["unscaled_log_prob"])
    torch.testing.assert_close(*densities, rtol=1e-12, atol=1e-12)


def test_a_refinement_follows_the_counts(gaussian):
    # Of two measurements of the same draw, that of more counts ends in the brighter image, by far.
    operator = Nonlinear(lambda x: 20 * torch.nn.functional.softplus(3 * x), dist.Poisson, SHAPE, 2, **f64)
    y = torch.tensor([4.0, 60], **f64).reshape(2, 1, 1, 1).expand(2, *SHAPE)
    z = torch.randn(8, 1, *SHAPE, generator=torch.Generator().manual_seed(0), **f64).expand(8, 2, *SHAPE)
    measurement = Measurement.of(operator, y)
    x = refine(gaussian, measurement, z, 400, DPSSampler(40, zeta=0.1), generator=seeded(1, 1))
    mean = operator(x).mean((0, 2, 3, 4))
    assert mean[0] < 8 and mean[1] > 45
    free = refine(gaussian, measurement, z, 400, DPSSampler(40, zeta=0.0), generator=seeded(1, 1))
    torch.testing.assert_close(free[:, 0], free[:, 1], rtol=0, atol=0)


def test_thresholds_have_their_parameter_not_in_the_units_of_y():
    y, x = torch.tensor([1.0, 0, 1, 1, 0, 0], **f64).reshape(1, *SHAPE), images(1)

    def make(**options):
        family = Family(lambda logits: dist.Bernoulli(logits=logits), **options)
        return Nonlinear(lambda x: 20 * x, family, SHAPE, **f64)

    operator = make(saturated=0.0)
    expected = 2 * torch.nn.functional.softplus(20 * x * (1 - 2 * y)).sum((-3, -2, -1))
    deviance = operator.likelihood.deviance(operator, y, x)
    torch.testing.assert_close(deviance, expected, rtol=1e-12, atol=1e-12)
    as_function = make(saturated=torch.zeros_like)
    torch.testing.assert_close(as_function.likelihood.deviance(as_function, y, x), expected, rtol=1e-12, atol=1e-12)
    wrong = make()
    with pytest.raises(ValueError, match="saturated is not the largest log density"):
        wrong.likelihood.deviance(wrong, y, 0.9 * (2 * y - 1))
    # One entry is explained too well, the others are not.
    one = torch.where(torch.arange(6).reshape(1, *SHAPE) == 2, 0.9, -0.9) * (2 * y - 1)
    with pytest.raises(ValueError, match="saturated is not the largest log density"):
        wrong.likelihood.deviance(wrong, y, one)


def test_phase_retrieval():
    def magnitudes(x):
        return torch.fft.fft2(x, norm="ortho").abs()

    operator = Nonlinear(magnitudes, Family(lambda loc: dist.Normal(loc, 0.05), unit=0.05), SHAPE, **f64)
    x = images(3, 1)
    y = operator(x[0])
    distance = operator.likelihood.distance(operator, y, x)
    expected = norm(magnitudes(x) - y)
    torch.testing.assert_close(distance[1:], expected[1:], rtol=1e-9, atol=0)
    assert distance[0] < 1e-9
    # The sign is lost, and so is where the image is.
    torch.testing.assert_close(operator(-x.roll(1, -1)), operator(x), rtol=1e-12, atol=1e-12)


def test_where_guides_begin():
    y = torch.tensor([4.0, 0, 1, 9, 2, 6], **f64).reshape(1, *SHAPE)
    assert torch.equal(counts(1).estimate(y), torch.zeros(1, *SHAPE, **f64))
    assert torch.equal(counts(1, start=lambda y: y / 5 - 1).estimate(y), y / 5 - 1)
    with pytest.raises(ValueError, match=r"start made \(1, 1, 2, 2\) of y \(1, 1, 2, 3\)"):
        counts(1, start=lambda y: y[..., 1:]).estimate(y)
    with pytest.raises(ValueError, match=r"y has shape \(\*, N, 1, 2, 3\), but came with \(1, 1, 2, 2\)"):
        counts(1).estimate(y[..., 1:])


def test_what_needs_a_linear_measurement_says_so(gaussian):
    operator = counts(1)
    assert not isinstance(operator, LinearOperator) and not hasattr(operator, "adjoint")
    with pytest.raises(TypeError, match="a nonlinear measurement has no matrix"):
        as_matrix(operator, SHAPE, images(1))
    model = DiffusionModel(gaussian, operator, (500, 250), MomentMatched(0.1), form="marginal")
    with pytest.raises(TypeError, match="a nonlinear measurement has no"):
        model(images(1))


@pytest.mark.parametrize(
    "make, error, message",
    [
        (lambda: counts(0), ValueError, "num_images is a whole number of at least 1"),
        (lambda: Nonlinear(lambda x: x.sum(), dist.Poisson, SHAPE), ValueError, r"became \(\), which is not"),
        (lambda: Nonlinear(lambda x: x[:1], dist.Poisson, SHAPE), ValueError, r"became \(1, 1, 2, 3\), which is not"),
        (lambda: Nonlinear(lambda x: 3, dist.Poisson, SHAPE), TypeError, "a tensor, but this one gave int"),
        (lambda: Nonlinear(lambda x: x, lambda loc: loc, SHAPE), TypeError, "a distribution, but this one gave Tensor"),
        (
            lambda: Nonlinear(lambda x: x, lambda loc: dist.Normal(loc, 1).to_event(3), SHAPE),
            ValueError,
            r"batch shape \(2,\) and event shape \(1, 2, 3\)",
        ),
        (
            lambda: Nonlinear(lambda x: x, lambda loc: dist.Normal(torch.stack([loc, loc], -1), 1).to_event(1), SHAPE),
            ValueError,
            r"and event shape \(2,\)",
        ),
        (lambda: counts(observed=torch.ones(3)), TypeError, "observed is a bool tensor, but has dtype torch.float32"),
        (lambda: counts(observed=torch.ones(2) > 0), ValueError, r"\(2,\) does not broadcast to y's shape"),
        (lambda: Family(dist.Poisson, unit=0.0), ValueError, "unit is positive, but is 0.0"),
        (lambda: counts(family=3), TypeError, "family is to be called, but is 3"),
        (lambda: Nonlinear(3, dist.Poisson, SHAPE), TypeError, "function is to be called, but is 3"),
    ],
)
def test_refuses(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_refuses_images_of_another_shape():
    with pytest.raises(ValueError, match=r"x has shape \(\*, N, 1, 2, 3\), but came with \(1, 1, 2, 2\)"):
        counts(1)(torch.zeros(1, 1, 2, 2))


def expected_deviance(rate, terms=400):
    """E 2 [y log(y / rate) - (y - rate)] over y ~ Poisson(rate), by its series."""
    y = torch.arange(terms, **f64)
    weight = (y * torch.log(rate) - rate - torch.lgamma(y + 1)).exp()
    return (weight * 2 * (torch.xlogy(y, y / rate) - (y - rate))).sum()


@pytest.mark.parametrize("rate", [0.3, 2.0, 30.0])
def test_the_floor_is_what_the_familys_own_noise_leaves(rate):
    shape = (1, 200, 200)
    operator = Nonlinear(lambda x: rate + x.abs(), dist.Poisson, shape, 2, **f64)
    left = floor(operator, torch.zeros(3, 2, *shape, **f64), 1, 2)
    expected = expected_deviance(torch.tensor(rate, **f64)).expand(3, 2)
    torch.testing.assert_close(left.square() / 200**2, expected, rtol=0.05, atol=0)  # 7 standard errors
    # What y leaves at the truth is of the same size, in the refinement's own units.
    y = torch.poisson(torch.full((2, *shape), rate, **f64), generator=torch.Generator().manual_seed(0))
    truth = operator.likelihood.distance(operator, y, torch.zeros(3, 2, *shape, **f64))
    torch.testing.assert_close(left, truth, rtol=0.05, atol=0)


def test_the_floor_of_gaussian_noise_is_that_of_dps():
    family = Family(lambda loc: dist.Normal(loc, 0.3), unit=0.3)
    operator = Nonlinear(lambda x: x, family, (1, 100, 100), 2, **f64)
    left = floor(operator, torch.zeros(2, 1, 100, 100, **f64), 1, 2)
    torch.testing.assert_close(left, torch.full((2,), 0.3 * 100, **f64), rtol=0.05, atol=0)  # sigma d^(1/2)


def test_the_floor_of_an_image_depends_on_its_own_seed_alone():
    operator, one = counts(2), counts(1)
    x, state = images(4, 2), torch.get_rng_state()
    left = floor(operator, x, 5, 6)
    assert torch.equal(torch.get_rng_state(), state) and left.shape == (4, 2)
    assert torch.equal(floor(one, x[:, 1:], 6), left[:, 1:])
    assert not torch.equal(floor(operator, x, 5, 7)[:, 1], left[:, 1])


@pytest.mark.slow
def test_a_refinement_fits_no_further_than_the_noise(gaussian):
    y, left = 2 * images(1), {}
    for stop in (True, False):
        family = Family(lambda loc: dist.Normal(loc, 0.5), unit=0.5, stop_at_noise=stop)
        operator = Nonlinear(lambda x: x, family, SHAPE, **f64)
        z = torch.randn(200, 1, *SHAPE, generator=torch.Generator().manual_seed(0), **f64)
        sampler = DPSSampler(100, zeta=1.0, limit=True)
        x = refine(gaussian, Measurement.of(operator, y), z, 999, sampler, torch.Generator().manual_seed(1))
        left[stop] = float(operator.likelihood.deviance(operator, y, x).mean() / 6)
    # By its own noise y differs from the truth by 1 an entry; of 6 the floors vary, and the lowest ones count.
    assert left[False] < 0.02 and 0.2 < left[True] < 1.5, left
