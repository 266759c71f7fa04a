"""Completions of squares, back in the picture that they were taken from: every byte outside of its holes stays."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import PIL.Image

from vipaint_pyro.regions.filled import Filled
from vipaint_pyro.regions.square import Square

__all__ = ["completed"]


def completed(
    base: PIL.Image.Image, unit: np.ndarray, hidden: np.ndarray, squares: Sequence[tuple[Square, np.ndarray]]
) -> PIL.Image.Image:
    """The picture, in its own mode, with its holes filled; every other byte is as it was.

    Args:
        base: the PIL image whose known bytes stay.
        unit: the same in [0, 1], float (C, H, W), in the prior's channels.
        hidden: bool (H, W), of all holes.
        squares: each with its completion at the prior's size, float (C, s, s), known pixels put back; none sees what
            another has filled.
    """
    filled = Filled(unit, hidden, joint=False)
    for square, small in squares:
        filled.fill(square, small[None])
    return filled.picture(base, 0)
