"""q(x) of a fitted guide, as samples and as a density, against closed forms."""

import math

import pyro
import pytest
import torch
from torch.distributions import MultivariateNormal

from tests.conftest import standard_error
from vipaint_pyro import NoiseSchedule
from vipaint_pyro.exact import GaussianMixturePrior, GaussianPrior, exact_posterior
from vipaint_pyro.exact.likelihood import ExactGaussian
from vipaint_pyro.guides import make_guide
from vipaint_pyro.inference import guide_log_density, guide_samples
from vipaint_pyro.measurements import Gaussian, Inpainting, Laplace, Measurement
from vipaint_pyro.measurements.matrix import Matrix
from vipaint_pyro.models import DiffusionModel

SCHEDULE = NoiseSchedule.variance_preserving()
MEAN, STD, SIGMA = torch.tensor([0.4, -0.3]).double(), torch.tensor([0.5, 0.8]).double(), 0.3
A = torch.tensor([[1.0, 0.5]]).double()
Y = torch.tensor([[[[0.7]]]]).double()


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def gaussian_problem(times=(150,), likelihood=None):
    prior = GaussianPrior(MEAN.reshape(1, 1, 2), STD.reshape(1, 1, 2), SCHEDULE)
    model = DiffusionModel(prior, Matrix(A), times, likelihood or ExactGaussian(SIGMA))
    guide = make_guide("gaussian" if len(times) == 1 else "hierarchical", model, Y)
    return model, guide


def law_of_a_gaussian_guide(model, guide, given_y):
    """q(x) by textbook formulas: x = G z + noise, z Gaussian."""
    t = model.timesteps[0]
    alpha, sigma = float(SCHEDULE.alpha(t)), float(SCHEDULE.sigma(t))
    precision = torch.diag(1 / STD**2) + alpha**2 / sigma**2 * torch.eye(2).double()
    offset = MEAN / STD**2
    if given_y:
        precision = precision + A.T @ A / SIGMA**2
        offset = offset + (A.T @ Y.flatten()) / SIGMA**2
    cov = torch.linalg.inv(precision)
    gain = cov * alpha / sigma**2
    q = guide.marginals()[t]
    mean = cov @ offset + gain @ q.loc.flatten()
    return MultivariateNormal(mean, cov + gain @ torch.diag(q.scale.flatten() ** 2) @ gain.T)


@pytest.mark.parametrize("given_y", [False, True])
def test_of_a_gaussian_guide_it_is_a_gaussian(given_y):
    model, guide = gaussian_problem()
    with torch.no_grad():
        guide.mu_150 += 0.6
        guide.tau_150 *= 0.5
        truth = law_of_a_gaussian_guide(model, guide, given_y)
    y = Y if given_y else None
    x = guide_samples(model, guide, 20_000, generator(), y=y)
    assert x.shape == (20_000, 1, 1, 1, 2) and x.dtype == torch.float64
    away = x.flatten(1) - truth.mean
    products = away[:, :, None] * away[:, None, :] - truth.covariance_matrix
    assert all((v.mean(0).abs() < 4.5 * standard_error(v)).all() for v in (away, products))
    points = truth.mean + torch.linspace(-1.5, 1.5, 7).double()[:, None] * torch.tensor([0.5, 0.4]).double()
    log_q = guide_log_density(model, guide, points.reshape(7, 1, 1, 1, 2), 20_000, generator(1), y=y)
    assert log_q.shape == (7, 1)
    torch.testing.assert_close(log_q[:, 0], truth.log_prob(points), rtol=0, atol=0.05)


def mixture_problem():
    means = torch.tensor([[-1.0], [1.0]]).double()
    prior = GaussianMixturePrior([0.6, 0.4], means, SCHEDULE, variances=0.05)
    return DiffusionModel(prior, Matrix(torch.ones(1, 1).double()), (300, 100), ExactGaussian(0.6), form="marginal")


@pytest.mark.parametrize("given_y", [False, True])
@pytest.mark.parametrize("name", ["hierarchical", "mixture", "AutoNormal", "AutoDelta"])
def test_it_integrates_to_one_and_is_what_is_drawn(name, given_y):
    model = mixture_problem()
    y = torch.full((1, 1, 1, 1), 0.2).double()
    pyro.set_rng_seed(0)
    guide, y = make_guide(name, model, y), y if given_y else None
    grid = torch.linspace(-4, 4, 801).double()
    q = guide_log_density(model, guide, grid.reshape(-1, 1, 1, 1, 1), 500, generator(), y=y).exp()[:, 0]
    assert torch.trapezoid(q, grid).item() == pytest.approx(1, abs=1e-6)
    x = guide_samples(model, guide, 4000, generator(1), y=y).flatten()
    below = torch.cumulative_trapezoid(q, grid)
    for k in (300, 400, 500):
        share = (x < grid[k + 1]).double().mean().item()
        assert abs(share - below[k].item()) < 4.5 * math.sqrt(0.25 / 500) + 1e-3


