"""BlendedSampler: against a replay by hand, and against the law that its walk has where nothing is seen."""

import pytest
import torch

from tests.conftest import standard_error
from tests.priors.pretrained.tiny import latent_kl
from tests.samplers.half_seen import OBSERVED
from vipaint_pyro import LinearMap
from vipaint_pyro.measurements.inpainting import Inpainting
from vipaint_pyro.measurements.measurement import Measurement
from vipaint_pyro.priors.codecs import latent_mask
from vipaint_pyro.priors.diffusion import DiffusionPrior
from vipaint_pyro.priors.kernels import reverse_step
from vipaint_pyro.samplers import BlendedSampler


def seeded(*seeds):
    return [torch.Generator().manual_seed(s) for s in seeds]


def masked(observed, value=0.8):
    return Measurement.of(Inpainting(observed), torch.where(observed, value, 0.0).double())


def replay(prior, known, y, num_samples, num_steps, eta, generator):
    """The walk written out, with every z that the denoiser is asked for."""
    like, times, asked = {"generator": generator, "dtype": y.dtype}, prior.times(prior.schedule.last, -1, num_steps), []
    z = prior.schedule.terminal_std * torch.randn(num_samples, len(y), *prior.latent_shape, **like)
    for t, s in zip(times, times[1:]):
        alpha, sigma = float(prior.schedule.alpha(t)), float(prior.schedule.sigma(t))
        noised = alpha * y + sigma * torch.randn(z.shape, **like)
        z = torch.where(known, noised, z)
        asked.append(z)
        c_0, c_t, std = (float(c) for c in reverse_step(prior.schedule, t, s, eta))
        z = c_0 * prior.denoise(z, t) + c_t * z
        z = z + std * torch.randn(z.shape, **like) if std else z
    return z, asked


def spied(prior):
    """What a prior is asked for, as a list that grows."""
    asked, predict = [], prior._denoised
    prior._denoised = lambda z, t: asked.append(z) or predict(z, t)
    return asked


@pytest.mark.parametrize("eta", [0.0, 1.0])
def test_known_pixels_are_the_noised_observation_at_every_step(network_prior, eta):
    prior = network_prior.conditioned([1])
    seen = masked((torch.arange(64).reshape(1, 1, 8, 8) % 3) == 0)
    with torch.no_grad():
        x, steps = replay(prior, seen.operator.observed, seen.y, 2, 3, eta, *seeded(4))
    asked, told = spied(prior), []
    samples = BlendedSampler(3, eta)(prior, seen, 2, *seeded(4), told.append)
    torch.testing.assert_close(samples.images, x, rtol=0, atol=1e-12)
    assert [p.t for p in told] == prior.times(999, -1, 3)[:-1] and len(asked) == len(steps) == 3
    for ours, theirs in zip(asked, steps):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-12)


def linear_law(prior, num_steps, eta):
    """Mean and variance of every pixel after the walk: of independent Gaussians a linear chain."""
    times = prior.times(prior.schedule.last, -1, num_steps)
    zero, one = torch.zeros_like(prior.mean), torch.ones_like(prior.mean)
    mean, variance = zero, one * prior.schedule.terminal_std**2
    for t, s in zip(times, times[1:]):
        c_0, c_t, std = (float(c) for c in reverse_step(prior.schedule, t, s, eta))
        at_0, at_1 = prior.denoise(torch.stack([zero, one]), t)
        slope = c_0 * (at_1 - at_0) + c_t
        mean, variance = c_0 * at_0 + slope * mean, slope**2 * variance + std**2
    return mean, variance


def agrees(x, mean, variance):
    """Whether draws (S, ...) have these moments, up to 4.5 standard errors."""
    away = x - mean
    return all((v.mean(0).abs() < 4.5 * standard_error(v)).all() for v in (away, away**2 - variance))


@pytest.mark.parametrize("num_steps, draws", [(12, 40_000), (600, 2000)])
def test_hidden_pixels_have_the_priors_own_law(gaussian, num_steps, draws):
    # Independent pixels hear nothing of their neighbours: what is seen must not touch them.
    hidden = ~OBSERVED[0]
    x = BlendedSampler(num_steps, 1.0)(gaussian, masked(OBSERVED), draws, *seeded(0)).images[:, 0]
    mean, variance = linear_law(gaussian, num_steps, 1.0)
    assert agrees(x[:, hidden], mean[hidden], variance[hidden])
    # With many steps the walk's law is that of the prior.
    if num_steps == 600:
        torch.testing.assert_close(mean, gaussian.mean, rtol=0, atol=0.01)
        torch.testing.assert_close(variance, gaussian.std**2, rtol=0.03, atol=0)
        assert agrees(x[:, hidden], gaussian.mean[hidden], gaussian.std[hidden] ** 2)


def test_of_a_latent_prior_latents_that_known_pixels_decide_are_replaced():
    pipe = latent_kl()
    prior = DiffusionPrior.from_components(pipe.unet.double(), pipe.scheduler, vqvae=pipe.vqvae.double())
    observed = torch.ones(1, 1, 16, 16, dtype=torch.bool)
    observed[..., 5:11, 4:9] = False
    y = torch.where(observed, torch.rand(1, 3, 16, 16).double(), 0)
    known = latent_mask(observed, 2)
    assert known.shape == (1, 1, 8, 8) and known.sum() == 64 - 4 * 3
    with torch.no_grad():
        z, _ = replay(prior, known, prior.encode(y), 2, 3, 0.0, *seeded(4))
        x = prior.decode(z)
    samples = BlendedSampler(3)(prior, Measurement.of(Inpainting(observed), y), 2, *seeded(4))
    torch.testing.assert_close(samples.images, x, rtol=0, atol=1e-12)


def test_a_step_costs_one_call_and_no_backward(network_prior):
    seen = masked(torch.rand(2, 1, 8, 8) < 0.5)
    prior = network_prior.conditioned([0, 2])
    asked = spied(prior)
    samples = BlendedSampler(5)(prior, seen, 3)
    assert samples.calls == {"refinement": 3 * 5} and samples.backward == {"refinement": 0}
    assert sum(z.shape[:-3].numel() for z in asked) == 2 * 3 * 5


@pytest.mark.parametrize("eta", [0.0, 1.0])
def test_images_do_not_see_their_neighbours(network_prior, eta):
    observed = torch.rand(3, 1, 8, 8) < 0.5
    sampler, labels = BlendedSampler(4, eta), [0, 3, 1]
    together = sampler(network_prior.conditioned(labels), masked(observed), 2, seeded(5, 6, 7)).images
    for i in range(3):
        seen = masked(observed).part(i, i + 1)
        alone = sampler(network_prior.conditioned(labels[i]), seen, 2, seeded(5 + i)).images
        torch.testing.assert_close(together[:, i : i + 1], alone, rtol=0, atol=1e-10)


def test_only_a_mask_can_be_blended(network_prior):
    asked = spied(network_prior)
    half = LinearMap(lambda x: x[..., ::2], (1, 8, 8), dtype=torch.float64)
    with pytest.raises(ValueError, match="for inpainting alone"):
        BlendedSampler(3)(network_prior, Measurement.of(half, torch.zeros(1, 1, 8, 4).double()), 1)
    assert not asked
