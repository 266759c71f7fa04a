"""Guides by name and corrections of their draws, through the sampler."""

import pytest
import torch

from vipaint_pyro.exact import exact_posterior
from vipaint_pyro.measurements.inpainting import Inpainting
from vipaint_pyro.measurements.measurement import Measurement
from vipaint_pyro.samplers import REDDiffSampler, VIPaintSampler, make_sampler, timesteps_for
from vipaint_pyro.samplers.run import Stop


@pytest.fixture
def seen():
    observed = torch.zeros(2, 1, 2, 3, dtype=torch.bool)
    observed[..., :2] = True
    y = torch.linspace(-0.4, 0.5, 12).double().reshape(2, 1, 2, 3) * observed
    return Measurement.of(Inpainting(observed), y)


def sampler(**settings):
    fast = {"fit_steps": 4, "refinement_steps": 20}
    if "correct" in settings:
        fast["num_particles"] = 300
    return VIPaintSampler(**{**fast, **settings})


@pytest.mark.parametrize("name, levels", [("mixture", 4), ("gaussian", 1), ("mean-field", 4), ("AutoNormal", 4)])
def test_a_guide_by_name(gaussian, seen, name, levels):
    samples = sampler(guide_name=name)(gaussian, seen, 3, torch.Generator().manual_seed(0))
    assert samples.images.shape == (3, 2, 1, 2, 3)
    assert set(samples.levels) == set(timesteps_for(gaussian, levels))


def test_smc_draws_the_exact_posterior(gaussian, seen):
    # A Gaussian prior with its exact kernel and moments: only the number of particles is finite.
    s = sampler(correct="smc", num_particles=6000, measurement_scale=0.2, fit_steps=30)
    samples = s(gaussian, seen, 6000, torch.Generator().manual_seed(0))
    posterior = exact_posterior(gaussian, seen.operator, seen.y, 0.2)
    error = posterior.variance.sqrt()
    assert ((samples.images.mean(0) - posterior.mean).abs() < 0.1 * error).all()
    torch.testing.assert_close(samples.images.var(0), posterior.variance, rtol=0.15, atol=0)
    evidence = torch.tensor(samples.diagnostics["log_evidence"]).double()
    torch.testing.assert_close(evidence, posterior.log_evidence, rtol=0, atol=0.1)


def test_psis_reports_its_weights(gaussian, seen):
    with pytest.warns(RuntimeWarning, match="2 unreliable of 2 .*; .* of 300 particles count"):
        samples = sampler(correct="psis")(gaussian, seen, 4, torch.Generator().manual_seed(0))
    assert set(samples.diagnostics) == {"likelihood", "k_hat", "ess", "log_evidence"}
    assert all(1 <= e <= 300 for e in samples.diagnostics["ess"])
    last = timesteps_for(gaussian, 4)[-1]
    assert samples.diagnostics["likelihood"] == f"Laplace(scale=0.3) at t = {last}"


@pytest.mark.parametrize("correct", ["psis", "smc"])
@pytest.mark.filterwarnings("ignore:importance weights")
def test_a_correction_counts_and_reports_as_it_says(gaussian, seen, correct):
    s, steps = sampler(correct=correct, num_particles=5), []
    samples = s(gaussian, seen, 3, torch.Generator().manual_seed(0), steps.append)
    for phase, number in s.settle(gaussian, seen).phases().items():
        assert [p.step for p in steps if p.phase == phase] == list(range(number))
    assert samples.images.shape == (3, 2, 1, 2, 3) and set(samples.calls) == {"fit", "refinement"}


def test_what_cannot_be_is_said(gaussian, seen):
    with pytest.raises(ValueError, match="no guide is called 'hierarchic'"):
        sampler(guide_name="hierarchic").settle(gaussian, seen)
    with pytest.raises(ValueError, match="correct is one of none, psis, smc"):
        sampler(correct="mcmc").settle(gaussian, seen)
    with pytest.raises(ValueError, match="takes 1 timestep"):
        sampler(guide_name="gaussian", timesteps=(700, 500)).settle(gaussian, seen)
    gaussian._denoised = None  # nothing is computed
    for correct in ("psis", "smc"):
        point = sampler(guide_name="AutoDelta", correct=correct)
        with pytest.raises(ValueError, match="'AutoDelta' is a point: it has no density to weigh its draws with"):
            point(gaussian, seen.part(0, 1), 3)
    with pytest.raises(ValueError, match="^num_particles is of a correction or .*: leave num_particles out"):
        sampler(num_particles=5, refine="dps").settle(gaussian, seen)
    with pytest.raises(ValueError, match="raise num_particles"):
        sampler(correct="smc", num_particles=2)(gaussian, seen, 3)


def test_red_diff_is_the_sampler_of_its_own(gaussian, seen):
    ours = make_sampler("red-diff", num_steps=30, noise_scale=0.5)(gaussian, seen, 5, torch.Generator().manual_seed(3))
    theirs = REDDiffSampler(num_steps=30, noise_scale=0.5)(gaussian, seen, 5, torch.Generator().manual_seed(3))
    torch.testing.assert_close(ours.images, theirs.images)
    with pytest.raises(TypeError, match="unknown setting 'beta' of red-diff-v"):
        make_sampler("red-diff-v", beta=2.0)
    for name in ("red-diff", "red-diff-v"):
        with pytest.raises(ValueError, match=f"'{name}' is a method of its own"):
            sampler(guide_name=name).settle(gaussian, seen)
    with pytest.raises(ValueError, match="nothing to draw from"):
        sampler().from_guide(ours.guide)(gaussian, seen, 5)


@pytest.mark.filterwarnings("ignore:sequential Monte Carlo")  # what is put elsewhere may leave one
def test_a_callback_may_put_the_particles_of_smc_elsewhere(gaussian, seen):
    """Latents that it returns are those that the next step starts from, and at the last step the images."""
    s, starts = sampler(correct="smc", num_particles=6, fit_steps=1, refinement_steps=3), []

    def last(progress):
        return torch.full_like(progress.z, 0.25) if progress.step == 2 else None

    images = s(gaussian, seen, 3, torch.Generator().manual_seed(0), last).images
    assert torch.equal(images, torch.full_like(images, 0.25))

    def stopped(progress):
        return Stop(torch.full_like(progress.z, 0.5)) if progress.step == 1 and progress.z is not None else None

    images = s(gaussian, seen, 3, torch.Generator().manual_seed(0), stopped).images
    assert torch.equal(images, torch.full_like(images, 0.5))

    def other(progress):
        if progress.phase == "refinement":
            starts.append(progress.z)
            return progress.z + 5 if progress.step == 0 else None

    s(gaussian, seen, 3, torch.Generator().manual_seed(0), other)
    moved = starts[1].mean()
    starts.clear()
    s(gaussian, seen, 3, torch.Generator().manual_seed(0), lambda p: p.phase == "refinement" and starts.append(p.z))
    assert moved > starts[1].mean() + 1
    with pytest.raises(ValueError, match="latents in place of others have their shape"):
        s(gaussian, seen, 3, None, lambda p: None if p.z is None else p.z[:2])
