r"""Pareto-smoothed importance sampling: how far the weights p(y, z)/q(z) of a guide can be trusted.

Vehtari et al. 2024, "Pareto smoothed importance sampling", JMLR 25(72), arXiv:1507.02646. As in
ArviZ's ``psislw``, of which the tail's length and the fit are; see :func:`psis` for what differs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from vipaint_pyro.calibration.checks import Said, check
from vipaint_pyro.calibration.drawing import axes_or_new
from vipaint_pyro.wording import shown

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["PSISResult", "psis"]

_MIN_DRAWS, _MIN_TAIL = 25, 5
_TOO_FEW = "unknown (too few draws in the tail)"


@dataclass(frozen=True, eq=False, repr=False)
class PSISResult(Said):
    """Smoothed weights and their diagnostics, of each row (*) of S draws; all in float64.

    Attributes:
        smoothed: of the input's shape, logarithms of weights that sum to 1 over the draws.
        k_hat: (*), estimated shape of the tail: moments of the weights above 1/k do not exist.
            NaN with fewer than 25 draws or 5 distinct draws in the tail, -inf where the largest
            weights are equal up to rounding (there is no tail).
        ess: (*), effective number of draws, 1 / sum of squared smoothed weights.
        log_mean: (*), logarithm of the mean of the raw weights: of the evidence p(y), in nats.
        log_mean_standard_error: (*), by the delta method; only to be believed where k is good, and
            NaN for one draw.
        threshold: min(1 - 1/log10(S), 0.7), above which k is unreliable.
    """

    smoothed: Tensor
    k_hat: Tensor
    ess: Tensor
    log_mean: Tensor
    log_mean_standard_error: Tensor
    threshold: float

    @property
    def words(self) -> list[str]:
        """Of each row: good, unreliable, no mean (k > 1) or unknown (too few draws)."""
        return [self._word(k) for k in self.k_hat.flatten().tolist()]

    def _word(self, k: float) -> str:
        if math.isnan(k):
            alone = self.log_mean_standard_error.isnan().all()  # which it is of one draw
            return "unknown (a row is one draw: is dim the axis of the draws?)" if alone else _TOO_FEW
        return "good" if k < self.threshold else "unreliable" if k <= 1 else "no mean"

    @property
    def verdict(self) -> str:
        """In words: of the one row, or how many rows are what and the largest k."""
        words, largest = self.words, f"largest k = {self.k_hat.nan_to_num(-math.inf).max():.2f}"
        if self.k_hat.isnan().all():
            return words[0]
        if len(words) == 1:
            return f"{words[0]} (k = {self.k_hat.item():.2f}, threshold {self.threshold:.2f})"
        counts = [f"{words.count(w)} {w}" for w in dict.fromkeys(words)]
        return f"{', '.join(counts)} of {len(words)} ({largest}, threshold {self.threshold:.2f})"

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw k of each row with the lines above which it is unreliable, and has no mean; returns the Axes."""
        ax = axes_or_new(ax)
        ax.plot(self.k_hat.flatten().cpu().numpy(), "o", ms=4)
        ax.axhline(self.threshold, color="0.5", ls="--", label="unreliable above")
        ax.axhline(1, color="black", ls="--", label="no mean above")
        ax.set(xlabel="row", ylabel="Pareto k")
        ax.legend(fontsize=8)
        return ax


