"""The noise levels that VIPaint takes where no timesteps are given."""

import pytest

from tests.priors.pretrained.tiny import latent_kl
from vipaint_pyro import DiffusionPrior
from vipaint_pyro.samplers import timesteps_for
from vipaint_pyro.samplers.vipaint.levels import RATIOS, level_ratios, ratios_between, timesteps_at


@pytest.mark.parametrize(
    "levels, pixels, latents, exact",
    [
        (1, (1.8,), (1.8,), (20.0,)), (2, (3.1, 1.0), (3.1, 1.0), (40.0, 20.0)),
        (4, (3.1, 2.0, 1.4, 1.0), (20.0, 7.0, 2.5, 1.2), (60.0, 40.0, 30.0, 20.0)),
    ],
)  # fmt: skip
def test_they_have_these_ratios_of_noise_to_signal(gaussian, network_prior, levels, pixels, latents, exact):
    pipe = latent_kl()
    latent = DiffusionPrior.from_components(pipe.unet, pipe.scheduler, vqvae=pipe.vqvae)
    for prior, ratios in ((network_prior, pixels), (latent, latents), (gaussian, exact)):
        schedule = prior.schedule
        times = timesteps_for(prior, levels)
        assert times == tuple(schedule.time_of_ratio(r) for r in ratios)
        for t, ratio in zip(times, ratios):
            assert float(schedule.sigma(t) / schedule.alpha(t)) == pytest.approx(ratio, rel=0.03)


def test_another_number_of_levels_needs_its_timesteps(gaussian):
    for levels in (0, 3, 5):
        with pytest.raises(ValueError, match=rf"where {levels} levels lie is not known, as it is of 1, 2, 4"):
            timesteps_for(gaussian, levels)


def test_any_number_of_levels_lies_between_two_ratios_of_ones_own(network_prior):
    schedule = network_prior.schedule
    for given, ratios in (((3, 8.0, 2.0), (8, 4, 2)), ((3, 25.0, None), (25, 5, 1)), ((2, None, 0.5), (3.1, 0.5)),
                          ((1, 20.0, None), (20,))):  # fmt: skip
        assert timesteps_for(network_prior, *given) == tuple(schedule.time_of_ratio(r) for r in ratios)
    for given, said in (
        ((4, 1.0, 2.0), "T_e has to lie above T_s, but its ratio is 1, and 2"),
        ((2, None, 5.0), r"ratio is 3.1, and 5 that of T_s \(T_e is not given, and has its default\): give T_e too"),
        ((0, 8.0), "levels is a whole"),
        ((4, 1e9), "T_e is a ratio of noise to signal between"),
        ((1, 8.0, 2.0), "leave T_s out"),
        ((12, 5.0, 4.99), "12 levels between the ratios 5 and 4.99 share times of the schedule: give fewer"),
        ((5000, 5.0), "has 1000 times .* too few for 5000 levels: take 1000 levels at most"),
    ):
        with pytest.raises(ValueError, match=said):
            timesteps_for(network_prior, *given)


def test_levels_between_two_ratios_are_each_the_same_part_of_the_one_above():
    assert ratios_between(100, 0.1, 4) == pytest.approx((100, 10, 1, 0.1), rel=1e-12)
    assert ratios_between(8.0, 2.0, 3) == pytest.approx((8, 4, 2), rel=1e-12)
    assert ratios_between(3.1, 1.0, 2) == (3.1, 1.0)  # the ends exactly
    for top, bottom, levels, said in ((1, 1, 2, "has to lie above"), (1, 2, 2, "above"), (2, 1, 1, "at least 2"),
                                      (2, 0, 2, "ratio at T_s"), (float("inf"), 1, 2, "ratio at T_e")):  # fmt: skip
        with pytest.raises(ValueError, match=said):
            ratios_between(top, bottom, levels)


@pytest.mark.parametrize(
    "given, expected",
    [
        ((None, None, None), (3.1, 2.0, 1.4, 1.0)),  # VIPaint's own
        ((1, None, None), (1.8,)),
        ((2, None, None), (3.1, 1.0)),
        ((3, None, None), (3.1, 3.1**0.5, 1.0)),  # between those of four
        ((2, 20.0, None), (20.0, 1.0)),
        ((None, None, 0.5), (3.1, 3.1 * (0.5 / 3.1) ** (1 / 3), 3.1 * (0.5 / 3.1) ** (2 / 3), 0.5)),
        ((1, 20.0, 5.0), (20.0,)),  # one level is at T_e
    ],
)
def test_what_is_not_given_of_levels_is_vipaints_own(given, expected):
    assert level_ratios(RATIOS, *given) == pytest.approx(expected, rel=1e-12)


def test_timesteps_at_ratios_that_coincide_take_the_next_ones(network_prior):
    assert timesteps_at(network_prior, RATIOS[4]) == timesteps_for(network_prior, 4)
    close = timesteps_at(network_prior, (1.001, 1.0005, 1.0))
    assert close[0] - close[1] == close[1] - close[2] == 1
