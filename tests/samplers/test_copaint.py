"""CoPaintSampler: the stationary point of its inner optimisation, its step lengths, and what it costs."""

import pyro.distributions as dist
import pytest
import torch

from tests.samplers.half_seen import OBSERVED, Y, affine, seeded
from vipaint_pyro.measurements import Gaussian, Inpainting, Measurement
from vipaint_pyro.measurements.nonlinear import Nonlinear
from vipaint_pyro.priors.kernels import reverse_step
from vipaint_pyro.samplers import CoPaintSampler, make_sampler
from vipaint_pyro.samplers.run import Run


def run(gaussian, num_samples=2):
    return Run(gaussian, Measurement.of(Inpainting(OBSERVED), Y), num_samples, seeded(5))


@pytest.mark.battery
@pytest.mark.parametrize("prox", [0.02, 0.1, 1.0])
def test_many_gradients_reach_the_stationary_point(gaussian, prox):
    # k (k z + b - y) + lambda (z - z_t) = 0 where seen; z_t elsewhere.
    z = torch.linspace(-1, 1, 12).double().reshape(2, 1, 1, 2, 3)
    sampler = CoPaintSampler(20, num_gradients=600, lr=0.5, prox=prox)
    moved, z0 = sampler._moved(run(gaussian), z, 449)
    b, k = affine(gaussian, 449)
    best = torch.where(OBSERVED, (k * (Y - b) + prox * z) / (k**2 + prox), z)
    torch.testing.assert_close(moved, best, rtol=0, atol=1e-6)
    torch.testing.assert_close(z0, gaussian.denoise(best, 449), rtol=0, atol=1e-6)


def test_a_step_written_out(gaussian):
    # Time 449 is reached after 11 of 20 steps.
    z = torch.linspace(-1, 1, 12).double().reshape(2, 1, 1, 2, 3)
    sampler = CoPaintSampler(20, num_gradients=2, lr=0.02, lr_growth=1.1, prox=0.3, prox_growth=1.2)
    ours, _ = sampler.step(run(gaussian), z, 449, 399)
    b, k = affine(gaussian, 449)
    schedule = gaussian.schedule
    lr, prox, expected = 0.02 * 1.1**11 * float(schedule.alpha(449) / schedule.alpha(0)), 0.3 * 1.2**11, z
    for _ in range(2):
        gradient = 2 * torch.where(OBSERVED, k * (b + k * expected - Y), 0) + 2 * prox * (expected - z)
        expected = expected - lr * gradient
    c_0, c_t, _ = (float(c) for c in reverse_step(schedule, 449, 399, 0.0))
    torch.testing.assert_close(ours, c_0 * (b + k * expected) + c_t * expected, rtol=0, atol=1e-10)


def test_a_step_that_is_too_long_is_shortened_for_its_sample_alone(gaussian):
    z = torch.stack([torch.full((1, 1, 2, 3), 3.0), torch.zeros(1, 1, 2, 3)]).double()
    b, k = affine(gaussian, 449)
    # A prox of 1 and a rate of 3 / alpha overshoot: 1 - 2 * 3 * (k^2 + 1) < -1.
    sampler = CoPaintSampler(20, num_gradients=1, lr=3.0, lr_growth=1.0, prox=1.0)
    both, _ = sampler._moved(run(gaussian), z, 449)
    for i in range(2):
        alone, _ = sampler._moved(run(gaussian, 1), z[i : i + 1], 449)
        torch.testing.assert_close(both[i : i + 1], alone, rtol=0, atol=1e-12)

    def objective(at):
        return (torch.where(OBSERVED, b + k * at - Y, 0) ** 2 + (at - z) ** 2).sum((-3, -2, -1))

    assert (objective(both) <= objective(z)).all()
    rate = 3.0 * float(gaussian.schedule.alpha(449) / gaussian.schedule.alpha(0))
    gradient = 2 * torch.where(OBSERVED, k * (b + k * z - Y), 0)
    taken = (z - both).abs().sum((-3, -2, -1)) / gradient.abs().sum((-3, -2, -1))
    lengths = (taken / rate).log() / torch.tensor(0.8).double().log()
    torch.testing.assert_close(lengths, lengths.round(), rtol=0, atol=1e-6)  # whole numbers of shortenings
    assert (lengths.round() >= 1).all()


