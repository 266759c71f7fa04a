"""The few ways in which samples differ: computed, nothing is drawn here."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from vipaint_pyro.plots.pictures import as_hole, as_samples

__all__ = ["Directions", "principal_directions"]


@dataclass(frozen=True, eq=False)
class Directions:
    """Principal directions of samples.

    Attributes:
        mean: (C, H, W), of the samples.
        patterns: (K, C, H, W), of length 1 and orthogonal to each other, 0 outside of the hole; K may be 0. Of both
            signs the one whose entry of the largest size is positive.
        sds: (K,), the samples' standard deviation along each, falling, over all entries together.
        shares: (K,), of the variance within the hole; their sum is 1 where all directions are there.
    """

    mean: Tensor
    patterns: Tensor
    sds: Tensor
    shares: Tensor

    def at(self, direction: int, sds: float) -> Tensor:
        """(C, H, W): the mean, moved along a direction by so many of its standard deviations; not clamped."""
        return self.mean + sds * self.sds[direction] * self.patterns[direction]


def principal_directions(samples: Tensor, count: int | None = None, hole: Tensor | None = None) -> Directions:
    r"""Principal components of samples: eigenvectors of their covariance, without forming it.

    With X the centred samples, X = U S V^T: the directions are the columns of V, their standard deviations
    S / sqrt(S - 1). S samples have S - 1 directions at most; of few, the shares flatter the first ones.

    Args:
        samples: (S, C, H, W) in [0, 1], S >= 2.
        count: the first so many at most; None is all of them.
        hole: bool (H, W) or (1, H, W), True where pixels are hidden: only they are looked at. None is everywhere.

    Raises:
        TypeError, ValueError: for samples or a hole of another shape or range, or a count below 1.
    """
    x = as_samples("samples", samples, 2)
    inside = as_hole(hole, x)
    if count is not None and count < 1:
        raise ValueError(f"count is 1 or more, not {count}")
    mean = x.mean(0)
    hidden = (x - mean)[:, :, inside]  # (S, C, pixels)
    _, lengths, ways = torch.linalg.svd(hidden.flatten(1), full_matrices=False)
    total = lengths.square().sum()
    # What is left of rounding alone is no direction; the mean has taken one.
    there = lengths[: len(x) - 1] > 1e-9 * max(float(lengths[0]), 1e-6)
    kept = int(there.sum()) if count is None else min(count, int(there.sum()))
    lengths, ways = lengths[:kept], ways[:kept]
    largest = ways.gather(1, ways.abs().argmax(1, keepdim=True))
    patterns = torch.zeros(kept, *mean.shape, dtype=x.dtype, device="cpu")
    patterns[:, :, inside] = (ways * largest.sign()).unflatten(1, hidden.shape[1:])
    return Directions(mean, patterns, lengths / (len(x) - 1) ** 0.5, lengths.square() / total)
