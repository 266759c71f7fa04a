"""Networks that are given a few samples of every image at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_map_only

__all__ = ["piecewise"]


def piecewise(network: Callable[..., Tensor], samples: int | None, z: Tensor, *more: Any) -> Tensor:
    """A network's values at z, flattened to (B, C, H, W); all at once where a gradient is taken, which needs them all.

    Args:
        network: takes the flattened z and what is in ``more``.
        samples: so many of every image at once; None for all.
        z: (*, N, C, H, W).
        *more: tensors of B entries, or what holds such, or None.
    """
    flat = z.reshape(-1, *z.shape[-3:])
    size = len(flat) if samples is None or z.ndim < 5 else samples * z.shape[-4]
    if len(flat) <= size or (torch.is_grad_enabled() and z.requires_grad):
        return network(flat, *more)

    def part(start: int) -> Tensor:
        return network(*tree_map_only(Tensor, lambda v: v[start : start + size], (flat, *more)))

    return torch.cat([part(start) for start in range(0, len(flat), size)])
