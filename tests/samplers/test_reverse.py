"""The walk from noise to the image: against diffusers' samplers, and what it tells and refuses."""

import pytest
import torch
from diffusers import DDIMScheduler, DDPMScheduler

from tests.conftest import float64_tables, tiny_unet
from tests.samplers.half_seen import seeded
from vipaint_pyro import LinearMap
from vipaint_pyro.measurements.inpainting import Inpainting
from vipaint_pyro.measurements.measurement import Measurement
from vipaint_pyro.priors.diffusion import DiffusionPrior
from vipaint_pyro.priors.kernels import forward_step
from vipaint_pyro.samplers.blended import BlendedSampler
from vipaint_pyro.samplers.dps import DPSSampler, refine


def everything(n, shape, value=0.0):
    """All of n images seen, in one shade."""
    observed = torch.ones(n, *shape, dtype=torch.bool)
    return Measurement.of(Inpainting(observed), torch.full((n, *shape), value).double())


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction", "sample"])
def test_no_pull_is_the_schedulers_ancestral_sampling(prediction):
    scheduler = float64_tables(
        DDPMScheduler(prediction_type=prediction, clip_sample=False, beta_schedule="scaled_linear")
    )
    unet = tiny_unet().double()
    prior = DiffusionPrior.from_components(unet, scheduler)
    z = torch.randn(3, 1, 8, 8, generator=seeded(1), dtype=torch.float64)
    times = prior.times(600, -1, 6)[:-1]
    scheduler.set_timesteps(timesteps=times)
    own, generator = z, seeded(2)
    with torch.no_grad():
        for t in times:
            own = scheduler.step(unet(own, t).sample, t, own, generator=generator).prev_sample
    ours = refine(prior, everything(3, (1, 8, 8)), z[None], 600, DPSSampler(6, zeta=0.0), generator=seeded(2))[0]
    torch.testing.assert_close(ours, own, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("eta", [0.0, 0.6])
def test_no_pull_is_the_schedulers_ddim(eta):
    scheduler = float64_tables(DDIMScheduler(clip_sample=False))
    unet = tiny_unet().double()
    prior = DiffusionPrior.from_components(unet, scheduler)
    z = torch.randn(2, 1, 8, 8, generator=seeded(1), dtype=torch.float64)
    scheduler.set_timesteps(10)  # 900, 800 ... 0
    own, generator = z, seeded(2)
    with torch.no_grad():
        for t in scheduler.timesteps[3:].tolist():
            own = scheduler.step(unet(own, t).sample, t, own, eta=eta, generator=generator).prev_sample
    prior.times = lambda start, stop, steps: [600, 500, 400, 300, 200, 100, 0, -1]
    ours = refine(prior, everything(2, (1, 8, 8)), z[None], 600, DPSSampler(7, eta, zeta=0.0), generator=seeded(2))[0]
    torch.testing.assert_close(ours, own, rtol=1e-6, atol=1e-8)


def test_a_time_above_the_last_is_travelled_back_to(network_prior):
    class ThereAndBack(DPSSampler):
        def visits(self, prior, start):
            return [300, 100, 200, -1]

    prior, z = network_prior.conditioned([1]), torch.randn(2, 1, 1, 8, 8, generator=seeded(1)).double()
    x = refine(prior, everything(1, (1, 8, 8)), z, 300, ThereAndBack(zeta=0.0, eta=0.0), generator=seeded(2))
    noise = seeded(2)
    torch.randn(z.shape, generator=noise, dtype=z.dtype)  # that of the first step, whose deviation is 0
    with torch.no_grad():
        low, _ = prior.reverse(z, 300, 100, 0.0)
        a, v = forward_step(prior.schedule, 100, 200)
        again = float(a) * low + float(v.sqrt()) * torch.randn(z.shape, generator=noise, dtype=z.dtype)
        torch.testing.assert_close(x, prior.denoise(again, 200), rtol=1e-9, atol=1e-11)


def test_the_last_step_is_the_prediction_itself(gaussian):
    z = torch.randn(1, 1, 1, 2, 3).double()
    x = refine(gaussian, everything(1, (1, 2, 3), 1.0), z, 5, DPSSampler(1, zeta=9.0))
    torch.testing.assert_close(x, gaussian.denoise(z, 5))


def test_on_step_may_replace_z(gaussian):
    seen = []

    def last_to_zero(progress):
        seen.append((progress.phase, progress.step, progress.t))
        return torch.zeros_like(progress.z) if progress.step == 4 else None

    z = torch.randn(1, 1, 1, 2, 3).double()
    x = refine(gaussian, everything(1, (1, 2, 3)), z, 499, DPSSampler(5), on_step=last_to_zero)
    assert seen == [("refinement", i, t) for i, t in enumerate((499, 399, 299, 199, 99))] and not x.any()


@pytest.mark.parametrize("step, time", [(0, 300), (2, 180)])
def test_not_finite_names_step_and_time(gaussian, step, time):
    z, predict = torch.randn(1, 1, 1, 2, 3).double(), gaussian._denoised
    gaussian._denoised = lambda z, t: predict(z, t) * (float("nan") if t <= time else 1)
    with pytest.raises(FloatingPointError, match=rf"refinement step {step} \(time {time}\); lower the step size zeta"):
        refine(gaussian, everything(1, (1, 2, 3)), z, 300, DPSSampler(5))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_one_entry_that_is_not_finite_is_enough(gaussian, value):
    factor = torch.ones(1, 2, 3).double()
    factor[0, 1, 1] = value
    predict = gaussian._denoised
    gaussian._denoised = lambda z, t: predict(z, t) * factor
    with pytest.raises(FloatingPointError, match=r"not finite at refinement step 0 \(time 300\)"):
        refine(gaussian, everything(1, (1, 2, 3)), torch.randn(1, 1, 1, 2, 3).double(), 300, DPSSampler(5, zeta=0.0))


def test_a_step_that_leaves_the_numbers_is_named_itself(gaussian, monkeypatch):
    # Finite predictions, and a pull without bound: what the prior is asked next would say another time.
    pull = DPSSampler.pull
    monkeypatch.setattr(DPSSampler, "pull", lambda self, z, *more: pull(self, z, *more) * torch.inf)
    with pytest.raises(FloatingPointError, match=r"^a sample is not finite at refinement step 0 \(time 300\)"):
        refine(gaussian, everything(1, (1, 2, 3)), torch.randn(1, 1, 1, 2, 3).double(), 300, DPSSampler(5))


@pytest.mark.parametrize(
    "y, words",
    [
        (torch.zeros(1, 1, 4, 6), "shape of what is observed"),
        (torch.zeros(2, 1, 2, 3), "2 images, but 1"),
        (torch.full((1, 1, 2, 3), float("nan")), "not finite"),
    ],
)
def test_y_that_was_not_measured(y, words):
    operator = Inpainting(torch.ones(1, 1, 2, 3, dtype=torch.bool))
    with pytest.raises(ValueError, match=words):
        Measurement.of(operator, y.double())


@pytest.mark.parametrize(
    "settings, start, words",
    [
        ({"num_steps": 0}, 300, "num_steps is a whole number of at least 1"),
        ({}, 1000, "must lie in"),
        ({"num_steps": 302}, 300, "at most 301 steps to the clean image, not 302"),
        ({"zeta": float("inf")}, 300, "zeta is a finite number"),
        ({"eta": 1.5}, 300, "eta is a finite number, at least 0 and at most 1"),
        ({"perceptual_refinement": 1.0, "perceptual_weights": "/nowhere/lpips"}, 300, "/nowhere/lpips"),
    ],
)
def test_options_that_cannot_be(gaussian, settings, start, words):
    seen, z = everything(1, (1, 2, 3)), torch.zeros(1, 1, 1, 2, 3).double()
    gaussian._denoised = None  # nothing is computed
    with pytest.raises((ValueError, FileNotFoundError), match=words):
        refine(gaussian, seen, z, start, DPSSampler(**{"num_steps": 5, **settings}))


def test_refine_takes_a_measurement_that_its_sampler_is_for(gaussian):
    z, half = torch.zeros(1, 1, 1, 2, 3).double(), LinearMap(lambda x: x[..., 1:], (1, 2, 3), dtype=torch.float64)
    gaussian._denoised = None
    with pytest.raises(TypeError, match="measurement is a .*Measurement, not Inpainting"):
        refine(gaussian, everything(1, (1, 2, 3)).operator, z, 300)
    with pytest.raises(ValueError, match=r"z has shape \(\*, 2, 1, 2, 3\), but came with \(1, 1, 1, 2, 3\)"):
        refine(gaussian, everything(2, (1, 2, 3)), z, 300)
    with pytest.raises(ValueError, match="for inpainting alone"):
        refine(gaussian, Measurement.of(half, torch.zeros(1, 1, 2, 2).double()), z, 300, BlendedSampler(5))
    with pytest.raises(ValueError, match=r"images of shape \(1, 4, 3\), but those of this prior have \(1, 2, 3\)"):
        refine(gaussian, everything(1, (1, 4, 3)), z, 300)


@pytest.mark.parametrize(
    "changed, error, words",
    [
        ({"sampler": "dps"}, TypeError, "walks down the noise levels"),
        ({"z": [0.0]}, TypeError, "z is a tensor and start a whole time, not list and 20"),
        ({"start": 20.5}, TypeError, "not Tensor and 20.5"),
        ({"start": "20"}, TypeError, "not Tensor and '20'"),
        ({"z": torch.full((1, 1, 1, 2, 3), float("nan"))}, ValueError, "z holds values that are not finite"),
    ],
)
def test_what_refine_cannot_take_is_said_at_once(gaussian, changed, error, words):
    operator = Inpainting(torch.ones(1, 1, 2, 3, dtype=torch.bool))
    seen = Measurement.of(operator, torch.zeros(1, 1, 2, 3, dtype=torch.float64))
    given = {"z": torch.zeros(1, 1, 1, 2, 3), "start": 20, "sampler": DPSSampler(5), **changed}
    with pytest.raises(error, match=words):
        refine(gaussian, seen, **given)
