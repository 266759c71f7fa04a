"""PiGDMSampler: its step on a Gaussian prior, where the gradient is known, against dense matrices."""

import pytest
import torch

from tests.priors.pretrained.tiny import latent_kl
from tests.samplers.half_seen import OBSERVED, seeded
from vipaint_pyro import LinearMap
from vipaint_pyro.exact import GaussianPrior
from vipaint_pyro.measurements import Gaussian, Inpainting, Laplace, Measurement
from vipaint_pyro.measurements.matrix import as_matrix
from vipaint_pyro.priors.diffusion import DiffusionPrior
from vipaint_pyro.priors.kernels import reverse_step
from vipaint_pyro.priors.schedules import NoiseSchedule
from vipaint_pyro.samplers import PiGDMSampler
from vipaint_pyro.samplers.run import Run

SUMS = LinearMap(lambda x: x.cumsum(-1)[..., 1:], (1, 2, 3), dtype=torch.float64)


@pytest.mark.parametrize("operator", [Inpainting(OBSERVED), SUMS], ids=["mask", "sums"])
@pytest.mark.parametrize("sigma_y", [0.0, 0.3])
@pytest.mark.parametrize("eta", [0.0, 1.0])
@pytest.mark.parametrize("family", ["preserving", "exploding", "flow"])
def test_a_step_by_dense_matrices(gaussian, operator, sigma_y, eta, family):
    # Where alpha^2 + sigma^2 is not 1, r^2 is not sigma^2.
    t, s = 600, 400
    schedules = {"exploding": NoiseSchedule.variance_exploding(), "flow": NoiseSchedule.rectified_flow()}
    gaussian = GaussianPrior(gaussian.mean, gaussian.std, schedules.get(family, gaussian.schedule))
    y = operator(torch.full((1, 1, 2, 3), 0.7).double())
    seen = Measurement(operator, Gaussian(sigma_y), y) if sigma_y else Measurement.of(operator, y)
    z = torch.linspace(-1, 1, 12).double().reshape(2, 1, 1, 2, 3)
    ours, z0 = PiGDMSampler(10, eta).step(Run(gaussian, seen, 2, seeded(5)), z, t, s)

    A = as_matrix(operator, (1, 2, 3), z)[0]
    A = A[A.abs().sum(1) > 0]
    alpha, sigma = float(gaussian.schedule.alpha(t)), float(gaussian.schedule.sigma(t))
    r2 = sigma**2 / (sigma**2 + alpha**2)
    J = (alpha * gaussian.std**2 / (alpha**2 * gaussian.std**2 + sigma**2)).flatten().diag()
    x = gaussian.denoise(z, t)
    away = (y - operator(x)).expand(2, *y.shape).flatten(1)
    away = away[:, operator.observed.expand_as(y).flatten()]
    middle = torch.linalg.inv(A @ A.T + sigma_y**2 / r2 * torch.eye(len(A)).double())
    g = (away @ middle @ A @ J).reshape(z.shape)
    c_0, c_t, std = (float(c) for c in reverse_step(gaussian.schedule, t, s, eta))
    noise = torch.randn(z.shape, generator=seeded(5), dtype=torch.float64)
    length = float((gaussian.schedule.alpha(s) ** 2 + gaussian.schedule.sigma(s) ** 2) ** 0.5)
    torch.testing.assert_close(ours, c_0 * x + c_t * z + std * noise + length * alpha * g, rtol=0, atol=1e-9)
    torch.testing.assert_close(z0, x)


@pytest.mark.parametrize("sigma_y", [0.0, 0.3])
def test_it_is_the_same_in_the_coordinates_of_an_exploding_schedule(gaussian, sigma_y):
    # z / alpha is as good a latent as z: what it is called must not change a sample.
    schedule = gaussian.schedule
    alpha, sigma = schedule.alpha(torch.arange(1000)), schedule.sigma(torch.arange(1000))
    other = GaussianPrior(gaussian.mean, gaussian.std, NoiseSchedule(torch.ones_like(alpha), sigma / alpha))
    y = torch.full((1, 1, 2, 3), 0.7).double()
    mask = Inpainting(OBSERVED)
    seen = Measurement(mask, Gaussian(sigma_y), y) if sigma_y else Measurement.of(mask, y)
    z, t, s = torch.linspace(-1, 1, 6).double().reshape(1, 1, 1, 2, 3), 700, 400
    ours, _ = PiGDMSampler(10).step(Run(gaussian, seen, 1, seeded(5)), z, t, s)
    theirs, _ = PiGDMSampler(10).step(Run(other, seen, 1, seeded(5)), z / alpha[t], t, s)
    torch.testing.assert_close(theirs * alpha[s], ours, rtol=0, atol=1e-9)


def test_every_entry_may_have_noise_of_its_own(gaussian):
    t, z = 600, torch.linspace(-1, 1, 6).double().reshape(1, 1, 1, 2, 3)
    sigma = torch.tensor([0.2, 0.05, 0.4, 0.1], dtype=torch.float64).reshape(1, 1, 2, 2)
    y = torch.full((1, 1, 2, 2), 0.7).double()
    seen = Measurement(SUMS, Gaussian(sigma), y)
    ours = PiGDMSampler._explained(seen, gaussian.denoise(z, t), gaussian, t)
    A = as_matrix(SUMS, (1, 2, 3), z)[0]
    variance = float(gaussian.schedule.sigma(t)) ** 2  # alpha^2 + sigma^2 = 1
    middle = A @ A.T + (sigma**2 / variance).flatten().diag()
    away = (y - SUMS(gaussian.denoise(z, t))).flatten()
    torch.testing.assert_close(ours.flatten(), A.T @ torch.linalg.solve(middle, away), rtol=0, atol=1e-10)


def test_a_step_costs_a_backward_call_but_the_last(network_prior):
    seen = Measurement.of(Inpainting(torch.rand(2, 1, 8, 8) < 0.5), torch.zeros(2, 1, 8, 8))
    samples = PiGDMSampler(5)(network_prior.conditioned([0, 1]), seen, 3, seeded(0))
    assert samples.calls == {"refinement": 15} and samples.backward == {"refinement": 12}


def test_what_it_cannot_do(gaussian):
    with pytest.raises(ValueError, match="pigdm is for Gaussian noise, or none"):
        PiGDMSampler(4).settle(gaussian, Measurement(Inpainting(OBSERVED), Laplace(1.0), torch.zeros(1, 1, 2, 3)))
    pipe = latent_kl()
    prior = DiffusionPrior.from_components(pipe.unet, pipe.scheduler, vqvae=pipe.vqvae)
    seen = Measurement.of(Inpainting(torch.ones(1, 1, 16, 16, dtype=torch.bool)), torch.zeros(1, 3, 16, 16))
    with pytest.raises(ValueError, match="it is for pixel priors; for latent ones take"):
        PiGDMSampler(4).settle(prior, seen)
