"""ReSampleSampler: its optimisations' stationary points, its resampling written out, and its schedule."""

import pytest
import torch

from tests.conftest import standard_error
from tests.samplers.half_seen import OBSERVED, Y, seeded
from vipaint_pyro.exact import GaussianPrior
from vipaint_pyro.measurements import Gaussian, Inpainting, Laplace, Measurement
from vipaint_pyro.priors.schedules import NoiseSchedule
from vipaint_pyro.samplers import ReSampleSampler
from vipaint_pyro.samplers.resample import descend
from vipaint_pyro.samplers.run import Run


def noisy(sigma_y=1e-4):
    return Measurement(Inpainting(OBSERVED), Gaussian(sigma_y), Y)


def test_descend_ends_where_y_is_explained_and_hidden_entries_stay():
    start = torch.linspace(-1, 1, 12).double().reshape(2, 1, 1, 2, 3)
    enough = torch.tensor([1e-6]).double()
    x = descend(noisy().distance, start, enough, 5000, 0.02)
    torch.testing.assert_close(x, torch.where(OBSERVED, Y, start), rtol=0, atol=2e-6)


def test_descend_leaves_a_sample_where_it_is_near_enough():
    # The first is there already, the second is on its way: one does not see the other.
    near, away = torch.where(OBSERVED, Y + 0.01, 0.3), torch.where(OBSERVED, Y - 1.0, 0.3)
    start = torch.stack([near, away])
    x = descend(noisy().distance, start, torch.tensor([0.1]).double(), 2000, 0.02)
    assert torch.equal(x[0], near)
    alone = descend(noisy().distance, start[1:], torch.tensor([0.1]).double(), 2000, 0.02)
    assert torch.equal(x[1:], alone)
    left = noisy().distance(x)[1]
    assert 0.05 < left <= 0.1  # it stopped when it was near enough


def test_both_optimisations_explain_y(latent):
    run, z0 = Run(latent, noisy(), 2), torch.linspace(-1, 1, 12).double().reshape(2, 1, 1, 2, 3)
    sampler = ReSampleSampler(pixel_iterations=5000, latent_iterations=5000)
    latents = sampler._on_latents(run, z0)
    torch.testing.assert_close(torch.where(OBSERVED, 3 * latents - 1, 0), Y.expand_as(z0), rtol=0, atol=2e-4)
    torch.testing.assert_close(torch.where(OBSERVED, 0, latents), torch.where(OBSERVED, 0, z0))
    # The encoder of this codec is x / 2.
    pixels = 2 * sampler._on_pixels(run, z0)
    expected = torch.where(OBSERVED, Y, 3 * z0 - 1)
    torch.testing.assert_close(pixels, expected, rtol=0, atol=2e-4)


def test_resampling_has_the_published_law(latent):
    t, s, gamma, draws = 600, 560, 40.0, 40_000
    z0, z_s = torch.full((draws, 1, 1, 2, 3), 0.4).double(), torch.full((draws, 1, 1, 2, 3), -0.2).double()
    out = ReSampleSampler(gamma=gamma)._resampled(Run(latent, noisy(), draws, seeded(0)), z0, z_s, t, s)
    abar_t, abar = (float(latent.schedule.alpha(k)) ** 2 for k in (t, s))
    weight = gamma * (1 - abar) / (1 - abar_t) * (1 - abar_t / abar)
    mean = (weight * abar**0.5 * 0.4 + (1 - abar) * -0.2) / (weight + 1 - abar)
    variance = 1 / (1 / weight + 1 / (1 - abar))
    away = out - mean
    assert (away.mean(0).abs() < 4.5 * standard_error(away)).all()
    assert ((away**2 - variance).mean(0).abs() < 4.5 * standard_error(away**2)).all()


def test_resampling_is_that_of_any_schedule(latent):
    # Where alpha is 1, 1 - alpha_t^2 / alpha_s^2 is none; the variance of the forward step is.
    schedule = NoiseSchedule.variance_exploding()
    prior = GaussianPrior(latent.mean, latent.std, schedule)
    prior.codec = latent.codec
    t, s, gamma, draws = 600, 560, 40.0, 40_000
    z0, z_s = torch.full((draws, 1, 1, 2, 3), 0.4).double(), torch.full((draws, 1, 1, 2, 3), -0.2).double()
    out = ReSampleSampler(gamma=gamma)._resampled(Run(prior, noisy(), draws, seeded(0)), z0, z_s, t, s)
    v_t, v_s = (float(schedule.sigma(k)) ** 2 for k in (t, s))
    weight = gamma * v_s / v_t * (v_t - v_s)
    away = out - (weight * 0.4 + v_s * -0.2) / (weight + v_s)
    assert (away.mean(0).abs() < 4.5 * standard_error(away)).all()
    spread = away**2 - 1 / (1 / weight + 1 / v_s)
    assert (spread.mean(0).abs() < 4.5 * standard_error(spread)).all()


