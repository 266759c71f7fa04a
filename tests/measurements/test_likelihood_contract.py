"""What every likelihood holds to: its distance, what noise leaves of it, and what it says of itself (float64)."""

import pyro.distributions as dist
import pytest
import torch

from vipaint_pyro.exact.likelihood import ExactGaussian
from vipaint_pyro.measurements.any_family import Family
from vipaint_pyro.measurements.blurs import Blur
from vipaint_pyro.measurements.inpainting import Inpainting
from vipaint_pyro.measurements.likelihood import Likelihood, Noise, as_likelihood
from vipaint_pyro.measurements.likelihoods import Gaussian, Laplace, Noiseless
from vipaint_pyro.measurements.measurement import Measurement
from vipaint_pyro.measurements.moment_matched import MomentMatched
from vipaint_pyro.measurements.nonlinear import Nonlinear
from vipaint_pyro.measurements.perceptual import Perceptual
from vipaint_pyro.priors.prediction import Prediction
from vipaint_pyro.priors.schedules import CLEAN
from vipaint_pyro.randomness import NoiseStreams

SHAPE, N = (1, 4, 6), 3
IMAGE = (-3, -2, -1)
SIGMA = torch.tensor([0.1, 0.2, 0.3], dtype=torch.float64).reshape(N, 1, 1, 1)
NORMAL = Family(lambda loc: dist.Normal(loc, 0.2), unit=0.2)
#: If you add a likelihood, add it here: (it, its noise_alone, its sigma).
KINDS = {
    "Laplace": (Laplace(0.3), False, None),
    "Laplace per image": (Laplace(SIGMA), False, None),
    "Gaussian": (Gaussian(0.2), True, 0.2),
    "Gaussian per image": (Gaussian(SIGMA), True, SIGMA),
    "Noiseless": (Noiseless(), True, 0.0),
    "Family": (NORMAL, False, None),
    "MomentMatched": (MomentMatched(0.2), False, 0.2),
    "ExactGaussian": (ExactGaussian(0.2), False, 0.2),
    "Perceptual": (Perceptual(1.0, Gaussian(0.2)), False, None),
    "function": (as_likelihood(lambda loc: dist.StudentT(3.0, loc, 0.1)), False, None),
}
kinds = pytest.mark.parametrize("likelihood", [kind[0] for kind in KINDS.values()], ids=KINDS)


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def problem():
    """A blur of which some is not observed, x, and what it measures of another image."""
    operator = Blur(SHAPE, random(3, 3, seed=3).abs(), N)
    operator.observed = random(N, *SHAPE, seed=2) > -0.5
    return operator, random(5, N, *SHAPE), operator(random(N, *SHAPE, seed=1)) * operator.observed


def streams():
    return NoiseStreams([torch.Generator().manual_seed(i) for i in range(N)], N)


@kinds
def test_the_distance_is_that_of_a_x_from_y_where_observed(likelihood):
    operator, x, y = problem()
    x.requires_grad_()
    r = torch.where(operator.observed, y - operator(x), 0).detach()
    norm = r.square().sum(IMAGE).sqrt()
    distance = likelihood.distance(operator, y, x)
    torch.testing.assert_close(distance.detach(), norm, rtol=1e-12, atol=0)
    (gradient,) = torch.autograd.grad(distance.sum(), x)
    torch.testing.assert_close(gradient, -operator.adjoint(r / norm[..., None, None, None]), rtol=1e-10, atol=1e-12)
    other = torch.where(operator.observed, y, 7.0)
    assert torch.equal(likelihood.distance(operator, other, x), distance)


@kinds
def test_where_x_explains_y_nothing_is_left_and_nothing_pulls(likelihood):
    operator, x, _ = problem()
    x = x[0].requires_grad_()
    y = (operator(x) * operator.observed).detach()
    distance = likelihood.distance(operator, y, x)
    assert distance.shape == (N,) and (distance >= 0).all() and (distance < 1e-9).all()
    assert (torch.autograd.grad(distance.sum(), x)[0] == 0).all()


