"""Where VIPaint's levels lie on schedules of few times, and how many refinement steps there are below them."""

import pytest
import torch
from diffusers import DDPMScheduler

from tests.conftest import tiny_unet
from vipaint_pyro.measurements.blurs import GaussianBlur, MotionBlur
from vipaint_pyro.measurements.inpainting import Inpainting
from vipaint_pyro.measurements.measurement import Measurement
from vipaint_pyro.priors.diffusion import DiffusionPrior
from vipaint_pyro.priors.schedules import NoiseSchedule
from vipaint_pyro.samplers import DPSSampler, VIPaintSampler, timesteps_for


def short(count, **options):
    scheduler = DDPMScheduler(num_train_timesteps=count, clip_sample=False, **options)
    return DiffusionPrior.from_components(tiny_unet(), scheduler)


def seen():
    observed = torch.ones(1, 1, 8, 8, dtype=torch.bool)
    observed[..., 4:] = False
    return Measurement.of(Inpainting(observed), torch.zeros(1, 1, 8, 8))


@pytest.mark.parametrize("count", [4, 5, 10, 50])
@pytest.mark.parametrize("betas", ["linear", "squaredcos_cap_v2"])
def test_defaults_on_a_short_schedule(count, betas):
    prior = short(count, beta_schedule=betas)
    times = timesteps_for(prior)
    assert len(times) == 4 and list(times) == sorted(set(times), reverse=True) and times[-1] >= 0
    settled = VIPaintSampler(fit_steps=1, num_chains=1).settle(prior, seen())
    assert settled.timesteps == times and settled.refinement_steps == times[-1] + 1
    samples = VIPaintSampler(fit_steps=1, num_chains=1)(prior, seen(), 1, torch.Generator().manual_seed(0))
    assert samples.images.shape == (1, 1, 1, 8, 8) and samples.images.isfinite().all()


def test_times_that_do_not_coincide_stay_where_they_are():
    prior = short(1000)
    nearest = [prior.schedule.time_of_ratio(r) for r in (3.1, 2.0, 1.4, 1.0)]
    assert list(timesteps_for(prior)) == nearest
    assert VIPaintSampler().settle(prior, seen()).refinement_steps == 100


def test_a_schedule_that_cannot_hold_them_is_named():
    with pytest.raises(ValueError, match=r"schedule has 3 times \(num_train_timesteps\), too few for 4 levels: take 2"):
        timesteps_for(short(3))
    with pytest.raises(ValueError, match=r"not 400 \(this prior's schedule has 50 times\): give fewer num_steps"):
        DPSSampler().settle(short(50), seen())
    with pytest.raises(ValueError, match=r"schedule has 50 times\): give fewer refinement_steps"):
        VIPaintSampler(refinement_steps=100).settle(short(50), seen())


@pytest.mark.parametrize("make, words", [
    (lambda: GaussianBlur((1, 8, 8), kernel_size=100_000_001), "kernel_size is at most 2047, but is 100000001"),
    (lambda: MotionBlur((1, 8, 8), length=1e9), "length is a number of pixels below 2047, but is 1e"),
    (lambda: GaussianBlur((1, 8, 10**9)), "each size in image_shape is at most 32768"),
    (lambda: GaussianBlur((1, 8, 8), num_images=10**9), "num_images is at most 1000000"),
    (lambda: NoiseSchedule.rectified_flow(10**9), "num_timesteps is at most 100000, but is 1000000000"),
    (lambda: VIPaintSampler(fit_steps=10**12).settle(short(50), seen()), "fit_steps is at most 1000000"),
    (lambda: VIPaintSampler().check_samples(10**9), "num_samples is at most 1000000, but is 1000000000"),
])  # fmt: skip
def test_absurd_numbers_are_refused_by_a_stated_bound(make, words):
    with pytest.raises(ValueError, match=words):
        make()
