"""One problem for our samplers and for others' of the same name, and the noise that both are given."""

import torch

from tests.conftest import tiny_unet
from vipaint_pyro.exact import GaussianPrior
from vipaint_pyro.measurements.inpainting import Inpainting
from vipaint_pyro.measurements.measurement import Measurement
from vipaint_pyro.priors.denoisers import Denoiser
from vipaint_pyro.priors.diffusion import DiffusionPrior
from vipaint_pyro.priors.schedules import CLEAN, NoiseSchedule
from vipaint_pyro.randomness import NoiseStreams

SHAPE = (1, 8, 8)
OBSERVED = (torch.arange(64).reshape(1, 1, 8, 8) % 3) == 0
TRUTH = torch.linspace(-1, 1, 64, dtype=torch.float64).cos().reshape(1, 1, 8, 8)
Y = torch.where(OBSERVED, TRUTH, 0)
SEEN = Measurement.of(Inpainting(OBSERVED), Y)

SIGMA = torch.linspace(0.001, 0.999, 1000, dtype=torch.float64)
SCHEDULES = {
    "preserving": NoiseSchedule.variance_preserving(),
    "exploding": NoiseSchedule.variance_exploding(1000, 0.01, 20.0),
    "flow": NoiseSchedule(1 - SIGMA, SIGMA),  # some signal is left at its end: azula divides by alpha
}


def moments():
    """Mean and covariance of the prior: neighbours are alike."""
    mean = torch.linspace(-0.4, 0.6, 64, dtype=torch.float64)
    away = (torch.arange(64.0, dtype=torch.float64)[:, None] - torch.arange(64.0)).abs()
    return mean, 0.3 * torch.exp(-away / 5) + 0.02 * torch.eye(64, dtype=torch.float64)


def gaussian(schedule="preserving"):
    """A Gaussian prior of full covariance, that takes the steps a network's would."""
    mean, covariance = moments()
    return GaussianPrior(mean.reshape(SHAPE), None, SCHEDULES[schedule], covariance=covariance, kernel="gaussian")


class Network(Denoiser):
    """A tiny network of random weights that predicts noise, of inputs of unit variance."""

    device, dtype = torch.device("cpu"), torch.float64

    def __init__(self, schedule):
        self.schedule, self.unet = schedule, tiny_unet().double().requires_grad_(False)

    def __call__(self, z, t, condition=None):
        alpha, sigma = (f(t).reshape(-1, 1, 1, 1) for f in (self.schedule.alpha, self.schedule.sigma))
        size = (alpha**2 + sigma**2).sqrt()
        noise = self.unet(z / size, t).sample
        return (alpha * z + sigma * size * noise) / size**2


def network(schedule="preserving"):
    """A prior by a :class:`Network`, float64."""
    return DiffusionPrior(SCHEDULES[schedule], Network(SCHEDULES[schedule]), SHAPE)


def draws_of(monkeypatch):
    """The list that every draw of ours is added to."""
    drawn, own = [], NoiseStreams.normal

    def normal(self, shape, dim, like):
        noise = own(self, shape, dim, like)
        drawn.append(noise.squeeze(1))
        return noise

    monkeypatch.setattr(NoiseStreams, "normal", normal)
    return drawn


def given(monkeypatch, noise):
    """Feed others' ``torch.randn_like`` these draws, one after the other; the list is emptied by it."""

    def randn_like(z, **options):
        following = noise.pop(0)
        assert following.shape == z.shape
        return following.to(z.dtype)

    monkeypatch.setattr(torch, "randn_like", randn_like)


def walk(sampler, prior, num_samples, seen=SEEN, seed=3):
    """Of one of our samplers: the times that it visits, and its latents at each, (S, C, H, W)."""
    kept = []

    def keep(progress):
        kept.append(progress.z[:, 0])

    samples = sampler(prior, seen, num_samples, torch.Generator().manual_seed(seed), keep)
    last = prior.schedule.last
    first = prior.schedule.terminal_std * torch.randn(
        num_samples, *SHAPE, generator=torch.Generator().manual_seed(seed), dtype=torch.float64
    )
    assert torch.equal(samples.images[:, 0], kept[-1])
    times = sampler.visits(prior, last)
    assert times[-1] == CLEAN and len(times) == len(kept) + 1
    return times, [first, *kept]