@pytest.mark.parametrize("family", [dist.Poisson, lambda rate: dist.Exponential(1 / rate)])
def test_the_distance_of_a_family_is_at_least_0_with_a_gradient_and_least_where_x_explains_y(family):
    operator = Nonlinear(lambda x: x.exp(), family, SHAPE, N, dtype=torch.float64)
    x = random(5, N, *SHAPE)
    y = random(N, *SHAPE, seed=1).exp().round() + 1
    if family is dist.Poisson:
        x[0] = y.log()
    x.requires_grad_()
    distance = operator.likelihood.distance(operator, y, x)
    (gradient,) = torch.autograd.grad(distance.sum(), x)
    assert (distance >= 0).all() and gradient.isfinite().all() and (gradient[1:] != 0).any()
    if family is dist.Poisson:
        assert (distance[0] < 1e-6).all() and (distance[1:] > 0.1).all()


@pytest.mark.parametrize("likelihood, noise_alone, sigma", KINDS.values(), ids=KINDS)
def test_it_says_what_it_stands_for(likelihood, noise_alone, sigma):
    assert isinstance(likelihood, Likelihood) and likelihood.noise_alone is noise_alone
    assert likelihood.sigma is sigma or likelihood.sigma == sigma


@pytest.mark.parametrize("kind", [Gaussian, MomentMatched, ExactGaussian, lambda s: Perceptual(1.0, Gaussian(s))])
def test_the_floor_of_gaussian_noise_is_sigma_times_the_root_of_the_entries_observed(kind):
    operator, x, y = problem()
    entries = operator.observed.flatten(1).sum(1).double()
    assert len({*entries.tolist()}) > 1
    for sigma in (0.2, SIGMA):
        expected = torch.as_tensor(sigma).flatten() * entries.sqrt()
        torch.testing.assert_close(kind(sigma).floor(operator, y, x, streams()), expected.double(), rtol=1e-7, atol=0)
    # One channel of a mask stands for all that y has.
    colour, mask = random(N, 3, 4, 6), Inpainting(operator.observed)
    floor = kind(SIGMA).floor(mask, colour, x, streams())
    torch.testing.assert_close(floor, SIGMA.flatten() * (3 * entries).sqrt(), rtol=1e-12, atol=0)


def test_the_floor_is_0_where_nothing_is_known_of_the_noise():
    operator, x, y = problem()
    quiet = Family(NORMAL.family, unit=0.2, stop_at_noise=False)
    for likelihood in (Laplace(0.3), Noiseless(), KINDS["function"][0], quiet, Perceptual(1.0), Perceptual(1.0, quiet)):
        assert likelihood.floor(operator, y, x, streams()) == 0


def test_the_floor_of_a_family_is_the_distance_of_data_of_its_own():
    operator, x, y = problem()
    loc = operator(x)
    drawn = torch.empty_like(loc)
    for n, seed in enumerate(streams().seeds()):
        for sample in range(len(loc)):  # each sample's from a seed of its own, so that chunks draw the same
            torch.manual_seed(seed + sample)
            drawn[sample, n] = dist.Normal(loc[sample, n], 0.2).sample()
    r = (drawn - loc) * operator.observed
    floor = NORMAL.floor(operator, y, x, streams())
    torch.testing.assert_close(floor, r.square().sum(IMAGE).sqrt(), rtol=1e-12, atol=0)


@pytest.mark.parametrize("name", sorted(KINDS.keys() - {"Noiseless", "Perceptual"}))
def test_of_the_clean_image_it_is_the_noise_where_observed(name, gaussian):
    likelihood, (operator, x, y) = KINDS[name][0], problem()
    noise = {
        "Laplace": lambda loc: dist.Laplace(loc, 0.3),
        "Laplace per image": lambda loc: dist.Laplace(loc, SIGMA),
        "Gaussian per image": lambda loc: dist.Normal(loc, SIGMA),
        "function": lambda loc: dist.StudentT(3.0, loc, 0.1),
    }.get(name, lambda loc: dist.Normal(loc, 0.2))
    expected = torch.where(operator.observed, noise(operator(x)).log_prob(y), 0).sum(IMAGE)
    seen = likelihood.at(operator, Prediction(gaussian, x, CLEAN, x))
    assert seen.event_shape == SHAPE
    torch.testing.assert_close(seen.log_prob(y), expected, rtol=1e-12, atol=1e-12)


@kinds
def test_a_draw_of_y_is_0_where_nothing_is_observed(likelihood, gaussian):
    operator, x, _ = problem()
    seen = likelihood.at(operator, Prediction(gaussian, x, CLEAN, x))
    seen = getattr(seen, "base_dist", seen) if isinstance(likelihood, Perceptual) else seen
    hidden = ~operator.observed
    for law in (seen, seen.expand((2, *seen.batch_shape))):
        draws = [law.sample(), law.sample((3,)), *([law.rsample()] if law.has_rsample else [])]
        for y in draws:
            assert y.shape[-5:] == x.shape and (y[..., hidden] == 0).all() and (y[..., ~hidden] != 0).all()


