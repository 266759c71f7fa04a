"""Guides by name and corrections of their draws, through the sampler."""

import pytest
import torch

from vipaint_pyro.measurements.inpainting import Inpainting
from vipaint_pyro.samplers import VIPaintSampler, timesteps_for


def problem(gaussian):
    observed = torch.zeros(2, 1, 2, 3, dtype=torch.bool)
    observed[..., :2] = True
    y = torch.linspace(-0.4, 0.5, 12).double().reshape(2, 1, 2, 3) * observed
    return Inpainting(observed), y


def sampler(**settings):
    fast = {"fit_steps": 4, "refinement_steps": 20, "num_particles": 300}
    return VIPaintSampler(**{**fast, **settings})


@pytest.mark.parametrize("name, levels", [("mixture", 4), ("gaussian", 1), ("mean-field", 4), ("AutoNormal", 4)])
def test_a_guide_by_name(gaussian, name, levels):
    operator, y = problem(gaussian)
    samples = sampler(guide_name=name)(gaussian, operator, y, 3, torch.Generator().manual_seed(0))
    assert samples.images.shape == (3, 2, 1, 2, 3)
    assert set(samples.levels) == set(timesteps_for(gaussian, levels))


def test_smc_draws_the_exact_posterior(gaussian):
    # A Gaussian prior with its exact kernel and moments: only the number of particles is finite.
    operator, y = problem(gaussian)
    s = sampler(correct="smc", num_particles=6000, measurement_scale=0.2, fit_steps=30)
    samples = s(gaussian, operator, y, 6000, torch.Generator().manual_seed(0))
    from vipaint_pyro.exact import exact_posterior

    posterior = exact_posterior(gaussian, operator, y, 0.2)
    error = posterior.variance.sqrt()
    assert ((samples.images.mean(0) - posterior.mean).abs() < 0.1 * error).all()
    torch.testing.assert_close(samples.images.var(0), posterior.variance, rtol=0.15, atol=0)
    evidence = torch.tensor(samples.diagnostics["log_evidence"]).double()
    torch.testing.assert_close(evidence, posterior.log_evidence, rtol=0, atol=0.1)


def test_psis_reports_its_weights(gaussian):
    operator, y = problem(gaussian)
    with pytest.warns(RuntimeWarning, match="2 unreliable of 2 .*; .* of 300 particles count"):
        samples = sampler(correct="psis")(gaussian, operator, y, 4, torch.Generator().manual_seed(0))
    assert set(samples.diagnostics) == {"k_hat", "ess", "log_evidence"}
    assert all(1 <= e <= 300 for e in samples.diagnostics["ess"])


def test_what_cannot_be_is_said(gaussian):
    operator, y = problem(gaussian)
    with pytest.raises(ValueError, match="no guide is called 'hierarchic'"):
        sampler(guide_name="hierarchic").model(gaussian, operator)
    with pytest.raises(ValueError, match="correct is one of none, psis, smc"):
        sampler(correct="mcmc").model(gaussian, operator)
    with pytest.raises(ValueError, match="takes 1 timestep"):
        sampler(guide_name="gaussian", timesteps=(700, 500)).model(gaussian, operator)
    with pytest.raises(ValueError, match="raise num_particles"):
        sampler(correct="smc", num_particles=2)(gaussian, operator, y, 3)


def test_red_diff_is_the_sampler_of_its_own(gaussian):
    from vipaint_pyro.samplers import REDDiffSampler

    operator, y = problem(gaussian)
    s = VIPaintSampler(guide_name="red-diff", fit_steps=30, noise_scale=0.5)
    ours = s(gaussian, operator, y, 5, torch.Generator().manual_seed(3))
    theirs = REDDiffSampler(num_steps=30, noise_scale=0.5)(gaussian, operator, y, 5, torch.Generator().manual_seed(3))
    torch.testing.assert_close(ours.images, theirs.images)
    with pytest.raises(ValueError, match="'red-diff-v' has no beta"):
        VIPaintSampler(guide_name="red-diff-v", beta=2.0).model(gaussian, operator)
    with pytest.raises(ValueError, match="nothing to draw from"):
        s(gaussian, operator, y, 5, guide=ours.guide)
