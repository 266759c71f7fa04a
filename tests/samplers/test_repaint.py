"""RePaintSampler against diffusers' RePaintScheduler, on the same network, schedule and noise."""

import pytest
import torch
from diffusers import DDPMScheduler, RePaintScheduler

from tests.conftest import float64_tables, tiny_unet
from tests.priors.pretrained.tiny import latent_kl
from tests.samplers.against.walks import OBSERVED
from tests.samplers.half_seen import seeded
from vipaint_pyro import LinearMap
from vipaint_pyro.measurements.inpainting import Inpainting
from vipaint_pyro.measurements.measurement import Measurement
from vipaint_pyro.priors.codecs import latent_mask
from vipaint_pyro.priors.diffusion import DiffusionPrior
from vipaint_pyro.samplers import RePaintSampler


def theirs(unet, scheduler, y, num_samples, sampler, prior, generator):
    """The walk of our visits by diffusers' two kinds of step."""
    scheduler.set_timesteps(sampler.num_steps)
    mask, shape = OBSERVED.double(), (num_samples, 1, 8, 8)
    z = torch.randn(shape, generator=generator, dtype=torch.float64)
    times = sampler.visits(prior, prior.schedule.last)
    for t, s in zip(times, times[1:]):
        if s < t:
            output = unet(z, torch.full((num_samples,), t)).sample
            # The last step draws noise that it does not use.
            drawn = generator if s >= 0 else seeded(0)
            z = scheduler.step(output, t, z, y, mask, drawn, return_dict=False)[0]
        else:
            # Over a hundred times of the schedule at once: the law of its hundred single steps.
            keep = scheduler.alphas_cumprod[s] / scheduler.alphas_cumprod[t]
            noise = torch.randn(shape, generator=generator, dtype=torch.float64)
            z = keep.sqrt() * z + (1 - keep).sqrt() * noise
    return z


@pytest.mark.parametrize("jump_length, jump_n_sample", [(1, 1), (2, 3)])
def test_the_walk_is_that_of_diffusers(jump_length, jump_n_sample):
    unet = tiny_unet().double()
    scheduler = float64_tables(RePaintScheduler(eta=1.0, clip_sample=False))
    scheduler.final_alpha_cumprod = torch.tensor(1.0, dtype=torch.float64)
    prior = DiffusionPrior.from_components(unet, float64_tables(DDPMScheduler(clip_sample=False)))
    y = torch.where(OBSERVED, torch.linspace(-1, 1, 64).reshape(1, 1, 8, 8).double(), 0)
    sampler = RePaintSampler(10, jump_length=jump_length, jump_n_sample=jump_n_sample)
    with torch.no_grad():
        expected = theirs(unet, scheduler, y, 2, sampler, prior, seeded(3))
    seen = Measurement.of(Inpainting(OBSERVED), y)
    samples = sampler(prior, seen, 2, seeded(3))
    torch.testing.assert_close(samples.images[:, 0], expected, rtol=0, atol=1e-6)
    assert torch.equal(samples.images * OBSERVED, (y * OBSERVED).expand(2, 1, 1, 8, 8))


def test_a_jump_has_the_law_of_diffusers_single_steps():
    # undo_step goes up one time of the schedule after the other: the same factors, multiplied.
    scheduler = float64_tables(RePaintScheduler(clip_sample=False))
    keep = torch.cumprod(1 - scheduler.betas[100:200].double(), 0)[-1]
    torch.testing.assert_close(keep, scheduler.alphas_cumprod[199] / scheduler.alphas_cumprod[99])


def test_calls_of_the_published_schedule(gaussian):
    seen = Measurement.of(Inpainting(torch.tensor([True, False, True]).expand(1, 1, 2, 3)), torch.zeros(1, 1, 2, 3))
    samples = RePaintSampler()(gaussian, seen, 1, seeded(0))
    assert samples.calls == {"refinement": 2410} and samples.backward == {"refinement": 0}


def test_of_a_latent_prior_known_latents_end_as_they_are():
    pipe = latent_kl()
    prior = DiffusionPrior.from_components(pipe.unet.double(), pipe.scheduler, vqvae=pipe.vqvae.double())
    observed = torch.ones(1, 1, 16, 16, dtype=torch.bool)
    observed[..., 5:11, 4:9] = False
    y = torch.where(observed, torch.rand(1, 3, 16, 16).double(), 0)
    told = []
    RePaintSampler(4, jump_length=2, jump_n_sample=2)(
        prior, Measurement.of(Inpainting(observed), y), 2, seeded(1), told.append
    )
    known = latent_mask(observed, 2)
    with torch.no_grad():
        expected = torch.where(known, prior.encode(y), 0).expand_as(told[-1].z)
    torch.testing.assert_close(torch.where(known, told[-1].z, 0), expected, rtol=0, atol=1e-12)


def test_what_it_cannot_do(network_prior):
    half = LinearMap(lambda x: x[..., ::2], (1, 8, 8), dtype=torch.float64)
    with pytest.raises(ValueError, match="for inpainting alone"):
        RePaintSampler(4)(network_prior, Measurement.of(half, torch.zeros(1, 1, 8, 4).double()), 1)
    seen = Measurement.of(Inpainting(OBSERVED), torch.zeros(1, 1, 8, 8))
    with pytest.raises(ValueError, match="steps than num_steps = 4, but is 4: give more num_steps"):
        RePaintSampler(4, jump_length=4)(network_prior.conditioned([1]), seen, 1)
