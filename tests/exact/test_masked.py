"""The posterior of a data set seen through a mask: equal to that by matrices, and what is not for it is refused."""

import pytest
import torch

from vipaint_pyro.exact import DatasetPrior, GaussianPrior, exact_posterior
from vipaint_pyro.exact.masked import MaskedPosterior
from vipaint_pyro.exact.posterior import ExactPosterior
from vipaint_pyro.measurements import Gaussian, Inpainting, Measurement
from vipaint_pyro.priors import NoiseSchedule

SCHEDULE = NoiseSchedule.variance_preserving()


@pytest.fixture
def problem():
    """Five pictures of 2 x 2 x 3, a mask of one channel, and noise that leaves several of them open."""
    g = torch.Generator().manual_seed(3)
    pictures = torch.rand(5, 2, 2, 3, generator=g, dtype=torch.float64)
    prior = DatasetPrior(pictures, 0.3, SCHEDULE, weights=torch.tensor([1.0, 2.0, 1.0, 1.0, 3.0]), kernel="gaussian")
    observed = torch.tensor([[[[True, False, True], [False, False, True]]]])
    y = torch.where(observed, torch.rand(1, 2, 2, 3, generator=g, dtype=torch.float64), 0)
    return prior, Measurement(Inpainting(observed), Gaussian(0.4), y)


def test_weights_means_and_variance_are_those_by_matrices(problem):
    prior, seen = problem
    posterior, exact = MaskedPosterior(prior, seen), exact_posterior(prior, seen.operator, seen.y, 0.4)
    assert 1.5 < torch.special.entr(posterior.weights).sum().exp() < 4.9  # not decided
    torch.testing.assert_close(posterior.weights, exact.weights[0], rtol=1e-12, atol=0)
    torch.testing.assert_close(posterior.means.flatten(1), exact.means[0])
    torch.testing.assert_close(posterior.variance.flatten(), exact.covariances[0, 0].diagonal())


def test_its_prior_denoises_given_y(problem):
    prior, seen = problem
    z = torch.randn(7, 1, 2, 2, 3, dtype=torch.float64)
    given = ExactPosterior(prior.exactly_measured(seen.operator, 0.4, z, 400), seen.y).mean
    torch.testing.assert_close(MaskedPosterior(prior, seen).as_prior().denoise(z, 400), given)


def test_draws_have_its_moments(problem):
    posterior = MaskedPosterior(*problem)
    x = posterior.sample(40_000, torch.Generator().manual_seed(0))
    assert x.shape == (40_000, 1, 2, 2, 3)
    exact = exact_posterior(problem[0], problem[1].operator, problem[1].y, 0.4)
    torch.testing.assert_close(x.mean(0), exact.mean, atol=0.01, rtol=0)
    torch.testing.assert_close(x.var(0), exact.variance, atol=0.01, rtol=0)


def test_what_it_is_not_for_is_refused(problem):
    prior, seen = problem
    other = GaussianPrior(torch.zeros(2, 2, 3).double(), torch.ones(2, 2, 3).double(), SCHEDULE)
    with pytest.raises(TypeError, match="the prior is a DatasetPrior, not GaussianPrior"):
        MaskedPosterior(other, seen)
    with pytest.raises(ValueError, match="of a mask, with Gaussian noise of one standard deviation"):
        MaskedPosterior(prior, Measurement.of(seen.operator, seen.y))
    twice = (t.expand(2, -1, -1, -1) for t in (seen.operator.observed, seen.y))
    two = Measurement(Inpainting(next(twice)), Gaussian(0.4), next(twice))
    with pytest.raises(ValueError, match="of one picture, not of 2"):
        MaskedPosterior(prior, two)
