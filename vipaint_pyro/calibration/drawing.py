"""Axes without pyplot, and the pictures of ranks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from vipaint_pyro.calibration.ranks import ecdf, ks_band

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["axes_or_new", "draw_ecdf", "draw_histogram"]


def axes_or_new(ax: Axes | None = None) -> Axes:
    """The matplotlib Axes given, else those of a new figure of 5 x 4 inches."""
    if ax is not None:
        return ax
    from matplotlib.figure import Figure  # no pyplot: no global state, no window

    return Figure(figsize=(5, 4), layout="constrained", dpi=120).subplots()


def draw_ecdf(ax: Axes, ranks: Tensor, num_draws: int, names: Sequence[str]) -> Axes:
    """The distribution functions of ranks (P, Q) less the uniform one, in a simultaneous 95 % band."""
    expected, shares = ecdf(ranks, num_draws)
    band = ks_band(len(ranks))
    ax.axhspan(-band, band, color="0.9", zorder=0)
    for name, share in zip(names, shares.T):
        ax.plot(expected.numpy(), (share - expected).numpy(), label=name)
    ax.set(xlabel="rank / (L + 1)", ylabel="ECDF minus uniform")
    if len(names) <= 10:
        ax.legend(fontsize=8)
    return ax


def draw_histogram(ax: Axes, ranks: Tensor, num_draws: int, name: str) -> Axes:
    """Counts of ranks (P,) relative to their expectation, with the central 95 % of each bar's binomial."""
    from scipy.stats import binom

    bins = min(20, num_draws + 1)
    # Bars hold whole numbers of ranks, so that their widths, and expectations, may differ.
    edges = torch.linspace(0, num_draws + 1, bins + 1, dtype=torch.float64, device="cpu").round().long()
    share = edges.diff().double() / (num_draws + 1)
    expected = len(ranks) * share
    slots = torch.bucketize(ranks.contiguous(), edges, right=True) - 1
    heights = torch.bincount(slots, minlength=bins) / expected
    ax.bar(edges[:-1].numpy(), heights.numpy(), edges.diff().numpy(), align="edge", edgecolor="white")
    for quantile in (0.025, 0.975):
        side = torch.as_tensor(binom.ppf(quantile, len(ranks), share.numpy()), device="cpu") / expected
        ax.stairs(side.numpy(), edges.numpy(), color="black", lw=0.8, ls="--")
    ax.axhline(1, color="black", lw=0.8)
    ax.set(xlabel=f"rank of {name}", ylabel="count / expected count")
    return ax
