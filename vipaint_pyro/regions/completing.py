"""Completions of squares, back in the picture that they were taken from: every byte outside of its holes stays."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import PIL.Image
import torch

from vipaint_pyro.images import to_output
from vipaint_pyro.regions.filled import Filled
from vipaint_pyro.regions.square import Square

__all__ = ["completed", "put"]


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
    return put(base, filled.pieces(0))


def put(
    base: PIL.Image.Image, pieces: Iterable[tuple[np.ndarray, np.ndarray, np.ndarray]]
) -> PIL.Image.Image:
    """The picture, in its own mode, with these pixels in it.

    Args:
        base: the PIL image whose other bytes stay.
        pieces: rows (n,), columns (n,) and colours in [0, 1], float (C, n).
    """
    result = np.array(base)
    for rows, columns, colours in pieces:
        (line,) = to_output(torch.from_numpy(colours)[None, :, None], "pil")
        result[rows, columns] = np.asarray(line.convert(base.mode))[0]  # opaque where the mode has transparency
    return PIL.Image.fromarray(result)
