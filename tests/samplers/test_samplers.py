"""Samplers: what they count is what they do."""

from dataclasses import replace

import pytest
import torch

from vipaint_pyro.measurements.inpainting import Inpainting
from vipaint_pyro.measurements.masks import rotated_window
from vipaint_pyro.measurements.tasks import make_operator
from vipaint_pyro.samplers import DPSSampler, VIPaintSampler


class Counted:
    """A denoiser that counts the z it is asked about."""

    def __init__(self, denoiser):
        self.denoiser, self.asked = denoiser, 0
        self.device, self.dtype = denoiser.device, denoiser.dtype

    def __call__(self, z, t, class_labels=None):
        self.asked += len(z)
        return self.denoiser(z, t, class_labels)


@pytest.mark.parametrize(
    "sampler",
    [
        VIPaintSampler((800, 600, 400), fit_steps=3, num_chains=2, num_levels=3, refinement_steps=5),
        VIPaintSampler((999, 400), fit_steps=2, num_chains=1, refinement_steps=4, loss="mean-field"),
        DPSSampler(num_steps=7),
    ],
)
def test_calls_are_those_of_the_network(network_prior, sampler):
    prior = network_prior.conditioned([0, 1])
    prior.denoiser = Counted(prior.denoiser)
    observed = rotated_window((8, 8), angle=30).expand(2, 1, 8, 8)
    y = torch.rand(2, 1, 8, 8).double() * observed
    samples = sampler(prior, Inpainting(observed), y, 3, torch.Generator().manual_seed(0))
    assert 2 * sum(samples.calls.values()) == prior.denoiser.asked


def test_levels_are_the_predictions_at_the_guides_draws(network_prior):
    prior = network_prior.conditioned([0])
    observed = rotated_window((8, 8), angle=30)[None]
    y = torch.rand(1, 1, 8, 8).double() * observed
    sampler = VIPaintSampler((800, 400), fit_steps=2, num_chains=1, refinement_steps=4)
    samples = sampler(prior, Inpainting(observed), y, 3, torch.Generator().manual_seed(0))

    from vipaint_pyro.samplers import draw

    z = draw(sampler.model(prior, Inpainting(observed)), samples.guide, 3, torch.Generator().manual_seed(5))
    again = sampler(
        prior, Inpainting(observed), y, 3, torch.Generator().manual_seed(5), guide=samples.guide
    )
    assert list(again.levels) == [800, 400]
    for t in (800, 400):
        torch.testing.assert_close(again.levels[t], prior.denoise(z[t], t))


@pytest.mark.parametrize("task, options, b", [(None, {}, 1), ("super-resolution", {"scale": 4}, 1 / 16), ("deblur", {}, 1)])
def test_noise_scale_follows_what_is_measured(network_prior, task, options, b):
    """b = d_y / D, a mask's hidden entries included; one that is given stays."""
    one_channel = Inpainting(rotated_window((8, 8), angle=30)[None])
    operator = one_channel if task is None else make_operator(task, network_prior.image_shape, **options)
    sampler = VIPaintSampler((800, 400), refinement_steps=4)
    prior = network_prior.conditioned([0])
    assert sampler.model(prior, operator).likelihood.scale == b
    assert replace(sampler, noise_scale=0.3).model(prior, operator).likelihood.scale == 0.3


def test_resolved_says_what_none_stands_for(network_prior, tmp_path):
    import pyro.distributions as dist

    from tests.priors.pretrained.tiny import latent_kl
    from vipaint_pyro import DiffusionPrior, LinearMap, Nonlinear
    from vipaint_pyro.samplers import timesteps_for

    shape = network_prior.image_shape
    half = LinearMap(lambda x: x[..., ::2], shape, dtype=network_prior.dtype)
    settled = VIPaintSampler().resolved(network_prior, half)
    assert settled.timesteps == timesteps_for(network_prior, 4)
    assert (settled.noise_scale, settled.fraction, settled.gradient_checkpointing) == (0.5, None, False)
    counts = Nonlinear(lambda x: 5 * (x + 1.1), dist.Poisson, shape, dtype=network_prior.dtype)
    settled = VIPaintSampler().resolved(network_prior, counts)
    assert (settled.noise_scale, settled.fraction) == (None, 1.0)
    given = VIPaintSampler((9, 5), noise_scale=0.3, fraction=0.1, gradient_checkpointing=True)
    assert given.resolved(network_prior, half) == given
    with pytest.raises(ValueError, match="likelihood of its own.*leave noise_scale out"):
        VIPaintSampler(noise_scale=0.3).model(network_prior, counts)
    latent_kl().save_pretrained(tmp_path)
    latent = DiffusionPrior.from_pretrained(tmp_path)
    settled = VIPaintSampler().resolved(latent, LinearMap(lambda x: x, latent.image_shape, dtype=torch.float32))
    assert (settled.noise_scale, settled.fraction, settled.gradient_checkpointing) == (1.0, 0.3, True)
    restarts = VIPaintSampler(guide_name="red-diff").resolved(network_prior, half)
    assert restarts.timesteps is None and restarts.noise_scale == 1.0