def test_only_the_sample_that_overshoots_is_shortened(gaussian):
    # Along one pixel a step of r goes down where r <= 1 / k^2; the two pixels that are seen have other k.
    b, k = affine(gaussian, 449)
    there = (Y - b) / k  # y is explained
    first, second = torch.zeros(2, 1, 1, 2, 3).double()
    first[..., 0, 0], second[..., 1, 1] = 1.0, 1.0
    z = torch.stack([there + first, there + second])
    bound = 1 / k.square()
    rate = float(bound[..., 1, 1]) * 3
    assert rate < float(bound[..., 0, 0])
    sampler = CoPaintSampler(20, num_gradients=1, lr=rate, lr_growth=1.0, prox=0.0)
    moved, _ = sampler._moved(run(gaussian), z, 449)
    rate *= float(gaussian.schedule.alpha(449) / gaussian.schedule.alpha(0))
    times = 0
    while rate * 0.8**times > float(bound[..., 1, 1]):
        times += 1
    assert times > 1
    expected = z - torch.stack([rate * 2 * k**2 * first, rate * 0.8**times * 2 * k**2 * second])
    torch.testing.assert_close(moved, expected, rtol=0, atol=1e-9)


def test_a_step_that_stays_too_long_is_given_up(gaussian):
    # Shortened 30 times, to 1.2e-3 of itself, it still overshoots: then the sample stays where it is.
    z = torch.linspace(-1, 1, 12).double().reshape(2, 1, 1, 2, 3)
    walk = run(gaussian)
    with walk.phase("moves"):
        moved, z0 = CoPaintSampler(20, num_gradients=1, lr=1e6, prox=1.0)._moved(walk, z, 449)
    assert torch.equal(moved, z)
    torch.testing.assert_close(z0, gaussian.denoise(z, 449), rtol=0, atol=1e-12)
    assert walk.calls == {"moves": 2 * (1 + 31)}


def test_what_is_no_number_is_worse(gaussian):
    # sqrt(2 - x) has no value beyond 2, and y of 0.1 calls there: a step that is too long ends where there is none.
    operator = Nonlinear(lambda x: (2 - x).sqrt(), dist.Poisson, (1, 2, 3), dtype=torch.float64)
    y = torch.full((1, 1, 2, 3), 0.1).double()
    walk = Run(gaussian, Measurement(operator, Gaussian(0.3), y), 1, seeded(5))
    b, k = affine(gaussian, 449)
    z = torch.zeros(1, 1, 1, 2, 3).double()
    root = (2 - b).sqrt()
    down = (root - 0.1) / root * k  # minus the gradient of sum (0.1 - sqrt(2 - b - k z))^2 at 0
    rate = 100.0
    sampler = CoPaintSampler(20, num_gradients=1, lr=rate, lr_growth=1.0, prox=0.0)
    moved, z0 = sampler._moved(walk, z, 449)
    rate *= float(gaussian.schedule.alpha(449) / gaussian.schedule.alpha(0))
    times = next(n for n in range(31) if (b + k * rate * 0.8**n * down < 2).all())
    assert times > 2
    assert ((0.1 - (2 - b - k * rate * 0.8**times * down).sqrt()) ** 2).sum() < ((0.1 - root) ** 2).sum()
    torch.testing.assert_close(moved[0], rate * 0.8**times * down, rtol=1e-6, atol=0)
    torch.testing.assert_close(z0[0], b + k * moved[0], rtol=1e-6, atol=0)


@pytest.mark.parametrize("num_gradients", [1, 2, 3])
def test_what_a_level_costs(network_prior, num_gradients):
    seen = Measurement.of(Inpainting(torch.rand(2, 1, 8, 8) < 0.5), torch.zeros(2, 1, 8, 8))
    samples = CoPaintSampler(5, num_gradients=num_gradients, lr=1e-4)(
        network_prior.conditioned([0, 1]), seen, 3, seeded(0)
    )
    assert samples.calls == {"refinement": 3 * 5 * (1 + num_gradients)}
    assert samples.backward == {"refinement": 3 * 5 * num_gradients}


def test_time_travel_moves_once_more_at_the_foot_of_a_jump(gaussian):
    # 6 steps in stretches of 2, twice: 10 down, 2 jumps; 3 forward calls each.
    sampler = make_sampler("copaint-tt", num_steps=6, jump_length=2, lr=1e-4)
    seen = Measurement.of(Inpainting(OBSERVED), Y)
    assert sampler(gaussian, seen, 1, seeded(0)).calls == {"refinement": 3 * (10 + 2)}
    assert sampler.settle(gaussian, seen).phases() == {"refinement": 14}
