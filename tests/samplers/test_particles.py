"""Which of the weighed particles VIPaint's sampler gives, and what it hands to the run."""

import torch

from vipaint_pyro.inference.particles import Particles
from vipaint_pyro.measurements.inpainting import Inpainting
from vipaint_pyro.measurements.likelihoods import Gaussian
from vipaint_pyro.measurements.measurement import Measurement
from vipaint_pyro.samplers import VIPaintSampler
from vipaint_pyro.samplers.vipaint import sampler as module

OBSERVED = torch.tensor([[True, True, False], [False, True, False]]).reshape(1, 1, 2, 3)
Y = torch.tensor([[0.9, -0.8, 0.0], [0.0, 0.1, 0.0]]).double().reshape(1, 1, 2, 3)


def drawn(gaussian, monkeypatch, measurement, num_particles, num_samples, **settings):
    """The numbers of the particles that were given, and what the run of particles was asked for."""
    asked = {}

    def numbered(model, guide, seen, smc, *, generator, callback):
        asked.update(model=model, seen=seen, smc=smc)
        images = torch.arange(num_particles).double()[:, None, None, None, None].expand(-1, 1, 1, 2, 3)
        ones = torch.ones(1, 1)
        return Particles(images, torch.zeros(1), ones, ones.bool(), torch.ones(1).long())

    monkeypatch.setattr("vipaint_pyro.samplers.vipaint.weighed.run_smc", numbered)
    s = VIPaintSampler(
        (500, 100), fit_steps=1, refinement_steps=9, correct="smc", num_particles=num_particles, **settings
    )
    samples = s(gaussian, measurement, num_samples, torch.Generator().manual_seed(0))
    return samples.images[:, 0, 0, 0, 0].tolist(), asked


def test_samples_are_spread_evenly_over_the_particles(gaussian, monkeypatch):
    # Resampling leaves copies side by side: the first ones would be few different particles.
    seen = Measurement.of(Inpainting(OBSERVED), Y)
    chosen, asked = drawn(gaussian, monkeypatch, seen, 10, 4)
    assert chosen == [0, 3, 6, 9]
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
    s = VIPaintSampler((500, 100), fit_steps=7, num_chains=3, num_levels=5, eta=0.5, beta=2.0, refinement_steps=9)
    try:
        s(gaussian, Measurement.of(Inpainting(OBSERVED), Y), 2)
    except Done:
        pass
    assert given["num_steps"] == 7 and given["loss"].num_particles == 3 and given["model"].num_levels == 5
    assert given["model"].eta == 0.5 and given["model"].beta == 2.0 and given["finished"]
