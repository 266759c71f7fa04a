"""Which of the weighed particles VIPaint's sampler gives, and what it hands to the run."""

import warnings

import pytest
import torch

from vipaint_pyro.exact import exact_posterior
from vipaint_pyro.inference.particles import Particles
from vipaint_pyro.measurements.inpainting import Inpainting
from vipaint_pyro.measurements.likelihoods import Gaussian
from vipaint_pyro.measurements.measurement import Measurement
from vipaint_pyro.samplers import VIPaintSampler
from vipaint_pyro.samplers.run import Stop
from vipaint_pyro.samplers.vipaint import sampler as module

OBSERVED = torch.tensor([[True, True, False], [False, True, False]]).reshape(1, 1, 2, 3)
Y = torch.tensor([[0.9, -0.8, 0.0], [0.0, 0.1, 0.0]]).double().reshape(1, 1, 2, 3)


def drawn(gaussian, monkeypatch, measurement, num_particles, num_samples, size=None, ancestors=2, **settings):
    """The numbers of the particles that were given, and what the run of particles was asked for.

    ``ancestors`` are those of each cloud, or a list of them, cloud by cloud.
    """
    asked = {}

    def numbered(model, guide, seen, smc, *, generator, callback):
        asked.update(model=model, seen=seen, smc=smc)
        images = torch.arange(size or num_particles).double()[:, None, None, None, None].expand(-1, 1, 1, 2, 3)
        ones = torch.ones(1, 1)
        left = ancestors.pop(0) if isinstance(ancestors, list) else ancestors
        return Particles(images, torch.zeros(1), 1.5 * left * ones, ones.bool(), torch.tensor([left]))

    monkeypatch.setattr("vipaint_pyro.samplers.vipaint.weighed.run_smc", numbered)
    num_particles = num_particles if size is None else size * num_samples
    s = VIPaintSampler(
        (500, 100), fit_steps=1, refinement_steps=9, correct="smc", num_particles=num_particles, **settings
    )
    samples = s(gaussian, measurement, num_samples, torch.Generator().manual_seed(0))
    asked["diagnostics"] = samples.diagnostics
    return samples.images[:, 0, 0, 0, 0].tolist(), asked


def test_one_ancestor_that_is_left_is_said(gaussian, monkeypatch):
    seen = Measurement(Inpainting(OBSERVED), Gaussian(0.3), Y)
    with pytest.warns(RuntimeWarning, match="all 10 particles go back to one draw of the guide; 1.5 of them counted"):
        _, asked = drawn(gaussian, monkeypatch, seen, 10, 4, ancestors=1)
    assert asked["diagnostics"] == {
        "likelihood": "Gaussian(scale=0.3)", "log_evidence": [0.0], "ess": [1.5], "ancestors": [1], "collapsed": [1],
    }  # fmt: skip


def test_so_it_is_in_most_clouds_of_their_own(gaussian, monkeypatch):
    seen = Measurement.of(Inpainting(OBSERVED), Y)
    with pytest.warns(RuntimeWarning, match="in 3 of 4 clouds all particles go back to one draw"):
        _, asked = drawn(gaussian, monkeypatch, seen, 20, 4, size=5, ancestors=[1, 2, 1, 1], own_cloud=True)
    assert asked["diagnostics"]["collapsed"] == [3] and asked["diagnostics"]["ancestors"] == [4]
    assert asked["diagnostics"]["ess"] == [1.5]  # of the poorest cloud
    assert asked["diagnostics"]["likelihood"] == "Gaussian(scale=0.05)"
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # half of them are no most
        _, asked = drawn(gaussian, monkeypatch, seen, 20, 4, size=5, ancestors=[1, 2, 1, 2], own_cloud=True)
    assert asked["diagnostics"]["collapsed"] == [2]


def test_samples_are_spread_evenly_over_the_particles(gaussian, monkeypatch):
    # Resampling leaves copies side by side: the first ones would be few different particles.
    seen = Measurement.of(Inpainting(OBSERVED), Y)
    chosen, asked = drawn(gaussian, monkeypatch, seen, 10, 4)
    assert chosen == [1, 3, 6, 8]  # a stride of 2.5 from somewhere in the first
    assert drawn(gaussian, monkeypatch, seen, 7, 7)[0] == list(range(7))
    assert (asked["smc"].num_particles, asked["smc"].num_steps) == (10, 9)
    assert asked["seen"].likelihood.scale == 0.05


def test_what_the_measurement_says_of_its_noise_comes_first(gaussian, monkeypatch):
    known = Measurement(Inpainting(OBSERVED), Gaussian(0.3), Y)
    _, asked = drawn(gaussian, monkeypatch, known, 4, 2, measurement_scale=0.1)
    assert asked["seen"].likelihood.scale == 0.3
    unknown = Measurement.of(Inpainting(OBSERVED), Y)
    _, asked = drawn(gaussian, monkeypatch, unknown, 4, 2, measurement_scale=0.1)
    assert asked["seen"].likelihood.scale == 0.1


