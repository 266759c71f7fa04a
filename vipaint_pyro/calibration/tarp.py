r"""Tests of accuracy with random points: expected coverage of balls around reference points.

Lemos et al. 2023, "Sampling-based accuracy testing of posterior estimators for general inference",
arXiv:2302.03026. The same curve as sbi's ``_run_tarp`` on a finer grid; its ``check_tarp`` compares
the curve with its grid by a two-sample test, whose p value does not have its nominal level, so that
the ranks are tested here instead.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from vipaint_pyro.calibration.checks import Said, check, check_problems, own_generator, uniform
from vipaint_pyro.calibration.coverage import CoverageResult, binomial_coverage
from vipaint_pyro.calibration.drawing import axes_or_new
from vipaint_pyro.calibration.ranks import (
    bias_and_dispersion,
    ecdf,
    ks_band,
    mean_score,
    random_ranks,
    ranks_inside,
    uniform_p_value,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["TARPResult", "tarp"]


@dataclass(frozen=True, eq=False, repr=False)
class TARPResult(Said):
    """Expected coverage over P problems.

    Attributes:
        ranks: (P,), integers in 0..L: how many draws lie nearer to the reference than the truth.
        num_draws: L.
        alpha: (L+2,), credibility levels j/(L+1).
        ecp: (L+2,), expected coverage probability of each, on the diagonal if all is well.
        atc: area to curve, the sum of (ecp - alpha)/(L+1) over alpha >= 1/2: above 0 where the
            posterior is too wide, below 0 where it is too narrow or biased (sbi's sign). Truths
            that lie nearer to the references than the draws do raise it too.
        atc_standard_error: its standard deviation for the exact posterior, about 0.161/sqrt(P).
        ks_p_value: Kolmogorov-Smirnov, of uniform ranks.
        dispersion: in (-1, 2), as of :class:`~vipaint_pyro.calibration.SBCResult`: positive where the
            posterior is too narrow or biased, negative where it is too wide.
        dispersion_p_value: of no excess or lack of dispersion.
        coverage: ecp near 0.5, 0.8 and 0.9, with exact binomial intervals.
    """

    ranks: Tensor
    num_draws: int
    alpha: Tensor
    ecp: Tensor
    atc: float
    atc_standard_error: float
    ks_p_value: float
    dispersion: float
    dispersion_p_value: float
    coverage: CoverageResult

    @property
    def p_value(self) -> float:
        """Of the two tests together, by Bonferroni."""
        return min(1.0, 2 * min(self.ks_p_value, self.dispersion_p_value))

    @property
    def verdict(self) -> str:
        """In words, at the 5 % level."""
        said = "calibrated"
        if self.p_value < 0.05:
            said = "biased or misshapen"
            if 2 * self.dispersion_p_value < 0.05:
                said = "too narrow or biased" if self.dispersion > 0 else "too wide"
            said = f"not calibrated, {said}"
        return f"{said} (p = {self.p_value:.2g}, ATC = {self.atc:.3f} +- {self.atc_standard_error:.3f})"

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw expected coverage against credibility, with its simultaneous 95 % band; returns the Axes."""
        ax = axes_or_new(ax)
        band = ks_band(len(self.ranks))
        low, high = (self.alpha - band).clamp_min(0), (self.alpha + band).clamp_max(1)
        ax.fill_between(self.alpha.numpy(), low.numpy(), high.numpy(), color="0.9", zorder=0)
        ax.plot([0, 1], [0, 1], color="0.7", lw=1)
        ax.plot(self.alpha.numpy(), self.ecp.numpy())
        ax.set(xlabel="credibility", ylabel="expected coverage", xlim=(0, 1), ylim=(0, 1))
        return ax


def tarp(
    truths: Tensor, samples: Tensor, references: Tensor | None = None, generator: torch.Generator | None = None
) -> TARPResult:
    r"""Test P joint posteriors in D dimensions by Euclidean balls around reference points.

    The ball around a reference that just reaches the truth holds a share f of the draws; f is
    uniform for the exact posterior, whatever the references. References that do not depend on y, as
    the default ones, cannot tell the posterior from the prior: pass some that do to test that.

    Args:
        truths: (P, D), of P problems, 100 or more; scale coordinates of different units first.
        samples: (P, L, D), L >= 1 independent posterior draws each.
        references: (P, D), chosen without knowledge of the truth of their problem; by default
            uniform on the box that just holds all truths, as sbi's.
        generator: of references, ties and the KS test's spreading, seeded unlike the data's; None is
            a new one with a fixed seed.

    Raises:
        ValueError: for shapes that do not fit or values that are not finite.
    """
    check_problems(truths, samples, "D")
    generator = own_generator(generator)
    if references is None:
        low, high = truths.min(0).values.double(), truths.max(0).values.double()
        references = (low + (high - low) * uniform(tuple(truths.shape), generator, truths)).to(truths.dtype)
    check("references", references, "(P, D)")
    if references.shape != truths.shape:
        raise ValueError(f"references have the shape of truths, {tuple(truths.shape)}, not {tuple(references.shape)}")
    problems, draws = samples.shape[:2]
    # One formula for both distances: a draw equal to the truth has to tie with it.
    near, far = ((x - references[:, None]).square().sum(-1) for x in (truths[:, None], samples))
    ranks = random_ranks(near, far[..., None], generator)[:, 0].cpu()
    alpha, ecp = ecdf(ranks, draws)
    # A rank adds one over L + 1 to the area for each point of the upper half of the grid that lies above it.
    first = int((alpha < 0.5).sum())
    scores = -torch.arange(1, draws + 2, device="cpu").clamp_min(first).double() / (draws + 1)
    scores -= scores.mean()
    area, error = mean_score(ranks, scores)
    dispersion, dispersion_p = bias_and_dispersion(ranks, draws)[2:]
    levels = torch.tensor([0.5, 0.8, 0.9], dtype=torch.float64, device="cpu")
    inside = torch.tensor([ranks_inside(a, draws) for a in levels.tolist()], device="cpu")
    counts = (ranks[:, None] < inside).sum(0)
    return TARPResult(
        ranks=ranks,
        num_draws=draws,
        alpha=alpha,
        ecp=ecp,
        atc=float(area),
        atc_standard_error=error,
        ks_p_value=uniform_p_value(ranks, draws, generator),
        dispersion=float(dispersion),
        dispersion_p_value=float(dispersion_p),
        coverage=binomial_coverage(counts, problems, levels, inside.double() / (draws + 1)),
    )