def _smooth(row: Tensor, tail: int, eps: float) -> tuple[Tensor, float]:
    """Log weights (S,) of maximum 0 with their upper tail replaced by Pareto quantiles, and k."""
    order = row.argsort()
    cutoff = max(row[order[-tail - 1]].item(), math.log(torch.finfo(row.dtype).tiny))
    if -cutoff <= eps:
        return row, -math.inf
    upper = order[row[order] > cutoff]
    if len(upper) < _MIN_TAIL:
        return row, math.nan
    # Not with the module: Pyro takes a second to load, and what else stands here does without.
    from pyro.ops.stats import fit_generalized_pareto

    with torch.device(row.device):  # Pyro names no device
        k, sigma = fit_generalized_pareto(row[upper].exp() - math.exp(cutoff))
    if not (math.isfinite(k) and sigma > 0):
        return row, math.nan
    p = (torch.arange(len(upper), dtype=row.dtype, device=row.device) + 0.5) / len(upper)
    excess = -torch.log1p(-p) if k == 0 else torch.expm1(-k * torch.log1p(-p)) / k
    smoothed = row.clone()
    smoothed[upper] = (sigma * excess + math.exp(cutoff)).log().clamp_max(0)
    return smoothed, k


def psis(log_weights: Tensor, dim: int = -1) -> PSISResult:
    r"""Smooth the largest min(S/5, 3 sqrt(S)) of S importance weights by a fitted Pareto tail.

    The order of the weights stays, and none exceeds the largest raw one. k is blind to modes that
    the proposal never visits: look at the mode weights too. 2200 draws or more are advisable, from
    where on the threshold is 0.7.

    Differences from ArviZ: log_mean and its error; NaN for k where ArviZ has inf; -inf for equal
    weights; and Pyro's fit keeps weights of its grid down to 1e-30, ArviZ's down to 2e-15, which
    moves k by less than 1e-10. Its relative MCMC efficiency is 1 here, draws being independent.

    Args:
        log_weights: (*, S) if ``dim`` is last, in nats, of independent draws; -inf is a weight of 0.
        dim: the axis of the draws.

    Raises:
        ValueError: for an empty tensor, NaN or +inf, or a row without a positive weight.
    """
    check("log_weights", log_weights, "(*, S)", infinite=-math.inf)
    if not log_weights.is_floating_point():
        raise ValueError(f"log_weights are floating-point numbers, not {log_weights.dtype}")
    if not isinstance(dim, int) or isinstance(dim, bool) or not -log_weights.ndim <= dim < log_weights.ndim:
        raise ValueError(f"dim is an axis of log_weights {tuple(log_weights.shape)}, but is {shown(dim)}")
    rows = log_weights.detach().movedim(dim, -1).double().cpu()  # Pyro's fit runs on the CPU
    size, peak = rows.shape[-1], rows.amax(-1, keepdim=True)
    if (peak == -math.inf).any():
        raise ValueError("log_weights has a row without a positive weight: all its values are -inf")
    shifted, tail = rows - peak, math.ceil(min(0.2 * size, 3 * math.sqrt(size)))
    fits = [(row, math.nan) for row in shifted.reshape(-1, size)]
    if size >= _MIN_DRAWS:
        # A weight is known up to the rounding of its logarithm, which grows with its size.
        noise = 8 * torch.finfo(log_weights.dtype).eps * peak.abs().clamp_min(1).flatten()
        fits = [_smooth(row, tail, eps) for (row, _), eps in zip(fits, noise.tolist())]
    smoothed = torch.stack([s for s, _ in fits]).log_softmax(-1).reshape(rows.shape)
    log_mean = rows.logsumexp(-1) - math.log(size)
    ratio = (rows - log_mean[..., None]).exp()
    error = ratio.std(-1) / math.sqrt(size) if size > 1 else torch.full_like(log_mean, math.nan)
    values = (
        smoothed.movedim(-1, dim),
        torch.tensor([k for _, k in fits], dtype=torch.float64, device="cpu").reshape(rows.shape[:-1]),
        1 / (2 * smoothed).exp().sum(-1),
        log_mean,
        error,
    )
    threshold = min(1 - 1 / math.log10(size), 0.7) if size > 1 else -math.inf
    smoothed, k_hat, ess, log_mean, error = (v.to(log_weights.device) for v in values)
    return PSISResult(smoothed, k_hat, ess, log_mean, error, threshold)
