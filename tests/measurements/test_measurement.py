"""A measurement is operator, likelihood and y: checked once, cut, moved and made noisy as one."""

from types import SimpleNamespace
from unittest.mock import Mock

import pyro.distributions as dist
import pytest
import torch

from vipaint_pyro.exact.likelihood import ExactGaussian
from vipaint_pyro.measurements import measurement as module
from vipaint_pyro.measurements.blurs import GaussianBlur
from vipaint_pyro.measurements.inpainting import Inpainting
from vipaint_pyro.measurements.likelihoods import Gaussian, Laplace, Noiseless
from vipaint_pyro.measurements.matrix import Matrix
from vipaint_pyro.measurements.measurement import Measurement, check_fits, check_operator, check_y
from vipaint_pyro.measurements.moment_matched import MomentMatched
from vipaint_pyro.measurements.nonlinear import Nonlinear
from vipaint_pyro.measurements.perceptual import Perceptual
from vipaint_pyro.randomness import NoiseStreams

SHAPE, N = (3, 4, 6), 4
SIGMA = torch.tensor([0.1, 0.2, 0.3, 0.4], dtype=torch.float64).reshape(N, 1, 1, 1)


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def mask():
    return Inpainting(random(N, *SHAPE, seed=2) > -0.5)


def counts():
    return Nonlinear(lambda x: 5 * x.exp(), dist.Poisson, SHAPE, N)


def streams(n=N):
    return NoiseStreams([torch.Generator().manual_seed(i) for i in range(n)], n)


@pytest.mark.parametrize(
    "likelihood", [Laplace(0.3), Gaussian(0.2), Gaussian(SIGMA), MomentMatched(SIGMA), Perceptual(2.0, Gaussian(SIGMA))]
)
def test_a_part_is_the_measurement_of_its_images(likelihood):
    operator, x = mask(), random(5, N, *SHAPE)
    whole = Measurement(operator, likelihood, random(N, *SHAPE, seed=1) * operator.observed)
    part, cut = whole.part(1, 3), x[:, 1:3]
    assert part.num_images == 2 and type(part.likelihood) is type(likelihood) and whole.num_images == N
    assert torch.equal(part.y, whole.y[1:3]) and torch.equal(part.operator.observed, operator.observed[1:3])
    assert torch.equal(part.distance(cut), whole.distance(x)[:, 1:3])
    expected = torch.as_tensor(whole.floor(x, streams())).expand(N)[1:3]
    assert torch.equal(torch.as_tensor(part.floor(cut, streams(2))).expand(2), expected)


@pytest.mark.parametrize("kind", [Gaussian, Laplace])
def test_a_part_of_a_noise_of_its_own_is_scored_by_it(kind):
    whole = Measurement(mask(), kind(SIGMA), random(N, *SHAPE, seed=1))
    part, loc = whole.part(2, 4), random(N, *SHAPE)
    log_p = whole.likelihood(loc).log_prob(whole.y)
    assert torch.equal(part.likelihood(loc[2:]).log_prob(part.y), log_p[2:])


@pytest.mark.parametrize("likelihood", [Laplace(0.3), Gaussian(0.2), Gaussian(SIGMA), Perceptual(2.0, Gaussian(SIGMA))])
def test_moved_it_is_the_same_in_another_precision(likelihood):
    operator, x = mask(), random(N, *SHAPE)
    here = Measurement(operator, likelihood, random(N, *SHAPE, seed=1) * operator.observed)
    there = here.to(torch.device("cpu"), torch.float32)
    assert there.y.dtype == torch.float32 and here.y.dtype == torch.float64
    assert torch.equal(there.y, here.y.float()) and torch.equal(there.operator.observed, operator.observed)
    torch.testing.assert_close(there.distance(x.float()), here.distance(x).float(), rtol=1e-6, atol=0)
    own, before = (getattr(seen.likelihood, "pixel", seen.likelihood) for seen in (there, here))
    log_p = own(x.float()).log_prob(there.y)
    torch.testing.assert_close(log_p, before(x).log_prob(here.y).float(), rtol=1e-5, atol=1e-5)
    gone = here.to(torch.device("meta"), torch.float64)
    assert gone.y.is_meta and gone.operator.observed.is_meta and not here.operator.observed.is_meta


@pytest.mark.parametrize(
    "likelihood, known",
    [(Noiseless(), False), *((k, True) for k in (Laplace(0.3), Gaussian(0.2), MomentMatched(0.2), Perceptual(2.0)))],
)
def test_noise_is_added_where_nothing_is_known_of_it(likelihood, known):
    plain = Measurement(mask(), likelihood, random(N, *SHAPE))
    noisy = plain.noisy(0.05)
    assert noisy.likelihood == (likelihood if known else Gaussian(0.05)) and plain.likelihood is likelihood
    assert noisy.operator is plain.operator and noisy.y is plain.y
    assert plain.noisy(0.0).likelihood is likelihood


def test_it_takes_the_likelihood_that_the_operator_brings():
    operator, y = counts(), torch.ones(N, *SHAPE)
    assert Measurement.of(operator, y).likelihood is operator.likelihood
    assert Measurement.of(mask(), random(N, *SHAPE)).likelihood == Noiseless()


def test_it_is_checked_once(monkeypatch):
    seen = []
    monkeypatch.setattr(module, "check_y", lambda *given: seen.append(given))
    operator, likelihood, y = mask(), Noiseless(), random(N, *SHAPE)
    whole = Measurement(operator, likelihood, y)
    assert seen == [(operator, y, likelihood)]
    whole.part(0, 2).to(torch.device("cpu"), torch.float32).noisy(0.1).part(0, 1)
    assert len(seen) == 1


