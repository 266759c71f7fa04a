"""The x_0 form of VIPaint's guide, and how it relates to the other form."""

import torch

from tests.guides.oracle import OBSERVED, Y, set_param
from vipaint_pyro import DiffusionPrior
from vipaint_pyro.guides import HierarchicalGuide, HierarchicalX0Guide
from vipaint_pyro.measurements.harmonic import continued
from vipaint_pyro.measurements.inpainting import Inpainting
from vipaint_pyro.models import DiffusionModel
from vipaint_pyro.priors.kernels import reverse_step

T, S = 500, 100


def pair(prior):
    model = DiffusionModel(prior, Inpainting(OBSERVED), (T, S))
    return model, HierarchicalGuide(model, Y), HierarchicalX0Guide(model, Y)


def test_the_step_is_taken_from_the_shifted_prediction(gaussian):
    _, _, guide = pair(gaussian)
    set_param(guide, f"gamma_{S}", torch.tensor(0.3).double())
    set_param(guide, f"mu_{S}", torch.linspace(-0.5, 0.8, 6).double().reshape(1, 1, 2, 3))
    z = torch.randn(5, 1, 1, 2, 3).double()
    c_0, c_t, _ = (float(c) for c in reverse_step(gaussian.schedule, T, S))
    expected = c_0 * (0.3 * gaussian.denoise(z, T) + getattr(guide, f"mu_{S}")) + c_t * z
    q = guide.kernel(z, T, S)
    torch.testing.assert_close(q.base_dist.loc, expected)
    torch.testing.assert_close(q.base_dist.scale, getattr(guide, f"tau_{S}").expand_as(z))


def test_the_two_forms_agree_where_their_parameters_correspond(gaussian):
    # On a Gaussian prior E[z_0|z_t] = k + g z_t, so both means are affine in z_t: match slope and offset.
    _, step, prediction = pair(gaussian)
    c_0, c_t, _ = (float(c) for c in reverse_step(gaussian.schedule, T, S))
    alpha_t, alpha_s = float(gaussian.schedule.alpha(T)), float(gaussian.schedule.alpha(S))
    g = alpha_t * gaussian.std**2 / gaussian.marginal(T).variance
    k = gaussian.mean * (1 - alpha_t * g)
    gamma, mu = 0.9, torch.linspace(-1, 1, 6).double().reshape(1, 1, 2, 3)
    gamma_x0 = gamma - (1 - gamma) * c_t / (c_0 * g)
    assert ((gamma_x0 > 0) & (gamma_x0 < 1)).all()
    set_param(step, f"gamma_{S}", torch.tensor(gamma).double())
    set_param(step, f"mu_{S}", mu)
    set_param(prediction, f"gamma_{S}", gamma_x0)
    set_param(prediction, f"mu_{S}", (gamma - gamma_x0) * k + (1 - gamma) * alpha_s * mu / c_0)
    z = torch.randn(7, 1, 1, 2, 3).double()
    means = [guide.kernel(z, T, S).base_dist.loc for guide in (step, prediction)]
    torch.testing.assert_close(means[0], means[1])


def test_it_starts_part_of_the_way_to_the_continued_observation(gaussian):
    _, _, guide = pair(gaussian)
    start = continued(Y, OBSERVED)
    torch.testing.assert_close(getattr(guide, f"mu_{S}").detach(), 0.12 * start)
    torch.testing.assert_close(getattr(guide, f"mu_{T}").detach(), start)
    # Where the prediction is the start, so is the shifted one.
    shifted = getattr(guide, f"gamma_{S}") * start + getattr(guide, f"mu_{S}")
    torch.testing.assert_close(shifted.detach(), start)


def test_gamma_one_without_a_shift_is_the_priors_step(gaussian):
    _, _, guide = pair(gaussian)
    set_param(guide, f"gamma_{S}", torch.tensor(1 - 1e-12).double())
    set_param(guide, f"mu_{S}", torch.zeros(()).double())
    z = torch.randn(3, 1, 1, 2, 3).double()
    torch.testing.assert_close(guide.kernel(z, T, S).base_dist.loc, gaussian.reverse(z, T, S)[0])


def test_its_step_is_of_the_models_eta(gaussian):
    prior = DiffusionPrior(gaussian.schedule, gaussian.denoiser, (1, 2, 3))
    model = DiffusionModel(prior, Inpainting(OBSERVED), (500, 100), eta=0.3)
    guide, z = HierarchicalX0Guide(model, Y), torch.linspace(-1, 1, 6).double().reshape(1, 1, 2, 3)
    shifted = guide.gamma_100 * prior.denoise(z, 500) + guide.mu_100
    mean, _ = prior.reverse(z, 500, 100, 0.3, z0=shifted)
    torch.testing.assert_close(guide.kernel(z, 500, 100).mean, mean)