def test_what_it_costs(latent):
    # 30 steps: resampled at indices 20, 10 by the image (above 10) and by latents (10 and below).
    sampler = ReSampleSampler(30, unroll=5, pixel_iterations=2, latent_iterations=2)
    samples = sampler(latent, noisy(), 3, seeded(0))
    assert samples.calls == {"refinement": 3 * (30 + 2 * 6)} and samples.backward == {"refinement": 3 * 29}


def test_the_middle_third_is_by_pixels_and_the_last_by_latents(latent, monkeypatch):
    # Steps are numbered from the last, 0: of 30 the upper third, 25, is left alone.
    told, now = [], []
    for name in ("pixels", "latents"):

        def fake(self, run, z0, name=name):
            told.append((now[-1] - 1 if now else 29, name))
            return z0

        monkeypatch.setattr(ReSampleSampler, f"_on_{name}", fake)
    sampler = ReSampleSampler(30, every=5).settle(latent, noisy())
    sampler.images(Run(latent, noisy(), 1, seeded(0), lambda progress: now.append(29 - progress.step)))
    assert told == [(20, "pixels"), (15, "pixels"), (10, "latents"), (5, "latents"), (0, "latents")]


@pytest.mark.parametrize("pull", [0.5, 2.0])
def test_a_step_is_ddims_and_a_pull_by_alpha_squared(latent, pull):
    times, z = latent.times(999, -1, 20), torch.linspace(-1, 1, 12).double().reshape(2, 1, 1, 2, 3)
    t, s = times[8:10]  # the 11th from the last, where nothing is resampled
    ours, z0 = ReSampleSampler(20, pull=pull).step(Run(latent, noisy(), 2), z, t, s)
    zero = torch.zeros(1, 1, 2, 3).double()
    b = latent.denoise(zero, t)
    k = latent.denoise(zero + 1, t) - b
    alpha, sigma = float(latent.schedule.alpha(t)), float(latent.schedule.sigma(t))
    # x = 3 z_0 - 1; the gradient of a norm is the direction of the residual.
    away = torch.where(OBSERVED, 3 * (b + k * z) - 1 - Y, 0)
    gradient = 3 * k * away / away.square().sum((-3, -2, -1), keepdim=True).sqrt()
    noise = (z - alpha * z0) / sigma
    ddim = float(latent.schedule.alpha(s)) * z0 + float(latent.schedule.sigma(s)) * noise
    torch.testing.assert_close(ours, ddim - pull * alpha**2 * gradient, rtol=0, atol=1e-10)
    torch.testing.assert_close(z0, b + k * z)


def test_the_refreshed_prediction_is_that_of_unrolled_steps(latent):
    sampler, z = ReSampleSampler(20, unroll=2), torch.linspace(-1, 1, 6).double().reshape(1, 1, 1, 2, 3)
    times = latent.times(999, -1, 20)
    s = times[10]
    schedule, expected = latent.schedule, z
    for here, there in zip(times[10:12], times[11:13]):
        x = latent.denoise(expected, here)
        noise = (expected - float(schedule.alpha(here)) * x) / float(schedule.sigma(here))
        expected = float(schedule.alpha(there)) * x + float(schedule.sigma(there)) * noise
    fresh = sampler._refreshed(Run(latent, noisy(), 1), z, s)
    torch.testing.assert_close(fresh, latent.denoise(expected, times[12]), rtol=0, atol=1e-10)


def test_what_it_cannot_do(latent, network_prior):
    with pytest.raises(ValueError, match="it is for latent priors; for pixels take daps"):
        ReSampleSampler(4).settle(network_prior, Measurement.of(Inpainting(OBSERVED), Y))
    with pytest.raises(ValueError, match="for Gaussian noise, or none"):
        ReSampleSampler(4).settle(latent, Measurement(Inpainting(OBSERVED), Laplace(1.0), Y))