def test_settings_reach_the_fit_and_the_guide_is_finished(gaussian, monkeypatch):
    given = {}

    class Done(Exception):
        pass

    def fit(model, guide, y, **settings):
        given.update(settings, model=model)
        monkeypatch.setattr(type(guide), "finish", lambda self: given.update(finished=True) or self)

    def stop(self, run, model, guide):
        raise Done

    monkeypatch.setattr(module, "fit", fit)
    monkeypatch.setattr(VIPaintSampler, "_refined", stop)
    steps = {"fit_steps": 7, "refine": "dps", "refinement_steps": 9}
    s = VIPaintSampler((500, 100), num_chains=3, num_levels=5, eta=0.5, beta=2.0, **steps)
    try:
        s(gaussian, Measurement.of(Inpainting(OBSERVED), Y), 2)
    except Done:
        pass
    assert given["num_steps"] == 7 and given["loss"].num_particles == 3 and given["model"].num_levels == 5
    assert given["model"].eta == 0.5 and given["model"].beta == 2.0 and given["finished"]


def test_of_clouds_of_their_own_samples_are_independent_draws_of_the_posterior(gaussian):
    # Of eight particles each: resampled, one of them at random is a draw by their weights.
    measured = Measurement(Inpainting(OBSERVED), Gaussian(0.3), Y)
    s = VIPaintSampler(
        (900, 600), fit_steps=1, refinement_steps=6, correct="smc", num_particles=8 * 60, own_cloud=True,
        guide_name="hierarchical",
    )
    samples = s(gaussian, measured, 60, torch.Generator().manual_seed(0))
    exact = exact_posterior(gaussian, Inpainting(OBSERVED), Y, 0.3)
    error = exact.variance.sqrt() / 60**0.5
    assert ((samples.images.mean(0) - exact.mean).abs() < 4 * error).all()
    assert samples.diagnostics["ancestors"] == [60]
    evidence = torch.tensor(samples.diagnostics["log_evidence"]).double()
    torch.testing.assert_close(evidence, exact.log_evidence, rtol=0, atol=0.4)
    assert 1 < samples.diagnostics["ess"][0] < 0.9 * 8  # of the eight particles of a cloud
    assert samples.diagnostics["collapsed"] == [0]


def test_one_of_a_cloud_is_kept_at_random(gaussian, monkeypatch):
    seen = Measurement.of(Inpainting(OBSERVED), Y)
    chosen, asked = drawn(gaussian, monkeypatch, seen, 5, 150, own_cloud=True, size=5)
    assert asked["smc"].num_particles == 5
    counts = torch.bincount(torch.tensor(chosen).long(), minlength=5)
    assert len(counts) == 5 and ((counts - 30).abs() < 4 * (150 * 0.2 * 0.8) ** 0.5).all()


def test_no_particle_of_those_that_were_asked_for_is_left_out(gaussian, monkeypatch):
    sizes = []

    def numbered(model, guide, seen, smc, *, generator, callback):
        sizes.append(smc.num_particles)
        ones = torch.ones(1, 1)
        images = torch.zeros(smc.num_particles, 1, 1, 2, 3).double()
        return Particles(images, torch.zeros(1), ones, ones.bool(), 2 * torch.ones(1).long())

    monkeypatch.setattr("vipaint_pyro.samplers.vipaint.weighed.run_smc", numbered)
    s = VIPaintSampler((500, 100), fit_steps=1, refinement_steps=9, correct="smc", num_particles=8, own_cloud=True)
    s(gaussian, Measurement.of(Inpainting(OBSERVED), Y), 3, torch.Generator().manual_seed(0))
    assert sizes == [3, 3, 2]


def test_a_run_that_is_stopped_in_a_later_cloud_gives_what_there_is(gaussian):
    measured, steps = Measurement(Inpainting(OBSERVED), Gaussian(0.3), Y), []

    def stop(progress):
        steps.append((progress.phase, progress.first, progress.step))
        return Stop() if steps[-1] == ("refinement", 1, 2) else None

    s = VIPaintSampler(
        (900, 600), fit_steps=1, refinement_steps=6, correct="smc", num_particles=12, own_cloud=True
    )
    samples = s(gaussian, measured, 3, torch.Generator().manual_seed(0), stop)
    whole = s(gaussian, measured, 3, torch.Generator().manual_seed(0))
    assert steps[-1] == ("refinement", 1, 2) and samples.images.shape == (2, 1, 1, 2, 3) and not samples.diagnostics
    assert torch.equal(samples.images[0], whole.images[0]) and len(whole.images) == 3


def test_clouds_that_cannot_be(gaussian):
    seen = Measurement.of(Inpainting(OBSERVED), Y)
    with pytest.raises(ValueError, match="3 clouds of two particles or more .* of 5: raise num_particles to 6"):
        VIPaintSampler(correct="smc", num_particles=5, own_cloud=True)(gaussian, seen, 3)
    with pytest.raises(ValueError, match="own_cloud is of correct='smc' or refine='tds', and correct is 'psis'"):
        VIPaintSampler(correct="psis", own_cloud=True)(gaussian, seen, 3)
