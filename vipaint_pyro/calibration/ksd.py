r"""Kernel Stein discrepancy: do the samples fit a density of which only the score is known?

Gorham & Mackey 2017, "Measuring sample quality with kernels", arXiv:1703.01717, with their inverse
multiquadric kernel :math:`k(x, x') = (c^2 + |x - x'|^2)^{-1/2}`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from vipaint_pyro.calibration.checks import Said, check
from vipaint_pyro.calibration.drawing import axes_or_new
from vipaint_pyro.settings import number
from vipaint_pyro.wording import shown

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["KSDResult", "ksd", "stein_kernel"]

_ROWS = 1024


@dataclass(frozen=True, eq=False, repr=False)
class KSDResult(Said):
    """A discrepancy of N samples in D dimensions from a density.

    Attributes:
        discrepancy: sqrt(sum_ij u(x_i, x_j) / D) / N, at least 0; it falls to 0 as 1/sqrt(N) for
            independent exact draws, and depends on the units of x.
        floor: sqrt(mean_i u(x_i, x_i) / (D N)), the root of what independent exact draws have on
            average for its square; estimated on these samples, so only of use near it.
        contributions: (N,), sum_j u(x_i, x_j) / (D N) of each sample, whose mean is the square of
            the discrepancy. Large ones mark samples that are out of place.
    """

    discrepancy: float
    floor: float
    contributions: Tensor

    @property
    def verdict(self) -> str:
        """In words: the discrepancy beside that of exact draws."""
        return f"KSD {self.discrepancy:.3g} (independent exact draws about {self.floor:.3g})"

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the contributions, sorted, with the level of exact draws; returns the Axes."""
        ax = axes_or_new(ax)
        ax.plot(self.contributions.sort().values.cpu().numpy(), ".", ms=4, label=f"KSD {self.discrepancy:.3g}")
        ax.axhline(self.floor**2, color="0.5", ls="--", label="mean of exact draws")
        ax.set(xlabel="samples, sorted", ylabel="contribution to KSD squared")
        ax.legend(fontsize=8)
        return ax


def stein_kernel(x: Tensor, score_x: Tensor, y: Tensor, score_y: Tensor, c: float) -> Tensor:
    r"""The Stein kernel u(x_i, y_j), of mean zero in either argument under the density.

    .. math:: u(x, y) = s_x \cdot s_y\, k + s_x \cdot \nabla_y k + s_y \cdot \nabla_x k
        + \mathrm{tr}\, \nabla_x \nabla_y k

    Args:
        x: (N, D).
        score_x: (N, D), gradient of the log density at x.
        y: (M, D).
        score_y: (M, D).
        c: scale of the kernel > 0, in units of x.

    Returns:
        (N, M).
    """
    dim = x.shape[1]
    r2 = (x.square().sum(1)[:, None] + y.square().sum(1) - 2 * x @ y.T).clamp_min(0)
    k = (c**2 + r2).rsqrt()
    # s_x . (x - y) - s_y . (x - y) for all pairs, without an (N, M, D) tensor.
    slope = (score_x * x).sum(1)[:, None] - score_x @ y.T - x @ score_y.T + (score_y * y).sum(1)
    return score_x @ score_y.T * k + (slope + dim) * k**3 - 3 * r2 * k**5


def ksd(samples: Tensor, scores: Tensor, c: float = 1.0) -> KSDResult:
    r"""Kernel Stein discrepancy of samples from a density, by its score at the samples.

    Like every method that sees the density only through its score, it hardly notices wrong weights
    of modes that lie far apart.

    Args:
        samples: (N, D).
        scores: (N, D), gradient of the log density at each sample.
        c: scale of the kernel > 0, in units of x.

    Raises:
        ValueError: for shapes that do not fit, values that are not finite, or c <= 0.
    """
    check("samples", samples, "(N, D)")
    check("scores", scores, "(N, D)")
    if samples.shape != scores.shape:
        raise ValueError(f"scores have the shape of samples, {tuple(samples.shape)}, not {tuple(scores.shape)}")
    if not number(above=0).check(c):
        raise ValueError(f"c is a positive number, not {shown(c)}")
    x, s = samples.detach().double(), scores.detach().double()
    num, dim = x.shape
    x = x - x.mean(0)  # u depends on differences only; far from the origin they would lose digits
    blocks = range(0, num, _ROWS)
    sums = torch.cat([stein_kernel(x[i : i + _ROWS], s[i : i + _ROWS], x, s, c).sum(1) for i in blocks])
    own = s.square().sum(1) / c + dim / c**3
    contributions = sums / (dim * num)
    square = contributions.mean().clamp_min(0).item()  # positive definite, but for rounding
    return KSDResult(math.sqrt(square), math.sqrt(own.mean().item() / (dim * num)), contributions)
