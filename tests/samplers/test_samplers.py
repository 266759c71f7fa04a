"""Samplers: what they count is what they do; VIPaint's settings, and what None stands for."""

import math
from dataclasses import replace
from importlib.resources import files

import pyro
import pyro.distributions as dist
import pytest
import torch

from tests.priors.pretrained.tiny import latent_kl, pixel
from tests.samplers.counted import Counted
from vipaint_pyro import DiffusionPrior, LinearMap, NoiseSchedule, Nonlinear
from vipaint_pyro.measurements.inpainting import Inpainting
from vipaint_pyro.measurements.likelihoods import Laplace, Noiseless
from vipaint_pyro.measurements.masks import rotated_window
from vipaint_pyro.measurements.measurement import Measurement
from vipaint_pyro.measurements.tasks import make_operator
from vipaint_pyro.priors.counting import count_calls
from vipaint_pyro.samplers import BlendedSampler, DPSSampler, VIPaintSampler, draw, timesteps_for
from vipaint_pyro.samplers.chunk import chunk_for
from vipaint_pyro.samplers.run import Run

ALEX = files("vipaint_pyro") / "assets" / "lpips" / "alexnet.safetensors"


def grey(prior, operator, value=0.0):
    """A measurement of mid-grey, or of another value."""
    y = operator(torch.zeros(operator.num_images, *prior.image_shape, dtype=prior.dtype))
    return Measurement.of(operator, torch.full_like(y, value))


def window(n):
    observed = rotated_window((8, 8), angle=30).expand(n, 1, 8, 8)
    return Measurement.of(Inpainting(observed), torch.rand(n, 1, 8, 8).double() * observed)


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
    samples = sampler(prior, window(2), 3, torch.Generator().manual_seed(0))
    assert 2 * sum(samples.calls.values()) == prior.denoiser.asked


@pytest.mark.battery
@pytest.mark.filterwarnings("ignore:importance weights:RuntimeWarning")
@pytest.mark.parametrize("settings", [{}, {"correct": "psis", "num_particles": 8}, {"correct": "smc",
    "num_particles": 8, "measurement_scale": 0.1}], ids=["none", "psis", "smc"])  # fmt: skip
@pytest.mark.parametrize("name", ["hierarchical", "flow"])
def test_calls_of_a_guide_that_was_fitted_before_are_those_of_the_network(network_prior, settings, name):
    """Those of the guide's own draws too: it asks the prior that it was fitted with."""
    sampler = VIPaintSampler(
        (800, 600, 400), fit_steps=2, num_chains=1, refinement_steps=4, guide_name=name, **settings
    )
    prior = network_prior.conditioned([0, 1])
    seen = window(2)
    fitted = sampler(prior, seen, 3, torch.Generator().manual_seed(0))
    before = dict(fitted.calls)
    other, outer = count_calls(prior)
    other.denoiser = prior.denoiser = Counted(prior.denoiser)
    fitted.guide.model.prior.denoiser = prior.denoiser
    for _ in range(2):
        prior.denoiser.asked = outer.total = 0
        drawn = sampler.from_guide(fitted.guide)(other, seen, 3, torch.Generator().manual_seed(5))
        assert list(drawn.calls) == ["refinement"]
        assert 2 * drawn.calls["refinement"] == prior.denoiser.asked == outer.total
    if not settings:  # of each sample the K - 1 predictions of the guide, and the steps from T_s down
        assert drawn.calls == {"refinement": 3 * (2 + 4)}
    assert fitted.calls == before


def test_levels_are_the_predictions_at_the_guides_draws(network_prior):
    prior, seen = network_prior.conditioned([0]), window(1)
    sampler = VIPaintSampler((800, 400), fit_steps=2, num_chains=1, refinement_steps=4)
    samples = sampler(prior, seen, 3, torch.Generator().manual_seed(0))
    model = sampler.settle(prior, seen).model(prior, seen)
    z = draw(model, samples.guide, 3, torch.Generator().manual_seed(5))
    again = sampler.from_guide(samples.guide)(prior, seen, 3, torch.Generator().manual_seed(5))
    assert list(again.levels) == [800, 400]
    for t in (800, 400):
        torch.testing.assert_close(again.levels[t], prior.denoise(z[t], t))


@pytest.mark.parametrize(
    "task, options, b", [(None, {}, 1), ("super-resolution", {"scale": 4}, 1 / 16), ("deblur", {}, 1)]
)
def test_noise_scale_follows_what_is_measured(network_prior, task, options, b):
    """b = d_y / D, a mask's hidden entries included; one that is given stays."""
    one_channel = Inpainting(rotated_window((8, 8), angle=30)[None])
    operator = one_channel if task is None else make_operator(task, network_prior.image_shape, **options)
    sampler = VIPaintSampler((800, 400), refinement_steps=4)
    prior = network_prior.conditioned([0])
    seen = grey(prior, operator)
    for s, expected in ((sampler, b), (replace(sampler, noise_scale=0.3), 0.3)):
        assert s.settle(prior, seen).model(prior, seen).likelihood.scale == expected


