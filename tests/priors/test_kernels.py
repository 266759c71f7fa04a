"""Transition kernels against diffusers' schedulers and against Gaussian identities (float64)."""

import pytest
import torch
from diffusers import DDIMScheduler, DDPMScheduler

from tests.conftest import float64_tables
from vipaint_pyro.priors.kernels import forward_step, posterior_std, reverse_step
from vipaint_pyro.priors.schedules import NoiseSchedule

BETAS = ["linear", "scaled_linear", "squaredcos_cap_v2"]
PAIRS = [(999, 900), (700, 699), (550, 400), (20, 3), (3, -1)]


def noise_of(seed, shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("betas", BETAS)
@pytest.mark.parametrize("t, s", PAIRS)
def test_ancestral_step_is_ddpm(betas, t, s):
    scheduler = float64_tables(DDPMScheduler(beta_schedule=betas, clip_sample=False))
    scheduler.set_timesteps(timesteps=[t] + ([s] if s >= 0 else []))
    z, eps = noise_of(1, (2, 1, 3, 3)), noise_of(2, (2, 1, 3, 3))
    own = scheduler.step(eps, t, z, generator=torch.Generator().manual_seed(3)).prev_sample

    schedule = NoiseSchedule.from_scheduler(scheduler)
    z0 = (z - schedule.sigma(t) * eps) / schedule.alpha(t)
    c_0, c_t, std = reverse_step(schedule, t, s)
    ours = c_0 * z0 + c_t * z + std * noise_of(3, z.shape)
    torch.testing.assert_close(ours, own, rtol=1e-6, atol=1e-6 if s >= 0 else 1e-5)


@pytest.mark.parametrize("eta", [0.0, 0.447, 1.0])
@pytest.mark.parametrize("betas", BETAS)
def test_reverse_step_is_ddim(betas, eta):
    scheduler = float64_tables(DDIMScheduler(beta_schedule=betas, clip_sample=False))
    scheduler.set_timesteps(10)
    t, s = 700, 600
    z, eps = noise_of(1, (2, 1, 3, 3)), noise_of(2, (2, 1, 3, 3))
    own = scheduler.step(eps, t, z, eta=eta, generator=torch.Generator().manual_seed(3)).prev_sample
    schedule = NoiseSchedule.from_scheduler(scheduler)
    z0 = (z - schedule.sigma(t) * eps) / schedule.alpha(t)
    c_0, c_t, std = reverse_step(schedule, t, s, eta)
    ours = c_0 * z0 + c_t * z + std * noise_of(3, z.shape)
    torch.testing.assert_close(ours, own, rtol=1e-6, atol=1e-6)


def test_forward_steps_compose(schedule):
    # q(z_t | z_s) after q(z_s | z_r) is q(z_t | z_r).
    r, s, t = torch.tensor([0, 10, 400]), torch.tensor([5, 400, 401]), torch.tensor([999, 402, 990])
    a_sr, v_sr = forward_step(schedule, r, s)
    a_ts, v_ts = forward_step(schedule, s, t)
    a_tr, v_tr = forward_step(schedule, r, t)
    torch.testing.assert_close(a_ts * a_sr, a_tr, rtol=1e-9, atol=0)
    torch.testing.assert_close(a_ts**2 * v_sr + v_ts, v_tr, rtol=1e-9, atol=0)


@pytest.mark.parametrize("eta", [0.0, 0.3, 1.0])
def test_reverse_steps_keep_the_marginal(schedule, eta):
    # Given the true z_0, z_t ~ N(alpha_t z_0, sigma_t^2) must go to N(alpha_s z_0, sigma_s^2).
    for t, s in PAIRS:
        c_0, c_t, std = reverse_step(schedule, t, s, eta)
        torch.testing.assert_close(c_0 + c_t * schedule.alpha(t), schedule.alpha(s))
        torch.testing.assert_close((c_t * schedule.sigma(t)) ** 2 + std**2, schedule.sigma(s) ** 2)


def test_reverse_steps_compose_given_z0(schedule):
    # Two ancestral steps t -> s -> r, given z_0, have the mean and variance of one step t -> r.
    t, s, r = 800, 500, 300
    c0_ts, ct_ts, std_ts = reverse_step(schedule, t, s)
    c0_sr, ct_sr, std_sr = reverse_step(schedule, s, r)
    c0, ct, std = reverse_step(schedule, t, r)
    torch.testing.assert_close(ct_sr * ct_ts, ct)
    torch.testing.assert_close(c0_sr + ct_sr * c0_ts, c0)
    torch.testing.assert_close((ct_sr * std_ts) ** 2 + std_sr**2, std**2)


def test_posterior_std_is_the_conditional_gaussian(schedule):
    # q(z_s | z_t, z_0) has precision 1/sigma_s^2 + a_ts^2 / v_ts (product of Gaussians).
    a, v = forward_step(schedule, 400, 550)
    precision = 1 / schedule.sigma(400) ** 2 + a**2 / v
    torch.testing.assert_close(posterior_std(schedule, 550, 400) ** -2, precision)
