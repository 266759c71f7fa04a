"""DiffusionMarginal on a Gaussian prior, whose marginals are known."""

import pyro.distributions as dist
import pytest
import torch

from tests.conftest import standard_error
from vipaint_pyro import NoiseSchedule
from vipaint_pyro.exact import GaussianPrior
from vipaint_pyro.models import DiffusionMarginal
from vipaint_pyro.models.bridge import Bridge


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
    shape = (1, 20, 20)
    prior = GaussianPrior(torch.zeros(shape).double(), torch.ones(shape).double(), schedule)
    marginal = DiffusionMarginal(prior, 600, (1,), num_levels=2)
    z = torch.randn(1, *shape).double()
    draws = marginal.log_prob(z.expand(300, *z.shape))
    exact = dist.Normal(0.0, 1.0).log_prob(z).sum()
    assert (draws.mean() - exact).abs() < 4 * standard_error(draws) + 1e-2
    assert draws.std() < 120  # 1885 if all levels are drawn alike


@pytest.fixture
def exploding():
    """A prior whose last level still says something of the image, of 5 levels."""
    schedule = NoiseSchedule.variance_exploding(5, 0.5, 3.0)
    mean = torch.linspace(-0.6, 0.7, 6, dtype=torch.float64).reshape(1, 2, 3)
    return GaussianPrior(mean, torch.full((1, 2, 3), 0.8).double(), schedule, kernel="gaussian")


Z = torch.linspace(-2, 2, 12).double().reshape(2, 1, 2, 3)


def test_below_the_last_level_it_is_one_step_and_the_kl_at_the_end(exploding):
    schedule, normal = exploding.schedule, torch.distributions.Normal
    v = float(schedule.sigma(4) ** 2 - schedule.sigma(3) ** 2)
    torch.manual_seed(0)
    value = DiffusionMarginal(exploding, 3, (2,)).log_prob(Z)
    torch.manual_seed(0)
    mean, std = exploding.reverse(Z + v**0.5 * torch.randn_like(Z), 4, 3)
    end = torch.distributions.kl_divergence(normal(Z, v**0.5), normal(torch.zeros_like(Z), 3.0))
    torch.testing.assert_close(value, (normal(mean, std).log_prob(Z) - end).sum((-3, -2, -1)))


@pytest.mark.parametrize("preserving, e, levels", [(False, 1, (2, 3)), (True, 400, (500, 800))])
def test_a_term_is_the_kl_of_the_bridge_from_a_point(exploding, gaussian, preserving, e, levels):
    prior = gaussian if preserving else exploding
    schedule, s = prior.schedule, torch.tensor(levels)[:, None]
    z = Z.expand(2, *Z.shape)
    torch.manual_seed(0)
    kl = DiffusionMarginal(prior, e, (2,))._kl(z, s)
    torch.manual_seed(0)
    noise = torch.randn_like(z)
    for i, level in enumerate(levels):
        bridge = Bridge(schedule, e, Z, torch.zeros(()).double())
        m_t, V_t = bridge.marginal(level + 1)
        z_t = m_t + V_t.sqrt() * noise[i]
        q = torch.distributions.Normal(*bridge.conditional(z_t, torch.tensor(level + 1), torch.tensor(level)))
        p = torch.distributions.Normal(*prior.reverse(z_t, level + 1, level))
        torch.testing.assert_close(kl[i], torch.distributions.kl_divergence(q, p).sum((-3, -2, -1)))


def test_it_is_drawn_from_noise_as_wide_as_the_schedule_ends(exploding, monkeypatch):
    seen = []
    monkeypatch.setattr(exploding, "sample", lambda z, *times: seen.append((z, times)) or z)
    DiffusionMarginal(exploding, 2, (2000,), num_steps=3).sample()
    ((z, times),) = seen
    assert times == (4, 2, 3) and z.std().item() == pytest.approx(3.0, rel=0.05)
    start = torch.ones(2, 1, 2, 3).double()
    assert (DiffusionMarginal(exploding, 2, (2,), start=start).sample((4,)) == 1).all()