def test_settle_says_what_none_stands_for(network_prior, tmp_path):
    shape = network_prior.image_shape

    def settled(prior, operator, sampler=VIPaintSampler()):
        return sampler.settle(prior, grey(prior, operator))

    half = LinearMap(lambda x: x[..., ::2], shape, dtype=network_prior.dtype)
    s = settled(network_prior, half)
    assert s.timesteps == timesteps_for(network_prior, 4)
    assert (s.noise_scale, s.fraction, s.gradient_checkpointing) == (0.5, math.inf, False)
    assert (s.zeta, s.limit, s.measurement_scale, s.perceptual_weights) == (2.0, True, 0.0, "")
    assert s.guide_name == "hierarchical-guided"
    s = settled(network_prior, half, VIPaintSampler(refine="mmps"))
    assert (s.zeta, s.limit, s.fraction, s.measurement_scale) == (math.inf, False, math.inf, 0.03)
    assert settled(network_prior, half, VIPaintSampler(correct="smc")).measurement_scale == 0.05
    counts = Nonlinear(lambda x: 5 * (x + 1.1), dist.Poisson, shape, dtype=network_prior.dtype)
    s = settled(network_prior, counts)
    assert (s.noise_scale, s.fraction, s.guide_name) == (0.0, 1.0, "hierarchical")
    other = Measurement(half, Laplace(0.1), half(torch.zeros(1, *shape, dtype=network_prior.dtype)))
    assert VIPaintSampler().settle(network_prior, other).guide_name == "hierarchical"  # no sigma to guide by
    given = VIPaintSampler(
        (9, 5), noise_scale=0.3, fraction=0.1, gradient_checkpointing=True, refinement_steps=6,
        measurement_scale=0.2, perceptual_refinement=1.0, perceptual_weights=str(ALEX),
    )  # fmt: skip
    step = {"refine": "dps", "zeta": 2.0, "limit": True, "hidden_pull": 1.0, "sweeps": 0, "sweep_levels": 0}
    named = {"guide_name": "hierarchical-guided", "chunk": chunk_for(shape), "num_particles": 0, "own_cloud": False}
    assert settled(network_prior, half, given) == replace(given, **step, **named, guide_settings={})
    with pytest.raises(ValueError, match="likelihood of its own.*leave noise_scale out"):
        settled(network_prior, counts, VIPaintSampler(noise_scale=0.3))
    latent_kl().save_pretrained(tmp_path)
    latent = DiffusionPrior.from_pretrained(tmp_path)
    s = settled(latent, LinearMap(lambda x: x, latent.image_shape, dtype=torch.float32), VIPaintSampler(refine="dps"))
    assert (s.noise_scale, s.fraction, s.hidden_pull, s.gradient_checkpointing) == (1.0, 0.3, 1.0, True)
    twice = LinearMap(lambda x: torch.cat([x, x], -3), latent.image_shape, dtype=torch.float32)  # of 1,536 entries
    assert settled(latent, twice, VIPaintSampler(refine="dps")).zeta == 2
    masked = Inpainting(torch.ones(1, 1, *latent.image_shape[1:], dtype=torch.bool))
    assert settled(latent, masked).hidden_pull == 1 and settled(latent, masked).guide_name == "hierarchical"
    assert settled(latent, masked, VIPaintSampler(hidden_pull=0.1)).hidden_pull == 0.1
    with pytest.raises(ValueError, match="hidden_pull is of what a mask hides.*: leave it out"):
        settled(network_prior, half, VIPaintSampler(hidden_pull=0.5))


@pytest.mark.parametrize("settings", [{}, {"correct": "smc"}, {"correct": "psis", "chunk": 3}])
def test_settling_a_settled_sampler_changes_nothing(network_prior, settings):
    shape, dtype = network_prior.image_shape, network_prior.dtype
    operators = [LinearMap(lambda x: x[..., ::2], shape, dtype=dtype)]
    if "correct" not in settings or settings["correct"] == "psis":
        operators.append(Nonlinear(lambda x: 5 * (x + 1.1), dist.Poisson, shape, dtype=dtype))
    for operator in operators:
        seen = grey(network_prior, operator)
        once = VIPaintSampler(**settings).settle(network_prior, seen)
        assert once.settle(network_prior, seen) == once
        changed = replace(once, measurement_scale=0.1) if "smc" in settings.values() else replace(once, zeta=1.0)
        assert changed.settle(network_prior, seen) == changed
    for sampler in (DPSSampler(5), BlendedSampler(5)):
        seen = grey(network_prior, Inpainting(torch.ones(1, 1, *shape[1:], dtype=torch.bool)))
        once = sampler.settle(network_prior, seen)
        assert once.settle(network_prior, seen) == once


