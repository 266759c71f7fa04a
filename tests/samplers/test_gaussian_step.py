"""MGPS and MGDM: the fitted Gaussian's optimum, the bridge between three levels, the steps' laws, and their costs."""

import pytest
import torch

from tests.conftest import standard_error
from tests.samplers.half_seen import OBSERVED, Y, affine, seeded
from tests.samplers.linear_codec import LinearCodec
from vipaint_pyro.measurements import Gaussian, Inpainting, Measurement
from vipaint_pyro.measurements.moment_matched import MomentMatched
from vipaint_pyro.priors.kernels import between, forward_step, reverse_step
from vipaint_pyro.samplers import MGDMSampler, MGPSSampler, mgdm, mgps
from vipaint_pyro.samplers.gaussian_step import fitted_draw
from vipaint_pyro.samplers.run import Run

SIGMA = 0.3


def run(gaussian, draws, seed=0):
    return Run(gaussian, Measurement(Inpainting(OBSERVED), Gaussian(SIGMA), Y), draws, seeded(seed))


def has_moments(z, mean, variance):
    away = z - mean
    squares = away**2 - variance
    return all((v.mean(0).abs() < 4.5 * standard_error(v) + 1e-3).all() for v in (away, squares))


@pytest.mark.parametrize("s, u, t", [(-1, 100, 300), (50, 100, 300), (50, 300, 300), (50, 50, 300)])
def test_between_is_the_joint_gaussian_conditioned(schedule, s, u, t):
    # z_u and z_t given z_s are jointly Gaussian: a_us z_s + ..., conditioned on z_t.
    (a_us, v_us), (a_ts, v_ts) = forward_step(schedule, s, u), forward_step(schedule, s, t)
    a_tu, _ = forward_step(schedule, u, t)
    gain = a_tu * v_us / v_ts
    c_s, c_t, std = between(schedule, s, u, t)
    torch.testing.assert_close(c_t, gain, rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(c_s, a_us - gain * a_ts, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(std**2, v_us - gain * a_tu * v_us, rtol=1e-9, atol=1e-9)
    if s == -1:
        for ours, theirs in zip((c_s, c_t, std), reverse_step(schedule, t, u)):
            torch.testing.assert_close(ours, theirs)


def test_the_fitted_gaussian_is_the_posterior_where_all_is_gaussian(gaussian):
    # N(m_0, s^2) times N(y; b + k z, sigma^2): on a Gaussian prior the best mean-field Gaussian is exact.
    t, std, draws = 300, 0.4, 4000
    mean = torch.linspace(-1, 1, 6).double().reshape(1, 1, 1, 2, 3).expand(draws, 1, 1, 2, 3)
    z = fitted_draw(run(gaussian, draws), mean, torch.tensor(std).double(), t, 400, 0.02)[:, 0]
    b, k = affine(gaussian, t)
    seen = OBSERVED[0].double()
    precision = 1 / std**2 + seen * k[0] ** 2 / SIGMA**2
    best = (mean[0, 0] / std**2 + seen * k[0] * (Y[0] - b[0]) / SIGMA**2) / precision
    away = z - best
    # Each draw has a fit of its own, which wanders about the best by what its steps' noise leaves.
    assert (away.mean(0).abs() < 0.02).all()
    assert ((away.var(0) * precision - 1).abs() < 0.15).all()


def test_without_gradients_it_is_the_bridge(gaussian):
    mean = torch.zeros(20_000, 1, 1, 2, 3).double()
    z = fitted_draw(run(gaussian, 20_000), mean + 0.7, torch.tensor(0.4).double(), 300, 0, 0.1)[:, 0]
    assert has_moments(z, torch.full((1, 2, 3), 0.7).double(), torch.full((1, 2, 3), 0.16).double())


@pytest.mark.parametrize("midpoint", [0.0, 0.5, 1.0])
def test_unguided_midpoint_steps_have_the_ancestral_law(gaussian, midpoint):
    # Through q(z_u | z_0_hat, z_t) and q(z_s | z_u, z_t) comes q(z_s | z_0_hat, z_t), wherever u is.
    t, s, draws = 600, 500, 30_000
    z = torch.linspace(-1, 1, 6).double().reshape(1, 1, 1, 2, 3).expand(draws, 1, 1, 2, 3)
    sampler = MGPSSampler(10, midpoint=midpoint, num_gradients=0, intense_gradients=0)
    z_s, z0 = sampler.step(run(gaussian, draws), z, t, s)
    c_0, c_t, std = (float(c) for c in reverse_step(gaussian.schedule, t, s))
    assert has_moments(z_s[:, 0], (c_0 * z0 + c_t * z)[0, 0], torch.full((1, 2, 3), std**2).double())


def test_unguided_sweeps_keep_the_priors_law(gaussian):
    # Gibbs sweeps of the prior alone leave p(z_s | z_t), z_t drawn from the prior, as it is.
    t, s, draws = 500, 400, 30_000
    marginal = gaussian.marginal(t)
    walk = run(gaussian, draws)
    clean = gaussian.mean + gaussian.std * walk.normal(torch.zeros(draws, 1, 1, 2, 3).double())
    alpha, sigma = float(gaussian.schedule.alpha(t)), float(gaussian.schedule.sigma(t))
    z_t = alpha * clean + sigma * walk.normal(clean)
    sampler = MGDMSampler(100, sweeps=2, num_gradients=0, intense_gradients=0, denoising_steps=60)
    z_s, z0 = sampler.step(walk, z_t, clean, t, s, 5)
    below = gaussian.marginal(s)
    assert has_moments(z_s[:, 0], below.mean, below.variance * 1.0)
    away = z0[:, 0] - gaussian.mean
    assert (away.mean(0).abs() < 0.02).all() and ((away.var(0) / gaussian.std**2 - 1).abs() < 0.05).all()
    assert marginal is not None


def test_what_a_midpoint_step_costs(network_prior):
    # 30 steps: the first 5 take 4 gradients; of the others those with 25 left to 21 ... are intense at tens, none late.
    seen = Measurement.of(Inpainting(torch.rand(2, 1, 8, 8) < 0.5), torch.zeros(2, 1, 8, 8))
    prior = network_prior.conditioned([0, 1])
    sampler = MGPSSampler(50, num_gradients=1, intense_gradients=4)
    samples = sampler(prior, seen, 1, seeded(0))
    # Left 50 ... 46 and 40, 30 are intense; the last step has no fit.
    gradients = 7 * 4 + (50 - 7 - 1) * 1
    assert samples.calls == {"refinement": 50 + gradients} and samples.backward == {"refinement": gradients}


def test_what_a_sweep_costs(network_prior):
    seen = Measurement.of(Inpainting(torch.rand(2, 1, 8, 8) < 0.5), torch.zeros(2, 1, 8, 8))
    prior = network_prior.conditioned([0, 1])
    sampler = MGDMSampler(20, sweeps=2, num_gradients=1, intense_gradients=2, denoising_steps=3)
    samples = sampler(prior, seen, 1, seeded(0))
    # 19 steps of 2 sweeps; 0, 10 and 14 ... 18 are intense.
    gradients = 2 * (7 * 2 + 12)
    assert samples.calls == {"refinement": 1 + gradients + 19 * 2 * 3} and samples.backward == {"refinement": gradients}


@pytest.mark.parametrize(
    "latent, midpoint, s, u",
    [
        (False, 0.5, 400, 200), (False, 0.25, 399, 99), (False, 0.0, 400, 0), (False, 0.5, 100, 50),
        (True, 0.5, 600, 300), (True, 0.5, 500, 250), (True, 0.5, 499, 499), (True, 0.5, 100, 100),
    ],
)  # fmt: skip
def test_where_a_step_is_guided(gaussian, monkeypatch, latent, midpoint, s, u):
    # On latent priors in the lower half of the 1000 times at s itself.
    told = []
    monkeypatch.setattr(mgps, "fitted_draw", lambda run, mean, std, t, *more: told.append(t) or mean)
    if latent:
        gaussian.codec = LinearCodec()
    z = torch.zeros(1, 1, 1, 2, 3).double()
    MGPSSampler(10, midpoint=midpoint, num_gradients=0, intense_gradients=0).step(run(gaussian, 1), z, s + 50, s)
    assert told == [u]


def test_what_the_fits_of_the_sweeps_are_told(gaussian, monkeypatch):
    # 20 steps: the first 2 at a third of the rate; from the 14th on at s itself, before at levels of 10 ... s - 1.
    told = []
    monkeypatch.setattr(mgdm, "fitted_draw", lambda run, mean, std, t, n, lr: told.append((t, n, lr)) or mean)
    sampler = MGDMSampler(20, sweeps=30, num_gradients=1, intense_gradients=2, denoising_steps=1, lr=0.03)
    walk = run(gaussian, 1)
    sampler.images(walk)
    times = gaussian.times(999, 0, 19)
    assert len(told) == 19 * 30
    for i, s in enumerate(times[1:]):
        fits = told[30 * i : 30 * (i + 1)]
        assert {lr for *_, lr in fits} == {0.03 / 3 if i < 2 else 0.03}
        assert {n for _, n, _ in fits} == {2 if i in (0, 10) or i >= 14 else 1}
        levels = [int(t) for t, *_ in fits]
        if i >= 14:
            assert levels == [s] * 30
        else:
            assert 10 <= min(levels) < 10 + (s - 10) / 3 and s - (s - 10) / 3 < max(levels) < s


def test_gradients_on_latents_are_the_published_ones(gaussian):
    gaussian.codec = LinearCodec()
    settled = MGPSSampler().settle(gaussian, Measurement.of(Inpainting(OBSERVED), Y))
    assert (settled.num_gradients, settled.intense_gradients) == (5, 10)


def test_what_they_cannot_do(gaussian):
    seen = Measurement(Inpainting(OBSERVED), MomentMatched(0.1), Y)
    with pytest.raises(ValueError, match="mgdm asks at many times at once"):
        MGDMSampler(10).settle(gaussian, seen)
    settled = MGPSSampler().settle(gaussian, Measurement.of(Inpainting(OBSERVED), Y))
    assert (settled.num_gradients, settled.intense_gradients, settled.measurement_scale) == (2, 20, 0.05)
