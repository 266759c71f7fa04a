"""VIPaint's guide with kernels that know y, against exact conditionals of Gaussian priors."""

import pytest
import torch

from tests.clipped import clipped_at
from tests.guides.oracle import OBSERVED, Y, set_param
from vipaint_pyro.exact.gaussian_prior import GaussianPrior
from vipaint_pyro.exact.likelihood import ExactGaussian
from vipaint_pyro.exact.posterior import exact_posterior
from vipaint_pyro.guides import HierarchicalGuide, HierarchicalGuidedGuide, make_guide
from vipaint_pyro.inference.fit import fit
from vipaint_pyro.inference.optimizers import decaying_optimizer
from vipaint_pyro.inference.weights import draw_path, log_importance_weights
from vipaint_pyro.measurements.inpainting import Inpainting
from vipaint_pyro.measurements.likelihoods import Gaussian, Laplace
from vipaint_pyro.measurements.matrix import Matrix
from vipaint_pyro.measurements.measurement import Measurement
from vipaint_pyro.models import DiffusionModel
from vipaint_pyro.priors.counting import count_calls
from vipaint_pyro.priors.kernels import reverse_step

T, S, SIGMA = 500, 100, 0.2
_ROOT = torch.randn(6, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
COVARIANCE = _ROOT @ _ROOT.T / 6 + 0.1 * torch.eye(6, dtype=torch.float64)


def guided(prior, operator, y, sigma=SIGMA, **settings):
    model = DiffusionModel(prior, operator, (T, S), Gaussian(sigma))
    guide = HierarchicalGuidedGuide(model, y, **settings)
    set_param(guide, f"gamma_{S}", torch.tensor(1 - 1e-14).double())
    return guide


@pytest.fixture
def dense(schedule):
    """Six correlated entries, two measurements of all of them."""
    mean = torch.linspace(-0.6, 0.7, 6, dtype=torch.float64).reshape(1, 2, 3)
    prior = GaussianPrior(mean, None, schedule, covariance=COVARIANCE)
    matrix = torch.randn(2, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    return prior, Matrix(matrix, (1, 2, 3)), torch.tensor([0.4, -1.1]).double().reshape(1, 1, 1, 2)


def given_y(prior, rows, y, z):
    """E[x | z_t, y] of a Gaussian prior, by its precision."""
    alpha, sigma = float(prior.schedule.alpha(T)), float(prior.schedule.sigma(T))
    mean, covariance = prior.mean.flatten(), COVARIANCE
    precision = covariance.inverse() + alpha**2 / sigma**2 * torch.eye(6).double() + rows.T @ rows / SIGMA**2
    pull = covariance.inverse() @ mean + alpha / sigma**2 * z.flatten(-3) + rows.T @ y.flatten() / SIGMA**2
    return torch.linalg.solve(precision, pull[..., None])[..., 0].reshape(z.shape)


def test_a_kernel_has_the_exact_mean_given_y_of_a_gaussian_prior(dense):
    prior, operator, y = dense
    guide = guided(prior, operator, y)
    z = torch.randn(5, 1, 1, 2, 3, generator=torch.Generator().manual_seed(1)).double()
    c_0, c_t, _ = (float(c) for c in reverse_step(prior.schedule, T, S))
    expected = c_0 * given_y(prior, operator.matrix[0], y, z) + c_t * z
    torch.testing.assert_close(guide.kernel(z, T, S).base_dist.loc, expected, rtol=0, atol=1e-9)
    # One step of conjugate gradients does not solve for two measurements.
    short = guided(prior, operator, y, iterations=1).kernel(z, T, S).base_dist.loc
    assert (short - expected).abs().max() > 1e-3


def test_gain_and_gamma_are_between_the_priors_step_and_the_guided_one(dense):
    prior, operator, y = dense
    guide, z = guided(prior, operator, y), torch.linspace(-2, 2, 6).double().reshape(1, 1, 1, 2, 3)
    whole = guide.kernel(z, T, S).base_dist.loc.detach()
    step, _ = prior.reverse(z, T, S)
    set_param(guide, f"gain_{S}", torch.tensor(0.25).double())
    part = guide.kernel(z, T, S).base_dist.loc
    torch.testing.assert_close(part, 0.25 * whole + 0.75 * step)
    set_param(guide, f"gamma_{S}", torch.tensor(0.7).double())
    set_param(guide, f"mu_{S}", torch.full((), 0.3).double())
    mixed = 0.7 * part + 0.3 * float(prior.schedule.alpha(S)) * 0.3
    torch.testing.assert_close(guide.kernel(z, T, S).base_dist.loc, mixed)


def test_what_y_adds_is_clipped_where_the_prior_clips(dense):
    prior, operator, y = dense
    z = torch.linspace(-2, 2, 6).double().reshape(1, 1, 1, 2, 3)
    clipped, gain = clipped_at(0.4, prior), 3.0
    guide = guided(clipped, operator, y, iterations=6)
    set_param(guide, f"gain_{S}", torch.tensor(gain).double())
    alpha, sigma = float(prior.schedule.alpha(T)), float(prior.schedule.sigma(T))
    C = (COVARIANCE.inverse() + alpha**2 / sigma**2 * torch.eye(6).double()).inverse()
    A, z0 = operator.matrix[0], prior.denoise(z, T).flatten().clamp(-0.4, 0.4)
    added = C @ A.T @ torch.linalg.solve(A @ C @ A.T + SIGMA**2 * torch.eye(2).double(), y.flatten() - A @ z0)
    z0_y = z0 + gain * added
    assert z0_y.abs().max() > 0.6 and (z0 + added).abs().max() > 0.4
    c_0, c_t, _ = (float(c) for c in reverse_step(prior.schedule, T, S))
    expected = c_0 * z0_y.clamp(-0.4, 0.4) + c_t * z.flatten()
    torch.testing.assert_close(guide.kernel(z, T, S).base_dist.loc.flatten(), expected, rtol=0, atol=1e-8)


def test_a_kernel_costs_a_forward_call_and_as_many_backward_ones_as_iterations(dense):
    prior, operator, y = dense
    prior, calls = count_calls(prior)
    guide, z = guided(prior, operator, y, iterations=2), torch.zeros(5, 1, 1, 2, 3).double()
    with torch.no_grad():
        guide.kernel(z, T, S)
    assert (calls.total, calls.backward) == (5, 10)


def test_draws_are_made_in_pieces_and_are_the_same(dense, monkeypatch):
    # The graph of a piece is gone before the next one's is made: memory does not grow with the samples.
    prior, operator, y = dense
    z = torch.linspace(-2, 2, 30).double().reshape(5, 1, 1, 2, 3)
    whole, sizes = guided(prior, operator, y).kernel(z, T, S).base_dist.loc, []
    monkeypatch.setattr(type(prior), "denoise", recorded(type(prior).denoise, sizes))
    guide = guided(prior.in_pieces(2), operator, y)
    torch.testing.assert_close(guide.kernel(z, T, S).base_dist.loc, whole)
    assert sizes == [2, 2, 1]
    with torch.no_grad(), guide.model.predictions():  # and found again by who asks for the prediction itself
        guide.kernel(z, T, S)
        del sizes[:]
        torch.testing.assert_close(guide.model.denoise(z, T), prior.in_pieces(None).denoise(z, T))
        assert sizes == [5]


def recorded(denoise, sizes):
    def call(self, z, t):
        sizes.append(len(z))
        return denoise(self, z, t)

    return call


def test_the_noise_is_that_of_y_where_it_is_gaussian(gaussian):
    operator = Inpainting(OBSERVED)

    def variance(y, likelihood, **settings):
        guide = HierarchicalGuidedGuide(DiffusionModel(gaussian, operator, (T, S), likelihood), y, **settings)
        return guide.get_buffer("_variance").double()

    def close(found, sigma):
        torch.testing.assert_close(found, torch.tensor(sigma**2).double())

    close(variance(Measurement(operator, Gaussian(0.3), Y), Laplace(1.0)), 0.3)
    close(variance(Measurement(operator, Laplace(0.4), Y), Laplace(1.0)), 0.03)
    close(variance(Measurement.of(operator, Y), Laplace(1.0), measurement_scale=0.1), 0.1)  # none: a density needs some
    close(variance(Y, Gaussian(0.2)), 0.2)
    close(variance(Y, Laplace(1.0)), 0.03)


def test_gradients_of_a_fit_go_through_the_prediction_alone(dense):
    prior, operator, y = dense
    guide = guided(prior, operator, y)
    z = torch.linspace(-1, 1, 6).double().reshape(1, 1, 1, 2, 3).requires_grad_()
    (ours,) = torch.autograd.grad(guide.kernel(z, T, S).base_dist.loc.sum(), z)
    (step,) = torch.autograd.grad(prior.reverse(z, T, S)[0].sum(), z)
    torch.testing.assert_close(ours, step, rtol=0, atol=1e-9)


def test_draws_of_a_saved_guide_are_the_same(dense):
    prior, operator, y = dense
    guide = guided(prior, operator, y)
    other = make_guide("hierarchical-guided", guide.model, torch.zeros_like(y))
    other.load_state_dict(guide.state_dict())
    z = torch.linspace(-1, 1, 6).double().reshape(1, 1, 1, 2, 3)
    assert torch.equal(guide.kernel(z, T, S).base_dist.loc, other.kernel(z, T, S).base_dist.loc)


@pytest.mark.parametrize("settings", [{"iterations": 0}, {"measurement_scale": 0.0}])
def test_settings_that_cannot_be(gaussian, settings):
    with pytest.raises(ValueError, match=next(iter(settings))):
        HierarchicalGuidedGuide(DiffusionModel(gaussian, Inpainting(OBSERVED), (T, S)), Y, **settings)


def test_where_y_sees_every_direction_at_once_the_bound_is_closer(dense):
    # Along a row of the matrix no entry's own mean or gamma can pull: a kernel has to look where z_t is.
    prior, operator, y = dense
    gaps = {}
    for kind in (HierarchicalGuide, HierarchicalGuidedGuide):
        model = DiffusionModel(prior, operator, (T, S), ExactGaussian(SIGMA), form="marginal")
        guide, generator = kind(model, y), torch.Generator().manual_seed(0)
        fit(model, guide, y, num_steps=200, optim=decaying_optimizer(guide, 200), generator=generator)
        log_w = log_importance_weights(model, draw_path(model, guide, 2000, generator), y)
        gaps[kind] = float(exact_posterior(prior, operator, y, torch.tensor(SIGMA)).log_evidence - log_w.mean())
    assert 0 < gaps[HierarchicalGuidedGuide] < 0.7 * gaps[HierarchicalGuide], gaps