def test_what_is_settled_on_nothing_suits_no_other_measurement(network_prior):
    shape, dtype = network_prior.image_shape, network_prior.dtype
    half = grey(network_prior, LinearMap(lambda x: x[..., ::2], shape, dtype=dtype))
    with pytest.raises(ValueError, match="noise_scale is a finite number, above 0, but is 0.0"):
        VIPaintSampler(noise_scale=0.0).settle(network_prior, half)
    with pytest.raises(ValueError, match="measurement_scale is a finite number, above 0, for"):
        VIPaintSampler(correct="smc", measurement_scale=0.0).settle(network_prior, half)
    for wrong in ({"noise_scale": 0}, {"noise_scale": -0.1}, {"fraction": -math.inf}, {"measurement_scale": False}):
        with pytest.raises(ValueError, match=f"{next(iter(wrong))} is a finite number, above 0"):
            VIPaintSampler(**wrong).settle(network_prior, half)


def test_it_goes_no_further_than_the_clean_image_and_weighs_latents(gaussian):
    seen = grey(gaussian, Inpainting(torch.ones(1, 1, 2, 3, dtype=torch.bool)))
    assert VIPaintSampler((500, 5), refinement_steps=6).settle(gaussian, seen).refinement_steps == 6
    with pytest.raises(ValueError, match="from T_s = 5 there are at most 6 refinement steps, not 7"):
        VIPaintSampler((500, 5), refinement_steps=7).settle(gaussian, seen)
    pipe = latent_kl()
    latent = DiffusionPrior.from_components(pipe.unet, pipe.scheduler, vqvae=pipe.vqvae)
    seen = grey(latent, Inpainting(torch.ones(1, 1, *latent.image_shape[1:], dtype=torch.bool)))
    assert VIPaintSampler((600, 300), correct="smc").settle(latent, seen).correct == "smc"  # through the decoder


def test_a_likelihood_of_the_measurements_own_is_fitted(gaussian):
    operator, own = Inpainting(torch.ones(1, 1, 2, 3, dtype=torch.bool)), Laplace(0.7)
    seen = Measurement(operator, own, torch.zeros(1, 1, 2, 3).double())
    sampler = VIPaintSampler((500, 5), refinement_steps=6)
    assert sampler.settle(gaussian, seen).model(gaussian, seen).likelihood is own


def test_the_walk_begins_from_noise_as_wide_as_the_schedule_ends(gaussian):
    prior = DiffusionPrior(NoiseSchedule.variance_exploding(10, 0.1, 25.0), gaussian.denoiser, (1, 2, 3))
    seen = grey(prior, Inpainting(torch.ones(2, 1, 2, 3, dtype=torch.bool)))
    z = Run(prior, seen, 2000, torch.Generator().manual_seed(0)).terminal()
    assert z.shape == (2000, 2, 1, 2, 3) and z.std().item() == pytest.approx(25.0, rel=0.02)


def test_the_defaults_of_a_sampler_follow_the_prior():
    sampler = VIPaintSampler(timesteps=(600, 300))
    for pipe, fraction in ((latent_kl(), 0.3), (pixel(), None)):
        prior = DiffusionPrior.from_components(pipe.unet, pipe.scheduler, vqvae=getattr(pipe, "vqvae", None))
        seen = grey(prior, Inpainting(torch.ones(1, 1, *prior.image_shape[1:], dtype=torch.bool)))
        settled = sampler.settle(prior, seen)
        assert settled.model(prior, seen).likelihood.scale == 1
        halved = grey(prior, make_operator("super-resolution", prior.image_shape, scale=2))
        assert sampler.settle(prior, halved).model(prior, halved).likelihood.scale == 1 / 4
        prepared, seen = settled.prepared(prior, seen)
        assert prepared.checkpointing == (fraction is not None) and seen.likelihood == Noiseless()
        chunk = chunk_for(prior.image_shape)
        step = DPSSampler(100, zeta=2.0, limit=True, fraction=fraction, hidden_pull=1.0, chunk=chunk)
        assert settled.refinement() == step
        assert replace(settled, hidden_pull=0.1).refinement() == replace(step, hidden_pull=0.1)


@pytest.mark.battery
@pytest.mark.parametrize("name", ["hierarchical", "flow", "AutoNormal", "AutoIAFNormal"])
def test_where_pyros_parameters_are_local_to_modules_guides_draw_the_same(network_prior, name):
    prior, seen, results = network_prior.conditioned([0]), window(1), []
    sampler = VIPaintSampler((800, 400), fit_steps=2, num_chains=1, refinement_steps=3, guide_name=name)
    for local in (False, True):
        pyro.clear_param_store()
        with pyro.settings.context(module_local_params=local):
            made = sampler(prior, seen, 2, torch.Generator().manual_seed(0))
            again = sampler.from_guide(made.guide)(prior, seen, 2, torch.Generator().manual_seed(5))
            results.append((made.images, again.images))
            assert not local or not list(pyro.get_param_store().keys())
        with pyro.settings.context(module_local_params=not local):
            other = sampler.from_guide(made.guide)(prior, seen, 2, torch.Generator().manual_seed(5))
            assert torch.equal(other.images, again.images)
    pyro.clear_param_store()
    for one, two in zip(*results, strict=True):
        assert torch.equal(one, two)