def test_it_cannot_be_changed():
    seen = Measurement(mask(), Noiseless(), random(N, *SHAPE))
    with pytest.raises(AttributeError, match="cannot assign to field 'y'"):
        seen.y = seen.y + 1


@pytest.mark.parametrize(
    "operator",
    ["deblur", lambda x: x, Mock(observed=torch.ones(1, 1, 2, 2) > 0), Inpainting, None],
)
def test_refuses_what_is_no_operator(operator):
    for make in (check_operator, lambda o: Measurement.of(o, random(1, 1, 2, 2))):
        with pytest.raises(TypeError, match=r"operator is one of .*make_operator.*LinearMap.*Nonlinear.*, not "):
            make(operator)


@pytest.mark.parametrize("likelihood", ["gaussian", 0.1, Gaussian, None])  # a function of A x is one
def test_refuses_what_is_no_likelihood(likelihood):
    with pytest.raises(TypeError, match="likelihood is (one of .*, not|made of its class: Gaussian)"):
        Measurement(mask(), likelihood, random(N, *SHAPE))


def one_entry(value):
    y = random(N, *SHAPE)
    y[2, 1, 0, 3] = value
    return y


@pytest.mark.parametrize(
    "y, error, message",
    [
        (random(N, *SHAPE).numpy(), TypeError, r"y is a tensor of shape \(N, C', H', W'\), not ndarray"),
        ([1.0], TypeError, "not list"),
        (random(3, *SHAPE), ValueError, "y holds 3 images, but 4 are measured"),
        (random(N, 3, 4, 5), ValueError, r"shape of what is observed, \(4, 3, 4, 6\) .*, but came with \(4, 3, 4, 5\)"),
        (random(N, 1, 4, 6), ValueError, r"but came with \(4, 1, 4, 6\)"),
        (random(N, 4, 6), ValueError, r"but came with \(4, 4, 6\)"),
        (torch.tensor(1.0), ValueError, r"but came with \(\)"),
        (random(N, *SHAPE) * torch.nan, ValueError, "not finite; entries that are not observed are 0, not NaN"),
        (random(N, *SHAPE) / 0, ValueError, "not finite"),
        (one_entry(torch.nan), ValueError, "not finite"),
        (one_entry(torch.inf), ValueError, "not finite"),
    ],
)
def test_refuses_what_is_not_measured(y, error, message):
    for make in (lambda: Measurement(mask(), Gaussian(0.1), y), lambda: check_y(mask(), y, Noiseless())):
        with pytest.raises(error, match=message):
            make()


def test_a_mask_has_one_channel_or_those_of_the_prior():
    prior = SimpleNamespace(image_shape=SHAPE)
    for channels in (1, 3):
        check_fits(Inpainting(torch.ones(1, channels, 4, 6, dtype=torch.bool)), prior)
    for shape in ((2, 4, 6), (3, 6, 4), (1, 4, 7)):
        with pytest.raises(ValueError, match=r"but those of this prior have \(3, 4, 6\)"):
            check_fits(Inpainting(torch.ones(1, *shape, dtype=torch.bool)), prior)


def test_images_are_arranged_as_those_of_the_prior():
    prior = SimpleNamespace(image_shape=SHAPE)
    check_fits(Matrix(random(2, 72), SHAPE), prior)
    others = [Matrix(random(2, 71)), Matrix(random(2, 72)), Matrix(random(2, 72), (3, 6, 4)), GaussianBlur((3, 6, 4))]
    for operator in others:  # its adjoint would give images that the prior has not
        with pytest.raises(ValueError, match=r"but those of this prior have \(3, 4, 6\): make it for these"):
            check_fits(operator, prior)


def test_one_mask_may_stand_for_all_channels():
    operator, y = Inpainting(random(N, 1, 4, 6) > 0), random(N, *SHAPE)
    assert Measurement.of(operator, y).y is y


def test_refuses_what_the_likelihood_cannot_give_or_judge():
    operator, y = counts(), torch.ones(N, *SHAPE)
    for wrong in (0.5, -1.0):
        with pytest.raises(ValueError, match=f"y holds {wrong:g}, which a Poisson cannot give"):
            Measurement.of(operator, y * wrong)
        with pytest.raises(ValueError, match="which a Poisson cannot give"):
            Measurement(operator, Perceptual(1.0, operator.likelihood), y * wrong)
    numbers = Matrix(random(N, 5, 72), SHAPE)
    with pytest.raises(ValueError, match="one of pictures"):
        Measurement(numbers, Perceptual(1.0), random(N, 1, 1, 5))


@pytest.mark.parametrize("kind", [Gaussian, MomentMatched, ExactGaussian])
def test_the_density_of_y_given_images_is_that_of_the_noise(kind):
    observed = torch.tensor([[[[True, False, True]]]])
    y = torch.tensor([[[[0.3, 0.0, -0.2]]]], dtype=torch.float64)
    x = torch.linspace(-1, 1, 6, dtype=torch.float64).reshape(2, 1, 1, 1, 3)  # two samples of one image
    seen = Measurement(Inpainting(observed), kind(0.2), y)
    expected = torch.distributions.Normal(x, 0.2).log_prob(y)[..., [0, 2]].sum((-3, -2, -1))
    torch.testing.assert_close(seen.log_prob(x), expected)
