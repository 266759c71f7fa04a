"""The benchmark's numbers as published, and its problems one by one."""

import numpy as np
import pytest
import torch

from tests.exact.brute_force import COVARIANCES, SCHEDULES, SHAPE, close, make, random
from vipaint_pyro.exact import GaussianMixturePrior, Problems, exact_posterior, mixture_problems, stein_toy
from vipaint_pyro.exact.problems import mcgdiff_schedule
from vipaint_pyro.measurements.matrix import Matrix
from vipaint_pyro.priors.schedules import CLEAN


@pytest.mark.parametrize(
    "d, d_y, seed, sigma, y, evidence, weight, at",
    [
        (8, 1, 0, 0.07478, [-1.90027], -1.15630, 0.57650, 3),
        (8, 2, 3, 0.13255, [-0.72635, 0.15158], -2.10311, 0.86744, 11),
        (80, 1, 7, 0.10016, [-0.66149], -1.54759, 0.27700, 3),
    ],
)
def test_fingerprints(d, d_y, seed, sigma, y, evidence, weight, at):
    problems = mixture_problems(d, d_y, [seed])
    posterior = problems.posterior()
    assert round(problems.sigma.item(), 5) == sigma
    assert [round(v, 5) for v in problems.y.flatten().tolist()] == y
    assert round(posterior.log_evidence.item(), 5) == evidence
    assert round(posterior.weights.max().item(), 5) == weight and posterior.weights.argmax() == at


def test_schedule():
    schedule = mcgdiff_schedule()
    assert schedule.num_timesteps == 999
    assert float(schedule.alpha(998) ** 2) == pytest.approx(4.08e-5, abs=5e-8)
    betas = 1 - (schedule._alpha[:999] ** 2)[1:] / (schedule._alpha[:999] ** 2)[:-1]
    assert float(1 - schedule.alpha(0) ** 2) == pytest.approx(0.02) and float(betas[-1]) == pytest.approx(1e-4)
    close(betas.diff(), betas.diff()[:1].expand(997), 1e-6)


def test_prior_is_the_benchmarks():
    p = mixture_problems(8, 2, range(3))
    means = p.prior.components.original
    assert means.shape == (25, 8) and p.prior.weights.shape == (3, 25)
    expected = torch.tensor([[-8.0 * (i, j)[m % 2] for m in range(8)] for i in range(-2, 3) for j in range(-2, 3)])
    close(means, expected.double())
    close(p.prior.components.eigenvalues, torch.ones(8).double())
    close(p.prior.weights.sum(-1), torch.ones(3).double())
    # A's singular values lie in [0, 1], and the noise below the largest.
    largest = torch.linalg.svdvals(p.operator.matrix)[:, 0]
    assert (largest <= 1).all() and (p.sigma.flatten() <= largest).all()
    residual = (p.y - p.operator(p.truth)) / p.sigma
    assert residual.abs().max() < 5 and len(p) == 3
    # With covariance I and a variance preserving schedule, components keep it at every level.
    close(p.prior.marginal(500).variance_, torch.ones(8).double())


def test_one_draw_per_seed_whatever_the_others():
    many, one = mixture_problems(8, 2, range(5)), mixture_problems(8, 2, [3])
    for name in ("y", "sigma", "truth"):
        assert torch.equal(getattr(many, name)[3:4], getattr(one, name))
    assert torch.equal(many.operator.matrix[3:4], one.operator.matrix)
    close(many.prior.weights[3:4], one.prior.weights)
    assert len({v.item() for v in many.sigma}) == 5
    assert torch.equal(mixture_problems(8, 2, [3, 3]).y[0], one.y[0])
    state = np.random.get_state()[1].copy(), torch.get_rng_state()
    mixture_problems(8, 1, [0])
    assert (np.random.get_state()[1] == state[0]).all() and torch.equal(torch.get_rng_state(), state[1])


def test_options_reach_the_prior():
    p = mixture_problems(8, 1, [0], kernel="gaussian", dtype=torch.float32)
    assert p.prior.kernel == "gaussian" and p[0].prior.kernel == "gaussian"
    assert {v.dtype for v in (p.y, p.sigma, p.truth, p.operator.matrix, p.prior.weights)} == {torch.float32}
    assert p.posterior().mean.dtype == torch.float32


@pytest.mark.parametrize("d, d_y, seeds", [(7, 1, [0]), (0, 1, [0]), (8, 0, [0]), (8, 9, [0])])
def test_refuses_other_sizes(d, d_y, seeds):
    with pytest.raises(ValueError, match=f"d is even and 1 <= d_y <= d, but they are {d} and {d_y}"):
        mixture_problems(d, d_y, seeds)


@pytest.mark.parametrize("seeds", [[], [-1]])
def test_refuses_no_seeds(seeds):
    with pytest.raises(ValueError, match="list or range of one or more whole numbers from 0 on"):
        mixture_problems(8, 1, seeds)


