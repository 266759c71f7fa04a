"""DiffusionMarginal on a Gaussian prior, whose marginals are known."""

import pyro.distributions as dist
import pytest
import torch

from tests.conftest import standard_error
from vipaint_pyro.models import DiffusionMarginal


@pytest.mark.parametrize("e", [998, 700, 50])
def test_log_prob_is_exact_in_mean(gaussian, e):
    # With the exact reverse kernel the bound on log p(z_e) is tight, but for p(z_T) = N(0, 1).
    z = torch.tensor([[0.3, -0.2, 0.8], [-0.5, 0.1, 1.0]]).double().reshape(1, 1, 2, 3)
    marginal = gaussian.marginal(e)
    mean, std = marginal.mean, marginal.stddev
    exact = dist.Normal(mean, std).log_prob(z).sum()
    marginal = DiffusionMarginal(gaussian, e, (1,), num_levels=8)
    draws = marginal.log_prob(z.expand(6000, *z.shape))
    assert draws.shape == (6000, 1)
    assert (draws.mean() - exact).abs() < 4 * standard_error(draws) + 1e-3


def test_samples_have_the_marginal(gaussian):
    draws = DiffusionMarginal(gaussian, 400, (2,), num_steps=30).sample((4000,)).reshape(-1, 1, 2, 3)
    marginal = gaussian.marginal(400)
    mean, std = marginal.mean, marginal.stddev
    assert ((draws.mean(0) - mean).abs() < 4 * standard_error(draws)).all()
    assert ((draws.std(0) / std - 1).abs() < 4 / (2 * len(draws)) ** 0.5).all()


def test_levels_are_drawn_as_often_as_they_say(gaussian):
    marginal = DiffusionMarginal(gaussian, 990, (1,), num_levels=4)
    s, p = marginal._levels(8, 4, torch.Size([20000]))
    assert s.min() == 991 and s.max() == 998
    counts = torch.bincount(s.reshape(-1) - 991, minlength=8).double() / s.numel()
    expected = torch.zeros(8).double()
    expected[s.reshape(-1) - 991] = p.reshape(-1)
    torch.testing.assert_close(expected.sum(), torch.tensor(1.0).double())
    assert ((counts - expected).abs() < 0.006).all()
    # Four levels of one draw lie in the four quarters of the probability, one each.
    upper = expected.cumsum(0)
    quarter = torch.arange(4)[:, None] / 4
    assert (upper[s - 991] >= quarter - 1e-9).all() and (upper[s - 991] - p <= quarter + 0.25 + 1e-9).all()


def test_the_terms_of_a_gaussian_hardly_vary(schedule):
    # For unit Gaussians the probabilities are the terms' own proportions, but for the part spread evenly.
    from vipaint_pyro.exact import GaussianPrior

    shape = (1, 20, 20)
    prior = GaussianPrior(torch.zeros(shape).double(), torch.ones(shape).double(), schedule)
    marginal = DiffusionMarginal(prior, 600, (1,), num_levels=2)
    z = torch.randn(1, *shape).double()
    draws = marginal.log_prob(z.expand(300, *z.shape))
    exact = dist.Normal(0.0, 1.0).log_prob(z).sum()
    assert (draws.mean() - exact).abs() < 4 * standard_error(draws) + 1e-2
    assert draws.std() < 120  # 1885 if all levels are drawn alike