@pytest.mark.parametrize(
    "function, error, words",
    [
        (lambda loc: None, TypeError, r"of pyro.distributions, such as dist.Normal\(loc, 0.1\), but gave None"),
        (lambda loc: loc, TypeError, r"a distribution of pyro.distributions, .*, but gave tensor\("),
        (lambda loc: torch.distributions.Normal(loc, 0.1), TypeError, "but gave torch's own Normal"),
        (lambda loc: dist.Normal(loc, 0.1).to_event(3), ValueError,
         r"batch shape \(5, 3, 1, 4, 6\) .*, but gave batch shape \(5, 3\) and event shape \(1, 4, 6\): leave"),
        (lambda loc: dist.Normal(loc[..., :2], 0.1), ValueError, r"but gave batch shape \(5, 3, 1, 4, 2\) and event"),
        (lambda loc: dist.Normal(loc.mean(-1), 0.1), ValueError, r"but gave batch shape \(5, 3, 1, 4\)"),
        (lambda loc: dist.Normal(loc[:1], 0.1), ValueError, r"but gave batch shape \(1, 3, 1, 4, 6\)"),
        (lambda loc: dist.Normal(loc[None], 0.1), ValueError, r"but gave batch shape \(1, 5, 3, 1, 4, 6\)"),
    ],
)  # fmt: skip
def test_a_function_gives_a_distribution_of_every_entry(function, error, words, gaussian):
    operator, x, _ = problem()
    with pytest.raises(error, match=f"the likelihood <function <lambda> at .*> gives .*{words}"):
        as_likelihood(function).at(operator, Prediction(gaussian, x, CLEAN, x))
    one = as_likelihood(lambda loc: dist.Normal(loc.new_zeros(()), 0.1))  # of all entries alike
    assert one.at(operator, Prediction(gaussian, x, CLEAN, x)).batch_shape == (N,)


def test_a_family_gives_a_distribution():
    with pytest.raises(TypeError, match="the family gives a distribution, but this one gave NoneType"):
        Family(lambda loc: None).check(*problem()[::2])


def test_a_likelihood_is_taken_as_it_is_and_a_function_as_noise():
    assert as_likelihood(NORMAL) is NORMAL
    own = as_likelihood(lambda loc: dist.Laplace(loc, 0.3))
    assert isinstance(own, Noise) and own(SIGMA).mean is SIGMA
    operator, x, y = problem()
    seen = Measurement(operator, lambda loc: dist.Laplace(loc, 0.3), y)
    torch.testing.assert_close(seen.log_prob(x), Measurement(operator, Laplace(0.3), y).log_prob(x))
    with pytest.raises(TypeError, match=r"a likelihood is made of its class: Laplace\(\), not Laplace"):
        Measurement(operator, Laplace, y)


@pytest.mark.parametrize(
    "given, words",
    [
        (lambda residual: residual.norm(), r"that is \(5, 3\), but it gave \(\)"),
        (lambda residual: residual, r"but it gave \(5, 3, 1, 4, 6\)"),
        (lambda residual: residual.square().sum(IMAGE).detach(), r"but it gave \(5, 3\) without a gradient"),
        (lambda residual: residual.square().sum(IMAGE).detach().numpy(), r"but it gave \(?array"),
    ],
)
def test_a_distance_is_one_number_for_each_image_of_each_sample(given, words):
    class Own(Laplace):
        def distance(self, operator, y, x):
            return given(torch.where(operator.observed, y - operator(x), 0))

    operator, x, y = problem()
    measurement = Measurement(operator, Own(0.3), y)
    with pytest.raises(ValueError, match=rf"Own.distance gives a tensor \(\*, N\), .*{words}"):
        measurement.distance(x.clone().requires_grad_())


@pytest.mark.parametrize("kind", [Gaussian, Laplace, MomentMatched, ExactGaussian])
@pytest.mark.parametrize("scale", [0, -1.0, float("nan"), float("inf"), "0.1", True, None, torch.tensor([0.1, 0.0])])
def test_a_scale_that_is_none_is_refused(kind, scale):
    with pytest.raises(ValueError, match=f"the scale of {kind.__name__} is finite and positive.*take Noiseless"):
        kind(scale)
