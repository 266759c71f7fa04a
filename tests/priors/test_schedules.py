"""Noise levels read from diffusers schedulers, against the schedulers' own tables."""

import diffusers
import numpy as np
import pytest
import torch

from vipaint_pyro.priors.schedules import CLEAN, NoiseSchedule

DISCRETE = [
    ("DDPMScheduler", {"beta_schedule": "linear"}),
    ("DDIMScheduler", {"beta_schedule": "scaled_linear", "beta_start": 0.0015, "beta_end": 0.0195}),
    ("PNDMScheduler", {"beta_schedule": "squaredcos_cap_v2"}),
    ("EulerDiscreteScheduler", {"beta_schedule": "scaled_linear"}),
    ("DPMSolverMultistepScheduler", {"trained_betas": [0.01 * k for k in range(1, 40)]}),
]


@pytest.mark.parametrize("name, config", DISCRETE)
def test_discrete_schedules_are_the_schedulers_own(name, config):
    scheduler = getattr(diffusers, name)(**config)
    schedule = NoiseSchedule.from_scheduler(scheduler)
    t = torch.arange(schedule.num_timesteps)
    torch.testing.assert_close(schedule.alpha(t) ** 2, scheduler.alphas_cumprod.double())
    torch.testing.assert_close(schedule.alpha(t) ** 2 + schedule.sigma(t) ** 2, torch.ones(len(t)).double())
    assert schedule.terminal_std == 1


def test_published_table_of_the_imagenet_schedule():
    # Shared by the CompVis latent models: t = 400 and 550 have sigma/alpha 1.81 and 3.51.
    scheduler = diffusers.DDPMScheduler(
        beta_schedule="scaled_linear", beta_start=0.0015, beta_end=0.0195
    )
    schedule = NoiseSchedule.from_scheduler(scheduler)
    for t, ratio in ((400, 1.81), (450, 2.23), (500, 2.78), (550, 3.51)):
        assert float(schedule.sigma(t) / schedule.alpha(t)) == pytest.approx(ratio, abs=0.006)
        assert abs(schedule.time_of_ratio(ratio) - t) <= 1


@pytest.mark.parametrize("kind", ["karras", "exponential"])
def test_edm_sigmas_are_the_schedulers_own(kind):
    scheduler = diffusers.EDMEulerScheduler(sigma_schedule=kind, num_train_timesteps=1000)
    schedule = NoiseSchedule.from_scheduler(scheduler)
    scheduler.set_timesteps(1000)
    own = scheduler.sigmas[:-1].double().flip(0)
    torch.testing.assert_close(schedule.sigma(torch.arange(1000)), own, rtol=1e-5, atol=0)
    assert (schedule.alpha(torch.arange(1000)) == 1).all() and schedule.terminal_std == 80


def test_ve_sigmas_are_the_schedulers_own():
    scheduler = diffusers.ScoreSdeVeScheduler(num_train_timesteps=500, sigma_max=50)
    schedule = NoiseSchedule.from_scheduler(scheduler)
    own = scheduler.discrete_sigmas.double()
    torch.testing.assert_close(schedule.sigma(torch.arange(500)), own, rtol=1e-5, atol=0)


def test_clean_time(schedule):
    assert schedule.alpha(CLEAN) == 1 and schedule.sigma(CLEAN) == 0


@pytest.mark.parametrize(
    "alpha, sigma, words",
    [
        ([1.0, 0.5], [0.5], "one length"),
        ([0.9], [0.4], "length of at least 2"),
        ([0.9, 0.9], [0.1, 0.1], "fall strictly"),
        ([0.9, 0.5], [0.0, 0.5], "sigma_t > 0"),
        ([0.5, 0.9], [0.5, 0.1], "fall strictly"),
    ],
)
def test_tables_that_are_no_schedule(alpha, sigma, words):
    with pytest.raises(ValueError, match=words):
        NoiseSchedule(torch.tensor(alpha), torch.tensor(sigma))


def test_unknown_scheduler():
    with pytest.raises(ValueError, match="IPNDM.*noise levels are unknown"):
        NoiseSchedule.from_scheduler(diffusers.IPNDMScheduler())


