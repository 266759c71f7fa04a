r"""Benchmark problems whose posteriors are known.

The mixture of 25 Gaussians is that of MCGDiff (Cardoso et al., arXiv:2308.07983, section 5.1) with its
operator, noise and schedule, drawn here from NumPy's generator so that anyone gets the same numbers. The
toy in 16 dimensions is that of arXiv:2602.04189, appendix B.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vipaint_pyro.exact.mixture_prior import KERNELS, GaussianMixturePrior
from vipaint_pyro.exact.posterior import ExactPosterior, exact_posterior
from vipaint_pyro.measurements.matrix import Matrix
from vipaint_pyro.priors.schedules import NoiseSchedule
from vipaint_pyro.settings import checked, number, whole
from vipaint_pyro.wording import shown

__all__ = ["LARGEST", "Problems", "check_cell", "mcgdiff_schedule", "mixture_problems", "stein_toy"]

#: The largest d: a problem has matrices of d times d numbers.
LARGEST = 4096


@dataclass(frozen=True)
class Problems:
    """N inverse problems y = A x + sigma * noise under priors that differ at most in their weights.

    Attributes:
        prior: with weights (N, K) or (K,).
        operator: A for each of them.
        y: (N, 1, 1, d_y).
        sigma: standard deviation of the noise, (N, 1, 1, 1).
        truth: the x that was measured, (N, 1, 1, D).
    """

    prior: GaussianMixturePrior
    operator: Matrix
    y: Tensor
    sigma: Tensor
    truth: Tensor

    def __len__(self) -> int:
        return len(self.y)

    def posterior(self, temperature: float = 1.0) -> ExactPosterior:
        r"""The exact posterior of all of them at once.

        Args:
            temperature: beta; :math:`p(x) p(y|x)^{1/\beta}` is the posterior under noise of variance
                :math:`\beta\sigma^2`, and the maximiser of E[log p(y|x)] - beta KL(q || p).
        """
        return exact_posterior(self.prior, self.operator, self.y, self.sigma * temperature**0.5)

    def __getitem__(self, i: int) -> Problems:
        """One of them, as a set of one."""
        i = range(len(self))[i]
        p, k = self.prior, slice(i, i + 1)
        weights = p.weights[k] if p.weights.ndim == 2 else p.weights
        c = p.components
        means = c.original.reshape(-1, *p.latent_shape)
        kind = {"variances": c.eigenvalues} if c.basis is None else {
            "covariances": (c.basis * c.eigenvalues[..., None, :]) @ c.basis.mT
        }  # fmt: skip
        prior = GaussianMixturePrior(weights, means, p.schedule, kernel=p.kernel, **kind)
        matrix = self.operator.matrix[k]
        return Problems(prior, Matrix(matrix, p.latent_shape), self.y[k], self.sigma[k], self.truth[k])


def mcgdiff_schedule() -> NoiseSchedule:
    """999 betas falling linearly from 0.02 to 1e-4: variance preserving, almost pure noise at the end."""
    return NoiseSchedule.variance_preserving(999, 0.02, 1e-4)


def mixture_problems(
    d: int, d_y: int, seeds: Iterable[int] = range(20), *, kernel: str = "exact", dtype: torch.dtype = torch.float64
) -> Problems:
    """The benchmark's 25 Gaussians of covariance I in d dimensions, seen through d_y of them.

    Tune on seeds from 20 on, report 0 ... 19.

    Args:
        d: dimensions, even; the published table has 8, 80 and 800.
        d_y: measurements; the published table has 1, 2 and 4.
        seeds: one per problem, at least 0.
        kernel: of the prior, see :class:`vipaint_pyro.exact.GaussianMixturePrior`.

    Raises:
        ValueError: for odd dimensions, more measurements than dimensions, or no seeds.
    """
    check_cell(d, d_y)
    seeds = _seeds(seeds)
    if not isinstance(dtype, torch.dtype) or not dtype.is_floating_point:
        raise TypeError(f"dtype is a floating precision, like torch.float64, but is {shown(dtype)}")
    if kernel not in KERNELS:
        raise ValueError(f"kernel is one of {', '.join(KERNELS)}, not {shown(kernel)}")
    grid = range(-2, 3)
    means = np.array([np.tile([-8.0 * i, -8.0 * j], d // 2) for i in grid for j in grid])
    drawn = [_draw(d, d_y, s, means) for s in seeds]
    weights, matrix, sigma, truth, y = (torch.from_numpy(np.stack(v)).to(dtype) for v in zip(*drawn))
    n = len(seeds)
    prior = GaussianMixturePrior(
        weights, torch.from_numpy(means).to(dtype), mcgdiff_schedule(), variances=1.0, kernel=kernel
    )
    return Problems(
        prior, Matrix(matrix), y.reshape(n, 1, 1, d_y), sigma.reshape(n, 1, 1, 1), truth.reshape(n, 1, 1, d)
    )


def check_cell(d: int, d_y: int) -> None:
    """Raise ValueError where the benchmark has no problems of d dimensions and d_y measurements."""
    for name, value in (("d", d), ("d_y", d_y)):
        checked(name, value, whole(0))
    if d > LARGEST:
        raise ValueError(f"d is at most {LARGEST}, but is {d}")
    if d < 2 or d % 2 or not 1 <= d_y <= d:
        raise ValueError(f"d is even and 1 <= d_y <= d, but they are {d} and {d_y}")


def _seeds(seeds: Iterable[int]) -> list[int]:
    listed = list(seeds) if isinstance(seeds, Iterable) and not isinstance(seeds, str) else []
    if not listed or not all(whole(0).check(s) for s in listed):
        raise ValueError(f"seeds are a list or range of one or more whole numbers from 0 on, not {shown(seeds)}")
    return listed


def _draw(d: int, d_y: int, seed: int, means: np.ndarray) -> Any:
    """Weights, A, sigma, x and y of one problem; the order of the draws is part of the benchmark."""
    rng = np.random.default_rng(1000 * d + 10 * d_y + 100_000 * seed)
    g = rng.standard_normal(25)
    w = g**2 / (g**2).sum()
    U, _, Vt = np.linalg.svd(rng.standard_normal((d_y, d)), full_matrices=False)
    s = np.sort(rng.random(d_y))[::-1]
    A = U @ np.diag(s) @ Vt
    x = means[rng.choice(25, p=w)] + rng.standard_normal(d)
    sigma = rng.random() * s.max()
    y = A @ x + sigma * rng.standard_normal(d_y)
    return w, A, np.array(sigma), x, y


def stein_toy(operator: str, sigma: float, seeds: Iterable[int] = range(5)) -> Problems:
    r"""The toy in 16 dimensions: a pair (x_1, x_2) ~ .8 N(0, I) + .2 N((3, 3), 2 I), the others N(0, 1).

    Args:
        operator: ``"A1"``: y_i = s_i x_{i+2} with s = .10, .15, ..., .75, the pair unseen, so that
            the posterior's weights stay .8 and .2; ``"A2"``: y_i = 3 x_i for i = 1 ... 4.
        sigma: of the noise; the paper has .2 and .5.
        seeds: one noise draw each; the truth is the paper's.

    Raises:
        ValueError: for another operator.
    """
    checked("sigma", sigma, number(above=0))
    seeds = _seeds(seeds)
    if operator == "A1":
        A = np.zeros((14, 16))
        A[np.arange(14), np.arange(14) + 2] = np.arange(10, 80, 5) / 100
    elif operator == "A2":
        A = 3 * np.eye(4, 16)
    else:
        raise ValueError(f"operator is 'A1' or 'A2', not {operator!r}")
    x = np.array([3, 2, 0.5, -0.5, 1, 0.8, -0.6, 1.1, -0.9, 0.4, 0, -1.2, 0.7, -0.3, 0.5, -0.8])
    y = np.stack([A @ x + sigma * np.random.default_rng(s).standard_normal(len(A)) for s in seeds])
    n = len(y)
    means = torch.zeros(2, 16, dtype=torch.float64, device="cpu")
    variances = torch.ones_like(means)
    means[1, :2], variances[1, :2] = 3, 2
    weights = torch.tensor([0.8, 0.2], dtype=torch.float32, device="cpu")
    prior = GaussianMixturePrior(
        weights, means, NoiseSchedule.variance_preserving(), variances=variances
    )
    return Problems(
        prior,
        Matrix(torch.from_numpy(A).expand(n, -1, -1)),
        torch.from_numpy(y).reshape(n, 1, 1, -1),
        torch.full((n, 1, 1, 1), float(sigma), dtype=torch.float64, device="cpu"),
        torch.from_numpy(x).expand(n, 1, 1, 16),
    )
