"""Errors of a call in the words that were written; what a method would not look at."""

import numpy as np
import pytest
import torch
from diffusers import DDPMScheduler

from tests.conftest import tiny_unet
from tests.pipelines.test_vipaint import picture, quiet, run
from vipaint_pyro.exact import exact_posterior
from vipaint_pyro.measurements import Inpainting, Measurement
from vipaint_pyro.measurements.moment_matched import MomentMatched
from vipaint_pyro.pipelines.vipaint import VIPaintPipeline
from vipaint_pyro.samplers import DPSSampler, VIPaintSampler
from vipaint_pyro.samplers.red_diff import REDDiffSampler


@pytest.fixture
def pipe():
    return quiet(VIPaintPipeline(tiny_unet(), DDPMScheduler(clip_sample=False)))


WORDS = [
    ({"method": "dps", "num_inference_steps": 0}, ValueError, "^num_inference_steps is a whole number"),
    ({"method": "dps", "num_inference_steps": 2.5}, ValueError, "^num_inference_steps is a whole number"),
    ({"method": "red-diff", "num_inference_steps": 5000}, ValueError, "^num_inference_steps lies in 1 ... 1000"),
    ({"method": "dps", "num_steps": 0}, ValueError, "^num_steps is a whole number"),
    ({"num_inference_steps": 0}, ValueError, "^num_inference_steps is a whole number"),
    ({"refinement_steps": 0}, ValueError, "^refinement_steps is a whole number"),
    ({"method": VIPaintSampler()}, TypeError, "method is a name, one of vipaint, .* or call a sampler itself"),
    ({"method": 5}, TypeError, "method is a name"),
    ({"num_image_samples": 3}, TypeError, "'num_image_samples' of vipaint. Did you mean 'num_samples'"),
    ({"maskimage": 3}, TypeError, "Did you mean 'mask_image'"),
    ({"levels": 3}, TypeError, r"timesteps=timesteps_for\(pipe.prior, levels, T_e, T_s\)"),
    ({"method": "dps", "measurement_scale": 0.1}, ValueError, "^measurement_scale .* give limit=True or a fraction"),
    ({"limit": False, "measurement_scale": 0.1}, ValueError, "^measurement_scale .* leave limit on"),
    ({"method": "dps", "guide": "mixture"}, TypeError, "^the method 'dps' fits no guide: leave guide out"),
    ({"guide": "mixture", "loss": "mean-field"}, ValueError, "^a MixtureGuide chooses among .*loss='trace'"),
    ({"correct": "smc", "zeta": 3.0}, ValueError, "^zeta is of a DPS step, and correct='smc' makes steps of its own"),
    ({"correct": "smc", "hidden_pull": 0.5}, ValueError, "^hidden_pull is of a DPS step, and correct='smc'"),
]


@pytest.mark.parametrize("options, error, words", WORDS)
def test_what_was_written_is_named(pipe, options, error, words):
    mask = np.zeros((8, 8), np.uint8)
    mask[:3] = 255
    with pytest.raises(error, match=words):
        pipe(picture(), mask, **options)


@pytest.mark.parametrize("channels", [2, 5])
def test_pictures_that_pil_cannot_show_are_refused_before_the_fit(channels):
    pipe = quiet(VIPaintPipeline(tiny_unet(channels), DDPMScheduler(clip_sample=False)))
    image = torch.rand(channels, 8, 8)
    assert run(pipe, image, output_type="np").images.shape == (2, 8, 8, channels)
    pipe.unet.forward = None
    with pytest.raises(ValueError, match=f"those of this prior have {channels}: give output_type='np' or 'pt'"):
        run(pipe, image, output_type="pil")


def test_red_diff_looks_at_a_noise_scale_or_refuses_it(network_prior):
    operator, y = Inpainting(torch.ones(1, 1, 8, 8) > 0), torch.zeros(1, 1, 8, 8)
    seen = Measurement(operator, MomentMatched(0.1), y)
    with pytest.raises(ValueError, match="leave noise_scale out"):
        REDDiffSampler(noise_scale=0.5).settle(network_prior, seen)
    assert REDDiffSampler().settle(network_prior, seen)


@pytest.mark.parametrize("count", [0, -1, 2.5, True])
def test_no_draws_of_an_exact_posterior_are_none(gaussian, count):
    operator = Inpainting(torch.ones(1, 1, 2, 3) > 0)
    posterior = exact_posterior(gaussian, operator, torch.zeros(1, 1, 2, 3).double(), 0.1)
    with pytest.raises(ValueError, match="num_samples is a whole number of at least 1"):
        posterior.sample(count)
    assert posterior.sample(1).shape == (1, 1, 1, 2, 3)


def test_bounded_steps_look_at_the_noise(network_prior):
    seen = Measurement.of(Inpainting(torch.ones(1, 1, 8, 8) > 0), torch.zeros(1, 1, 8, 8))
    for bound in ({"limit": True}, {"fraction": 0.5}):
        DPSSampler(4, measurement_scale=0.1, **bound).settle(network_prior, seen)


def test_what_a_fitted_guide_was_fitted_by_is_not_asked_again(pipe):
    guide = run(pipe).guide
    settings = {
        "fit_steps": 3, "fit_patience": 2, "num_chains": 3, "num_levels": 3, "loss": "mean-field", "beta": 2.0,
        "noise_scale": 0.1, "perceptual": 1.0,
    }  # fmt: skip
    again = {"num_inference_steps": 3, "num_samples": 2, "output_type": "pt", "guide": guide}
    image, generator = picture(), torch.Generator()
    for name, value in settings.items():
        with pytest.raises(ValueError, match=f"^{name}: it is of a guide .* and this one was fitted by"):
            pipe(image, mask_image=torch.ones(8, 8), generator=generator, **again, **{name: value})
    same = run(pipe, **again, fit_steps=2, num_chains=2, num_levels=2).images  # the same call once more
    assert torch.equal(same, run(pipe, **again).images)
    with pytest.raises(ValueError, match="^fit_callback is called after each step of a fit, and this guide was fitted"):
        pipe(image, mask_image=torch.ones(8, 8), generator=generator, **again, fit_callback=print)