def test_no_gap_means_the_exact_posterior():
    """The guide that is the model's own posterior at T_s gives q(x) = p(x | y)."""
    model, _ = gaussian_problem()
    t, operator = 150, Matrix(A)
    alpha, sigma = float(SCHEDULE.alpha(t)), float(SCHEDULE.sigma(t))
    posterior = exact_posterior(model.prior, operator, Y, SIGMA)
    z = alpha * posterior.sample(40_000, generator(3))
    z = z + sigma * torch.randn(z.shape, generator=generator(4)).double()

    def drawn(y=None):
        with pyro.plate("images", 1, dim=-1):
            pyro.sample("z_150", pyro.distributions.Delta(z.reshape(-1, 1, 1, 1, 1, 1, 2), event_dim=3))

    x = posterior.mean + torch.linspace(-0.5, 0.5, 5).double().reshape(5, 1, 1, 1, 1)
    log_q = guide_log_density(model, drawn, x, len(z), y=Y)
    torch.testing.assert_close(log_q, posterior.log_prob(x), rtol=0, atol=0.05)


def test_images_are_independent_and_draws_repeat():
    observed = torch.tensor([[[[True, False]]], [[[False, True]]]])
    prior = GaussianMixturePrior(torch.ones(2), torch.tensor([[-1.0, 0], [1, 0.5]]), SCHEDULE, variances=0.1)
    model = DiffusionModel(prior, Inpainting(observed), (300, 100), Gaussian(0.2), form="marginal")
    y = torch.tensor([[[[0.9, 0.0]]], [[[0.0, 0.4]]]])
    guide = make_guide("hierarchical", model, y)
    measured = Measurement(Inpainting(observed), Gaussian(0.2), y)
    x = [guide_samples(model, guide, 3, [generator(4), generator(5)], y=measured) for _ in range(2)]
    assert torch.equal(*x) and x[0].shape == (3, 2, 1, 1, 2)
    log_q = guide_log_density(model, guide, x[0], 50, generator(6))
    assert log_q.shape == (3, 2) and log_q.isfinite().all() and log_q.dtype == torch.float32
    few = guide_log_density(model, guide, x[0][None].double(), 50, generator(6))
    assert torch.equal(few[0], log_q)


def test_a_density_in_parts_is_that_of_the_whole(monkeypatch):
    model, guide = gaussian_problem()
    x = guide_samples(model, guide, 4, generator())
    whole = guide_log_density(model, guide, x, 30, generator(1))
    monkeypatch.setattr("vipaint_pyro.inference.clean_image._AT_ONCE", 7 * x.numel())
    torch.testing.assert_close(guide_log_density(model, guide, x, 30, generator(1)), whole)


def test_refuses(network_prior):
    model, guide = gaussian_problem()
    x = torch.zeros(1, 1, 1, 2).double()
    with pytest.raises(ValueError, match=r"x has shape \(\*, 1, 1, 1, 2\), but came with \(5, 2\)"):
        guide_log_density(model, guide, torch.zeros(5, 2))
    with pytest.raises(TypeError, match="x is a tensor of shape .* not ndarray; torch.as_tensor makes one of it"):
        guide_log_density(model, guide, x.numpy())
    with pytest.raises(ValueError, match="num_samples is a whole number of at least 1"):
        guide_samples(model, guide, 0)
    with pytest.raises(ValueError, match=r"y has the shape of what is observed.*: y.reshape\(1, 1, 1, 1\) has it"):
        guide_samples(model, guide, 3, y=torch.zeros(1))
    model, guide = gaussian_problem(likelihood=Laplace(0.1))
    assert guide_samples(model, guide, 3).shape == (3, 1, 1, 1, 2)
    with pytest.raises(ValueError, match=r"Gaussian noise: give the model the likelihood ExactGaussian.*not Laplace"):
        guide_samples(model, guide, 3, y=Y)
    with pytest.raises(TypeError, match="model is a vipaint_pyro.models.DiffusionModel"):
        guide_samples(guide, model, 3)
    prior = network_prior.conditioned([0])
    seen = Inpainting(torch.ones(1, *prior.image_shape) > 0)
    model = DiffusionModel(prior, seen, (30,), Gaussian(0.1))
    with pytest.raises(TypeError, match="known under the priors of vipaint_pyro.exact, not under DiffusionPrior"):
        guide_samples(model, guide, 3)