def gather(problems, i):
    """What the i-th posterior is, from the batch."""
    p = problems.posterior(2.0)
    return p.weights[i], p.means[i], p.covariances[i], p.mean[i], p.variance[i], p.log_evidence[i]


@pytest.mark.parametrize("kind", COVARIANCES)
@pytest.mark.parametrize("per_image", [False, True])
def test_one_of_them_is_the_batchs(kind, per_image):
    prior, _ = make(kind, SCHEDULES["vp"], per_image)
    A, sigma = random(2, 3, 4, seed=1), torch.tensor([0.3, 0.6]).double().reshape(2, 1, 1, 1)
    problems = Problems(prior, Matrix(A, SHAPE), random(2, 1, 1, 3), sigma, random(2, *SHAPE, seed=2))
    for i in (0, 1, -1):
        one = problems[i]
        assert len(one) == 1 and torch.equal(one.truth[0], problems.truth[i]) and torch.equal(one.y[0], problems.y[i])
        for ours, theirs in zip(gather(one, 0), gather(problems, i)):
            close(ours, theirs)
        x = random(1, *SHAPE, seed=3)
        close(one.prior.denoise(x, 300)[0], prior.denoise(x.expand(2, *SHAPE), 300)[i])
        assert one.operator(x).shape == (1, 1, 1, 3)
    assert len(list(problems)) == 2
    with pytest.raises(IndexError):
        problems[2]


def test_temperature_is_wider_noise():
    p = mixture_problems(8, 2, [0, 1])
    hot = p.posterior(9.0)
    expected = exact_posterior(p.prior, p.operator, p.y, 3 * p.sigma)
    close(hot.mean, expected.mean)
    # p(x) p(y | x)^(1/9) up to a constant.
    x = p.truth + random(4, 2, 1, 1, 8)
    tempered = p.prior.marginal(CLEAN).log_prob(x) - ((p.y - p.operator(x)) ** 2 / (18 * p.sigma**2)).sum((-3, -2, -1))
    difference = hot.log_prob(x) - tempered
    close(difference, difference[:1].expand(4, 2), 0, 1e-8)


def test_stein_toy_unseen_pair():
    p = stein_toy("A1", 0.2, range(3))
    posterior = p.posterior()
    close(posterior.weights, torch.tensor([0.8, 0.2]).double().expand(3, 2), 1e-7)
    prior = p.prior.marginal(CLEAN)
    close(posterior.mean[..., :2], prior.mean[..., :2].expand(3, 1, 1, 2))
    close(posterior.variance[..., :2], prior.variance[..., :2].expand(3, 1, 1, 2))
    close(prior.mean.flatten(), torch.tensor([0.6, 0.6] + [0.0] * 14).double(), 1e-7, 1e-7)
    # .8 * 1 + .2 * (2 + 9) - .6^2
    close(prior.variance.flatten(), torch.tensor([2.64, 2.64] + [1.0] * 14).double(), 1e-7, 1e-6)
    s = torch.arange(0.1, 0.76, 0.05, dtype=torch.float64)
    close(posterior.mean[..., 2:].flatten(1), s * p.y.flatten(1) / (s**2 + 0.04), 1e-7)
    close(posterior.variance[0, ..., 2:].flatten(), 0.04 / (s**2 + 0.04), 1e-7)


def test_stein_toy_seen_pair():
    p = stein_toy("A2", 0.5, [4])
    truth = [3, 2, 0.5, -0.5, 1, 0.8, -0.6, 1.1, -0.9, 0.4, 0, -1.2, 0.7, -0.3, 0.5, -0.8]
    assert p.truth.flatten().tolist() == truth and p.y.shape == (1, 1, 1, 4) and p.sigma.flatten().tolist() == [0.5]
    noise = np.random.default_rng(4).standard_normal(4)
    close(p.y.flatten(), 3 * torch.tensor(truth[:4]).double() + 0.5 * torch.from_numpy(noise))
    # The pair alone: two Gaussians seen as 3 x_i.
    y = p.y.flatten()[:2]
    a = torch.distributions.Normal(0.0, (9 * 1 + 0.25) ** 0.5).log_prob(y).sum() + np.log(0.8)
    b = torch.distributions.Normal(9.0, (9 * 2 + 0.25) ** 0.5).log_prob(y).sum() + np.log(0.2)
    close(p.posterior().weights.flatten(), torch.stack([a, b]).softmax(0), 1e-6)
    assert len(stein_toy("A1", 0.2)) == 5
    assert torch.equal(stein_toy("A2", 0.5).y[4:], p.y)
    assert isinstance(p[0].prior, GaussianMixturePrior) and not p.prior.components.shared


def test_stein_toy_has_two_operators():
    with pytest.raises(ValueError, match="'A1' or 'A2', not 'A3'"):
        stein_toy("A3", 0.2)
