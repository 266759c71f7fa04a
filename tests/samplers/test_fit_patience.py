"""A VIPaint whose fit ends once its bound has settled."""

import pytest
import torch

from tests.samplers.test_alone_and_in_a_batch import seen, tiny
from vipaint_pyro.samplers import make_sampler
from vipaint_pyro.samplers.run import Stop


def test_patience_and_steps_have_to_fit():
    prior, measurement = tiny("pixel"), seen()
    for steps in (1, 39, 40):
        with pytest.raises(ValueError, match=f"no fit of {steps} ends early: give fit_steps above 40, or a smaller"):
            make_sampler("vipaint", fit_patience=20, fit_steps=steps).settle(prior, measurement)
    make_sampler("vipaint", fit_patience=20, fit_steps=41).settle(prior, measurement)
    make_sampler("vipaint", fit_patience=0, fit_steps=1).settle(prior, measurement)


def test_a_sampler_ends_each_image_by_itself():
    """Where they end differs; images, fits and records are those of the images alone."""
    prior, measurement = tiny("pixel"), seen()
    sampler = make_sampler(
        "vipaint", timesteps=(700, 300), fit_steps=12, fit_patience=1, num_chains=1, refinement_steps=2
    )

    def drawn(part, seeds, told=None):
        generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        return sampler(prior, part, 2, generators, told)

    told = []
    batch = drawn(measurement, (11, 12, 13, 14), lambda p: told.append(p))
    fit = [p for p in told if p.phase == "fit"]
    assert len(set(batch.fit.steps)) > 1 and min(batch.fit.steps) < 12
    for i in range(4):
        alone = drawn(measurement.part(i, i + 1), (11 + i,))
        assert alone.fit.steps == [batch.fit.steps[i]] and alone.fit.ended == [batch.fit.ended[i]]
        torch.testing.assert_close(alone.images, batch.images[:, i : i + 1], rtol=1e-6, atol=1e-6)
        since = [p.step + 1 for p in fit if p.settled[i]]
        assert since == list(range(batch.fit.steps[i], len(fit) + 1)) or batch.fit.ended[i] == "all steps"


@pytest.mark.parametrize("patience", [0, 1])
def test_a_caller_may_stop_it_all_the_same(patience):
    prior, measurement = tiny("pixel"), seen(1)
    sampler = make_sampler("vipaint", timesteps=(700, 300), fit_steps=12, fit_patience=patience, refinement_steps=2)
    generator = torch.Generator().manual_seed(11)
    told = []

    def stop(progress):
        told.append(progress)
        return Stop()

    samples = sampler(prior, measurement, 2, generator, stop)
    assert samples.fit.steps == [1] and samples.fit.ended == ["stopped"] and len(told) == 1
    assert (told[0].settled is None) == (patience == 0)
