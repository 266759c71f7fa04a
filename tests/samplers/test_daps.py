"""DAPSSampler on a Gaussian prior: its chain's stationary law, its flow, and what it costs."""

import pytest
import torch

from tests.conftest import standard_error
from tests.samplers.half_seen import OBSERVED, Y, seeded
from tests.samplers.linear_codec import LinearCodec
from vipaint_pyro.exact import GaussianPrior
from vipaint_pyro.measurements import Gaussian, Inpainting, Measurement
from vipaint_pyro.priors.schedules import NoiseSchedule
from vipaint_pyro.samplers import DAPSSampler
from vipaint_pyro.samplers.run import Run


def noisy(sigma_y=0.3):
    return Measurement(Inpainting(OBSERVED), Gaussian(sigma_y), Y)


def stationary_variance(precision, h, k):
    """Of x in (x, v) -> M (x, v) + noise, the chain of a Gaussian target: the discrete Lyapunov equation."""
    root = h**0.5
    M = torch.tensor([[1 - h * precision, root * k], [-root * precision, k]], dtype=torch.float64)
    n = (2 * (1 - k)) ** 0.5 * torch.tensor([root, 1.0], dtype=torch.float64)
    identity = torch.eye(4, dtype=torch.float64)
    return torch.linalg.solve(identity - torch.kron(M, M), torch.kron(n, n))[0]


@pytest.mark.parametrize("momentum", [0.0, 0.7])
def test_the_chain_has_the_law_of_a_gaussian_target(gaussian, momentum):
    rho, sigma_y, h, draws = 0.5, 0.3, 0.02, 20_000
    sampler = DAPSSampler(mcmc_steps=150, momentum=momentum)
    x_hat = torch.linspace(-1, 1, 6).double().reshape(1, 1, 1, 2, 3).expand(draws, 1, 1, 2, 3)
    x = sampler.chain(Run(gaussian, noisy(sigma_y), draws, seeded(0)), x_hat, rho, h)[:, 0]
    seen = OBSERVED[0].double()
    precision = 1 / rho**2 + seen / sigma_y**2
    mean = (x_hat[0, 0] / rho**2 + seen * Y[0] / sigma_y**2) / precision
    variance = torch.stack([stationary_variance(float(p), h, momentum) for p in precision.flatten()]).reshape(1, 2, 3)
    away = x - mean
    assert (away.mean(0).abs() < 4.5 * standard_error(away)).all()
    squares = away**2 - variance
    assert (squares.mean(0).abs() < 4.5 * standard_error(squares)).all()


def test_the_flow_is_the_exact_one_on_a_fine_grid(gaussian):
    # Of a Gaussian the probability flow is a shift and a stretch: (x - m) / std_t stays.
    t = 600
    z = torch.linspace(-1, 1, 6).double().reshape(1, 1, 1, 2, 3)
    run = Run(gaussian, noisy(), 1, seeded(0))
    marginal = gaussian.marginal(t)
    exact = gaussian.mean + (z - marginal.mean) / marginal.stddev * gaussian.std
    ends = [DAPSSampler(ode_steps=n).flow(run, z, t) for n in (5, 400)]
    errors = [float((x - exact).abs().max()) for x in ends]
    assert errors[1] < 0.01 < errors[0] < 0.2


def test_levels_are_the_published_ones(gaussian):
    levels = DAPSSampler(num_steps=4).levels(gaussian)
    schedule = gaussian.schedule
    highest = min(100.0, float(schedule.sigma(999) / schedule.alpha(999)))
    grid = [(highest ** (1 / 7) * (1 - k / 3) + 0.1 ** (1 / 7) * k / 3) ** 7 for k in range(4)]
    assert levels == [999, *(schedule.time_of_ratio(r) for r in grid[1:])]


def test_of_latents_the_highest_level_is_10(gaussian):
    gaussian.codec = LinearCodec()
    schedule = gaussian.schedule
    assert float(schedule.sigma(999) / schedule.alpha(999)) > 100
    grid = [(10 ** (1 / 7) * (1 - k / 3) + 0.1 ** (1 / 7) * k / 3) ** 7 for k in range(4)]
    assert DAPSSampler(num_steps=4).levels(gaussian) == [999, *(schedule.time_of_ratio(r) for r in grid[1:])]


def test_the_step_falls_to_a_hundredth_and_the_noise_is_that_of_the_next_level(gaussian, monkeypatch):
    steps, seen = [], []
    monkeypatch.setattr(
        DAPSSampler, "chain", lambda self, run, x_hat, rho, h: steps.append(h) or torch.full_like(x_hat, 0.7)
    )
    sampler = DAPSSampler(num_steps=5, step_size=0.02).settle(gaussian, noisy())
    sampler.images(Run(gaussian, noisy(), 2, seeded(3), lambda progress: seen.append(progress.z)))
    assert steps == pytest.approx([0.02 * f for f in (1, 0.7525, 0.505, 0.2575, 0.01)], rel=1e-12)
    again = Run(gaussian, noisy(), 2, seeded(3))
    again.terminal()
    for z, s in zip(seen, sampler.levels(gaussian)[1:]):
        x = torch.full_like(z, 0.7)
        expected = float(gaussian.schedule.alpha(s)) * x + float(gaussian.schedule.sigma(s)) * again.normal(x)
        torch.testing.assert_close(z, expected, rtol=0, atol=1e-12)
    assert torch.equal(seen[-1], torch.full_like(seen[-1], 0.7))  # the image has no noise


def test_costs_and_defaults(network_prior):
    prior = network_prior.conditioned([0, 1])
    seen = Measurement.of(Inpainting(torch.rand(2, 1, 8, 8) < 0.5), torch.zeros(2, 1, 8, 8))
    samples = DAPSSampler(3, 2, 4)(prior, seen, 5, seeded(0))
    assert samples.calls == {"refinement": 5 * 3 * 2} and samples.backward == {"refinement": 0}
    settled = DAPSSampler().settle(prior, seen)
    assert (settled.num_steps, settled.ode_steps, settled.mcmc_steps) == (200, 5, 100)
    assert (settled.step_size, settled.momentum, settled.measurement_scale) == (1e-4, 0.0, 0.01)


@pytest.mark.parametrize("steps, near", [(1, 1.0), (5, 0.5), (400, 0.01)])
def test_the_flow_starts_where_nothing_is_left_of_the_image(gaussian, steps, near):
    # At the end of a rectified flow alpha is 0, and sigma / alpha no number.
    prior = GaussianPrior(gaussian.mean, gaussian.std, NoiseSchedule.rectified_flow())
    last = prior.schedule.last
    assert float(prior.schedule.alpha(last)) == 0
    z = torch.linspace(-1, 1, 6).double().reshape(1, 1, 1, 2, 3)
    times = DAPSSampler(ode_steps=steps).flow_times(prior, last)
    assert times[0] == last and times[-1] == -1 and times == sorted(set(times), reverse=True)
    end = DAPSSampler(ode_steps=steps).flow(Run(prior, noisy(), 1, seeded(0)), z, last)
    assert (end - (gaussian.mean + z * gaussian.std)).abs().max() < near
    images = DAPSSampler(4, steps, 3)(prior, noisy(), 2, seeded(0)).images
    assert images.isfinite().all()
