"""DiffusionMarginal on a Gaussian prior, whose marginals are known."""

import pyro.distributions as dist
import pytest
import torch
from vipaint_pyro.models import DiffusionMarginal

from tests.conftest import standard_error


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


def test_stratified_levels_are_uniform(gaussian):
    marginal = DiffusionMarginal(gaussian, 990, (1,), num_levels=4)
    s = marginal._stratified(8, 4, torch.Size([20000]))
    assert s.min() == 991 and s.max() == 998
    counts = torch.bincount(s.reshape(-1) - 991, minlength=8).double()
    assert ((counts / counts.sum() - 1 / 8).abs() < 0.004).all()
    # Four levels of one draw lie in the four quarters, one each.
    quarters = ((s - 991) // 2).sort(0).values
    assert (quarters == torch.arange(4)[:, None]).all()
