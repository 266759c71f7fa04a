r"""Coverage: how often a posterior's credible regions hold the truth.

A region of level a should hold it in a share a of the problems, whether the region is that of the
highest posterior density or a central interval of one coordinate.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from vipaint_pyro.calibration.checks import Said, check, check_levels, check_problems
from vipaint_pyro.calibration.drawing import axes_or_new
from vipaint_pyro.calibration.ranks import random_ranks, ranks_inside

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["CoverageResult", "binomial_coverage", "coverage", "interval_coverage"]


@dataclass(frozen=True, eq=False, repr=False)
class CoverageResult(Said):
    """Observed coverage at A levels, for one region (no *) or one per quantity (* = Q).

    Attributes:
        levels: (A,), as asked.
        expected: (A,), what the exact posterior attains. L draws split the line into L + 1 equally
            likely parts, so that it is a multiple of 1/(L+1), at or just above the level.
        counts: (*, A), in how many problems the region held the truth.
        num_problems: P.
        low: (*, A), lower end of the exact (Clopper-Pearson) 95 % interval of the coverage.
        high: (*, A), upper end.
        p_values: (*, A), exact two-sided binomial test of the expected coverage.
    """

    levels: Tensor
    expected: Tensor
    counts: Tensor
    num_problems: int
    low: Tensor
    high: Tensor
    p_values: Tensor

    @property
    def coverage(self) -> Tensor:
        """(*, A), the shares of problems whose region held the truth."""
        return self.counts.double() / self.num_problems

    @property
    def p_value(self) -> float:
        """Of all levels and quantities together, by Bonferroni (cautious, as levels go together)."""
        return min(1.0, float(self.p_values.min()) * self.p_values.numel())

    @property
    def verdict(self) -> str:
        """In words, at the overall 5 % level."""
        wrong = self.p_values * self.p_values.numel() < 0.05
        below, above = self.coverage < self.expected, self.coverage > self.expected
        said = ["too narrow or biased"] if (wrong & below).any() else []
        said += ["too wide"] if (wrong & above).any() else []
        return f"{' and '.join(said) or 'calibrated'} (p = {self.p_value:.2g})"

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw observed against expected coverage with its 95 % interval; returns the Axes."""
        ax = axes_or_new(ax)
        ax.plot([0, 1], [0, 1], color="0.7", lw=1, zorder=0)
        rows = [x.reshape(-1, len(self.levels)) for x in (self.coverage, self.low, self.high)]
        for share, low, high in zip(*rows):
            error = torch.stack([share - low, high - share]).clamp_min(0)
            ax.errorbar(self.expected.numpy(), share.numpy(), yerr=error.numpy(), fmt="o-", capsize=3, ms=4)
        ax.set(xlabel="expected coverage", ylabel="coverage", xlim=(0, 1), ylim=(0, 1))
        return ax


def binomial_coverage(counts: Tensor, num_problems: int, levels: Tensor, expected: Tensor) -> CoverageResult:
    """Exact binomial intervals and tests of counts (*, A) out of P, against the expected (A,)."""
    from scipy.stats import binomtest

    chances = expected.expand(counts.shape).flatten().tolist()
    tests = [binomtest(int(k), num_problems, p) for k, p in zip(counts.flatten(), chances)]
    ends = [t.proportion_ci(0.95, method="exact") for t in tests]
    columns = ([e.low for e in ends], [e.high for e in ends], [t.pvalue for t in tests])
    low, high, p = (torch.tensor(c, dtype=torch.float64, device="cpu").reshape(counts.shape) for c in columns)
    return CoverageResult(levels, expected, counts, num_problems, low, high, p)


def coverage(
    truth_log_prob: Tensor,
    sample_log_prob: Tensor,
    levels: Sequence[float] = (0.5, 0.8, 0.9),
    generator: torch.Generator | None = None,
) -> CoverageResult:
    r"""Coverage of the highest-posterior-density regions.

    The region of level a holds the truth if its log density exceeds the (1 - a) quantile of the
    draws' log densities. The density may be of any q as long as the draws are from that q; it may
    also be the exact posterior's, whether or not they are.

    Args:
        truth_log_prob: (P,), in nats up to a constant per problem; -inf is allowed.
        sample_log_prob: (P, L), of L >= 1 independent draws each.
        levels: a, each in (0, 1).
        generator: breaks ties between truth and draws; None is a new one with a fixed seed.

    Raises:
        ValueError: for shapes that do not fit, NaN or +inf, or levels out of range.
    """
    check("truth_log_prob", truth_log_prob, "(P,)", infinite=-math.inf)
    check("sample_log_prob", sample_log_prob, "(P, L)", infinite=-math.inf)
    if len(truth_log_prob) != len(sample_log_prob):
        raise ValueError(f"truth_log_prob has {len(truth_log_prob)} problems, sample_log_prob {len(sample_log_prob)}")
    asked, (problems, draws) = check_levels(levels), sample_log_prob.shape
    above = random_ranks(-truth_log_prob[:, None], -sample_log_prob[..., None], generator).cpu()
    inside = torch.tensor([ranks_inside(a, draws) for a in asked.tolist()], device="cpu")
    return binomial_coverage((above < inside).sum(0), problems, asked, inside.double() / (draws + 1))


def interval_coverage(
    truths: Tensor,
    samples: Tensor,
    levels: Sequence[float] = (0.5, 0.8, 0.9),
    generator: torch.Generator | None = None,
) -> CoverageResult:
    """Coverage of the central interval of each of Q quantities; counts have the shape (Q, A).

    Args:
        truths: (P, Q).
        samples: (P, L, Q), L >= 1 independent draws each.
        levels: a, each in (0, 1); the interval leaves (1 - a)/2 out on either side.
        generator: breaks ties between truth and draws; None is a new one with a fixed seed.

    Raises:
        ValueError: for shapes that do not fit, values that are not finite, or levels out of range.
    """
    check_problems(truths, samples)
    asked, (problems, draws, _) = check_levels(levels), samples.shape
    ranks = random_ranks(truths, samples, generator).cpu()[..., None]
    outside = torch.tensor([draws + 1 - ranks_inside((1 + a) / 2, draws) for a in asked.tolist()], device="cpu")
    inside = (ranks >= outside) & (ranks <= draws - outside)
    return binomial_coverage(inside.sum(0), problems, asked, 1 - 2 * outside.double() / (draws + 1))
