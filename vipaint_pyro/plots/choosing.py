"""Which samples to look at first: computed, nothing is drawn here."""

from __future__ import annotations

import torch
from torch import Tensor

from vipaint_pyro.tensors import check_tensor

__all__ = ["most_different"]


def most_different(samples: Tensor, k: int | None = None, distances: Tensor | None = None) -> list[int]:
    r"""Indices of k samples that differ most from each other, the most different first.

    Greedy farthest points (Gonzalez 1985, "Clustering to minimize the maximum intercluster distance"): the two that
    are farthest apart, the one of the lower index first; then again and again the one whose nearest among those chosen
    is farthest. The first k of a larger choice are the choice of k. Ties go to the lower index, so that the answer is
    always the same. It is near to the best possible spread, and need not be the best.

    Args:
        samples: (S, \*), S >= 1; distances are Euclidean, over all entries of a sample.
        k: how many, 1 to S; None is all of them.
        distances: (S, S), symmetric, in place of the Euclidean ones: LPIPS, say.

    Raises:
        TypeError: for what is no tensor of real numbers.
        ValueError: for k out of range, no samples, values that are not finite, or distances of another shape.
    """
    check_tensor("samples", samples, "(S, *)")
    if samples.ndim == 0 or not len(samples):
        raise ValueError(f"samples has shape (S, *) with S >= 1, but has {tuple(samples.shape)}")
    count = len(samples)
    if k is None:
        k = count
    if isinstance(k, bool) or not isinstance(k, int) or not 1 <= k <= count:
        raise ValueError(f"k is a whole number from 1 to the {count} samples, not {k!r}")
    if distances is None:
        x = samples.detach().to("cpu", torch.float64).reshape(count, -1)
        apart = torch.cdist(x, x, compute_mode="donot_use_mm_for_euclid_dist")
    else:
        check_tensor("distances", distances, "(S, S)", bools=False)
        if distances.shape != (count, count):
            raise ValueError(f"distances has shape {(count, count)}, but has {tuple(distances.shape)}")
        apart = distances.detach().to("cpu", torch.float64)
    if not torch.isfinite(apart).all():
        raise ValueError("samples and their distances are finite, but some are not")
    first = int(apart.max(1).values.argmax())
    chosen, nearest = [first], apart[first].clone()
    while len(chosen) < k:
        nearest[chosen] = -1.0  # of those that are taken already
        chosen.append(int(nearest.argmax()))
        nearest = torch.minimum(nearest, apart[chosen[-1]])
    return chosen