@pytest.mark.parametrize("shift", [1.0, 3.0])
def test_rectified_flow_is_the_schedulers(shift):
    scheduler = diffusers.FlowMatchEulerDiscreteScheduler(shift=shift)
    schedule = NoiseSchedule.from_scheduler(scheduler)
    t = torch.arange(1000)
    torch.testing.assert_close(schedule.sigma(t).flip(0), scheduler.sigmas.double(), atol=1e-6, rtol=1e-6)
    torch.testing.assert_close(schedule.alpha(t), 1 - schedule.sigma(t))
    assert schedule.sigma(499) == shift * 0.5 / (1 + (shift - 1) * 0.5)  # its own formula, by hand


@pytest.mark.parametrize("kind", ["exponential", "linear"])
def test_rectified_flow_shifted_by_the_number_of_tokens(kind):
    # 1024 tokens lie a fifth of the way from 256 to 4096: mu = .5 + (1.15 - .5) / 5 = .63.
    scheduler = diffusers.FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True, time_shift_type=kind)
    scheduler.set_timesteps(sigmas=[k / 1000 for k in range(1000, 0, -1)], mu=0.63)
    schedule = NoiseSchedule.from_scheduler(scheduler, num_tokens=1024)
    sigma = schedule.sigma(torch.arange(1000)).flip(0)
    torch.testing.assert_close(sigma, scheduler.sigmas[:-1].double(), atol=1e-6, rtol=1e-6)
    with pytest.raises(ValueError, match="give num_tokens"):
        NoiseSchedule.from_scheduler(scheduler)


def test_a_flow_that_is_not_known():
    with pytest.raises(ValueError, match="use_karras_sigmas is not known"):
        NoiseSchedule.from_scheduler(diffusers.FlowMatchEulerDiscreteScheduler(use_karras_sigmas=True))


@pytest.mark.parametrize(
    "times, words",
    [
        ((), "one or more"),
        ((500.0, 400.0), "whole numbers"),
        ((True,), "whole numbers"),
        ((400, 500), "must fall"),
        ((500, 500), "must fall"),
        ((1000, 400), "must lie in 0 ... 999"),
        ((400, -1), "must lie in 0 ... 999"),
    ],
)
def test_timesteps_that_cannot_be(schedule, times, words):
    with pytest.raises(ValueError, match=words):
        schedule.check_timesteps(times)


@pytest.mark.parametrize(
    "kind, config, words",
    [
        ("EDMEulerScheduler", {"sigma_min": 0.0}, "sigma_min is a finite number, above 0, but is 0.0"),
        ("FlowMatchEulerDiscreteScheduler", {"shift": 0.0}, "shift is a finite number, above 0, but is 0.0"),
        ("FlowMatchEulerDiscreteScheduler", {"shift": -2.0}, "shift is a finite number, above 0, but is -2.0"),
        (
            "FlowMatchEulerDiscreteScheduler",
            {"use_dynamic_shifting": True, "max_shift": 5000.0},
            r"shift for 100000 tokens \(base_shift, max_shift\) is a finite number, above 0, but is inf",
        ),
        (
            "FlowMatchEulerDiscreteScheduler",
            {"use_dynamic_shifting": True, "max_image_seq_len": 256, "base_image_seq_len": 256},
            "base_image_seq_len and max_image_seq_len are two numbers of tokens, but are both 256",
        ),
    ],
)
def test_a_config_of_no_noise_levels_names_its_field(kind, config, words):
    with pytest.raises(ValueError, match=words):
        NoiseSchedule.from_scheduler(getattr(diffusers, kind)(**config), 100_000)


@pytest.mark.parametrize("times", [np.array([500, 3]), (np.int64(500), np.int64(3)), torch.tensor([500, 3])])
def test_times_of_numpy_and_torch_become_whole_numbers(times):
    found = NoiseSchedule.variance_preserving().check_timesteps(times)
    assert found == (500, 3) and all(type(t) is int for t in found)


def test_log_snr_is_that_of_the_powers():
    schedule, t = NoiseSchedule.variance_preserving(), torch.tensor([0, 400, 999])
    abar = schedule.alpha(t) ** 2
    torch.testing.assert_close(schedule.log_snr(t), (abar / (1 - abar)).log(), rtol=1e-9, atol=1e-9)
