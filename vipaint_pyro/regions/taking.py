"""A square of a picture as the prior takes it."""

from __future__ import annotations

import numpy as np

from vipaint_pyro.regions.resampling import shrunk
from vipaint_pyro.regions.square import Square

__all__ = ["shown", "taken"]


def taken(region: Square, unit: np.ndarray, hidden: np.ndarray, side: int) -> tuple[np.ndarray, np.ndarray]:
    """A square at the prior's size, and what is known of it.

    Args:
        region: the square.
        unit: the whole picture, float (C, H, W).
        hidden: bool (H, W), what is to be filled.
        side: of the prior's pictures.

    Returns:
        float (C, side, side) and bool (side, side).

    Raises:
        ValueError: for a hole that is gone at the prior's size, or a square that is all hole there.
    """
    return shown(region.crop(unit), region.crop(~hidden), side)


def shown(crop: np.ndarray, known: np.ndarray, side: int) -> tuple[np.ndarray, np.ndarray]:
    """The same of a square that is cut out already: float (C, S, S), and bool (S, S), what is known of it."""
    small, seen = shrunk(crop, known, side)
    if seen.all():
        raise ValueError(
            f"the hole is smaller than half a pixel of the prior's {side}x{side}: give a smaller square with "
            "--region X,Y,W,H, or take --region auto"
        )
    if not seen.any():
        raise ValueError(
            f"nothing that is known can be made out in a square of {crop.shape[-1]}x{crop.shape[-1]} at the prior's "
            f"{side}x{side}: too much of the picture is hidden"
        )
    return np.ascontiguousarray(small), seen
