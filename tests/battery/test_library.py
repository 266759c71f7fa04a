"""Every call of the library refuses every bad input in one clear line, before computing, and leaves all as it was."""

import warnings

import pytest

from tests.battery.cases import AREAS
from tests.battery.common import World, wrongs


@pytest.mark.parametrize("area", AREAS)
def test_bad_input_is_refused_in_one_line_before_any_computing(area):
    world, cases = World(), AREAS[area]()
    if area == "weights":
        world.drawn_model = world.model
        world.drawn = world.path()
    found = {}
    for name, call in cases:
        before = world.state()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's own, of sparse tensors
            wrong = wrongs(lambda call=call: call(world), world, before)
        if wrong:
            found[name] = wrong
    assert not found
    assert len(cases) > 40


def test_the_good_inputs_of_the_battery_are_good():
    """Or all of it would be refused for another reason."""
    from tests.battery.cases import STEPS, sampled
    from vipaint_pyro import fit
    from vipaint_pyro.inference import SMC, run_smc

    world = World()
    for method in ("vipaint", "dps", "blended", "red-diff"):
        assert sampled(world, method).images.shape == (2, 2, 1, 4, 4)
    assert STEPS["vipaint"]["timesteps"] == world.model.timesteps
    guide = world.guide
    assert len(fit(guide.model, guide, world.y, num_steps=1, generator=world.generator).losses) == 1
    assert run_smc(guide.model, guide, world.measurement, SMC(4, num_steps=3)).images.shape == (4, 2, 1, 4, 4)
    assert world.spy.calls > 10
    wrong = wrongs(lambda: sampled(world, "dps"), world)
    assert wrong == ["accepted", "3 calls of the denoiser", "left something behind"]
