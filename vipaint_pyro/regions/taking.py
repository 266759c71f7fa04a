"""A square of a picture as the prior takes it."""

from __future__ import annotations

import numpy as np

from vipaint_pyro.regions.placement import Region
from vipaint_pyro.regions.resampling import shrunk

__all__ = ["taken"]


def taken(region: Region, unit: np.ndarray, hidden: np.ndarray, side: int) -> tuple[np.ndarray, np.ndarray]:
    """A square at the prior's size, and what is known of it.

    Args:
        region: the square.
        unit: the whole picture, float (C, H, W).
        hidden: bool (H, W), what is to be filled.
        side: of the prior's pictures.

    Returns:
        float (C, side, side) and bool (side, side).

    Raises:
        ValueError: for a hole that is gone at the prior's size.
    """
    known = region.crop(np.ones_like(hidden)) & ~region.crop(hidden)
    small, seen = shrunk(region.crop(unit), known, side)
    if seen.all():
        raise ValueError(
            f"the hole is smaller than half a pixel of the prior's {side}x{side}: give a smaller square with "
            "--region X,Y,W,H, or take --region auto"
        )
    return np.ascontiguousarray(small), seen
