"""Gaussian mixtures by textbook formulas with dense matrices, one image at a time: the tests' truth."""

import torch
from torch import Tensor
from torch.distributions import Categorical, MixtureSameFamily, MultivariateNormal

from tests.conftest import standard_error
from vipaint_pyro.exact import DatasetPrior, GaussianMixturePrior, GaussianPrior
from vipaint_pyro.priors.schedules import NoiseSchedule

SHAPE = (2, 1, 2)
SCHEDULES = {
    "vp": NoiseSchedule.variance_preserving(),
    "ve": NoiseSchedule.variance_exploding(),
    "flow": NoiseSchedule.rectified_flow(),
}
#: Every way to say what the covariances are.
COVARIANCES = ("number", "diagonal", "full", "own diagonal", "own full")
PRIORS = (*COVARIANCES, "gaussian", "gaussian full", "dataset")


class Mixture:
    """Weights (K,), means (K, D) and covariances (K, D, D)."""

    def __init__(self, weights: Tensor, means: Tensor, covariances: Tensor) -> None:
        self.weights, self.means, self.covariances = weights / weights.sum(), means, covariances

    @property
    def law(self) -> MixtureSameFamily:
        return MixtureSameFamily(Categorical(self.weights), MultivariateNormal(self.means, self.covariances))

    def log_prob(self, x: Tensor) -> Tensor:
        return self.law.log_prob(x.flatten(-3))

    @property
    def mean(self) -> Tensor:
        return self.weights @ self.means

    @property
    def covariance(self) -> Tensor:
        second = self.covariances + self.means[:, :, None] * self.means[:, None, :]
        return (self.weights[:, None, None] * second).sum(0) - self.mean[:, None] * self.mean

    def through(self, A: Tensor, noise: Tensor) -> "Mixture":
        """Of A x + N(0, noise)."""
        return Mixture(self.weights, self.means @ A.T, A @ self.covariances @ A.T + noise)

    def given(self, v: Tensor, A: Tensor, noise: Tensor) -> "Mixture":
        """Of x given A x + N(0, noise) = v, by the conditional of a joint Gaussian."""
        seen = self.through(A, noise)
        inverse = torch.linalg.inv(seen.covariances)
        gain = self.covariances @ A.T @ inverse
        means = self.means + (gain @ (v - seen.means)[..., None])[..., 0]
        each = MultivariateNormal(seen.means, seen.covariances).log_prob(v)
        return Mixture((self.weights.log() + each).softmax(0), means, self.covariances - gain @ A @ self.covariances)

    def noised(self, schedule: NoiseSchedule, t: int) -> "Mixture":
        eye = torch.eye(self.means.shape[1], dtype=torch.float64)
        return self.through(schedule.alpha(t) * eye, schedule.sigma(t) ** 2 * eye)

    def reverse(self, schedule: NoiseSchedule, z: Tensor, t: int, s: int) -> "Mixture":
        """p(z_s | z_t = z), by Bayes' rule with the forward step as the likelihood."""
        eye = torch.eye(self.means.shape[1], dtype=torch.float64)
        a = schedule.alpha(t) / schedule.alpha(s)
        v = schedule.sigma(t) ** 2 - a**2 * schedule.sigma(s) ** 2
        return self.noised(schedule, s).given(z.flatten(), a * eye, v * eye)


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def spd(*batch, d=4, seed=0):
    """Covariance matrices, well away from diagonal ones."""
    r = random(*batch, d, d, seed=seed)
    return 0.15 * r @ r.mT + 0.05 * torch.eye(d, dtype=torch.float64)


def make(kind: str, schedule: NoiseSchedule, per_image: bool = False, **options):
    """A prior over images of SHAPE, and the same for each of two images as a Mixture."""
    eye, k = torch.eye(4, dtype=torch.float64), 1 if kind.startswith("gaussian") else 3
    means, v = 0.8 * random(k, *SHAPE, seed=3), 0.1 + random(4, seed=4) ** 2
    weights = 0.2 + random(*((2, k) if per_image else (k,)), seed=5) ** 2
    if kind == "number":
        prior = GaussianMixturePrior(weights, means, schedule, variances=0.3, **options)
        covariances = 0.3 * eye.expand(k, 4, 4)
    elif kind == "diagonal":
        prior = GaussianMixturePrior(weights, means, schedule, variances=v.reshape(SHAPE), **options)
        covariances = v.diag().expand(k, 4, 4)
    elif kind == "own diagonal":
        own = 0.1 + random(k, *SHAPE, seed=6) ** 2
        prior = GaussianMixturePrior(weights, means, schedule, variances=own, **options)
        covariances = torch.diag_embed(own.flatten(1))
    elif kind in ("full", "own full"):
        full = spd(*((k,) if kind == "own full" else ()), seed=7)
        prior = GaussianMixturePrior(weights, means, schedule, covariances=full, **options)
        covariances = full.expand(k, 4, 4)
    elif kind == "gaussian":
        prior = GaussianPrior(means[0], v.sqrt().reshape(SHAPE), schedule, **options)
        covariances = v.diag()[None]
    elif kind == "gaussian full":
        prior = GaussianPrior(means[0], None, schedule, covariance=spd(seed=7), **options)
        covariances = spd(seed=7)[None]
    else:
        means = means.tanh()
        prior = DatasetPrior(means, 0.2, schedule, weights=weights, **options)
        covariances = 0.04 * eye.expand(k, 4, 4)
    w = weights.expand(2, k)
    return prior, [Mixture(w[n], means.flatten(1), covariances) for n in range(2)]


def each(mixtures, f) -> Tensor:
    """f(mixture, n) of the two images, stacked."""
    return torch.stack([f(m, n) for n, m in enumerate(mixtures)])


def log_probs(mixtures, x: Tensor) -> Tensor:
    """Of x (2, C, H, W) under the two images' mixtures."""
    return each(mixtures, lambda m, n: m.log_prob(x[n]))


def moments_agree(draws: Tensor, mixture: Mixture) -> bool:
    """Whether the mean and every product of draws (S, D) are as expected, up to 4.5 standard errors."""
    away = draws - mixture.mean
    products = away[:, :, None] * away[:, None, :] - mixture.covariance
    return all((v.mean(0).abs() < 4.5 * standard_error(v)).all() for v in (away, products))


def close(actual, expected, rtol=1e-9, atol=1e-10):
    torch.testing.assert_close(actual, expected, rtol=rtol, atol=atol)
