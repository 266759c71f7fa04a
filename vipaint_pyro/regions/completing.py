"""Completions of squares, back in the picture that they were taken from: every byte outside of its holes stays."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import PIL.Image
import torch

from vipaint_pyro.images import to_output
from vipaint_pyro.regions.pasting import paste
from vipaint_pyro.regions.placement import Region

__all__ = ["completed"]


def completed(
    base: PIL.Image.Image, unit: np.ndarray, hidden: np.ndarray, squares: Sequence[tuple[Region, np.ndarray]]
) -> PIL.Image.Image:
    """The picture, in its own mode, with its holes filled; every other byte is as it was.

    Args:
        base: the PIL image whose known bytes stay.
        unit: the same in [0, 1], float (C, H, W), in the prior's channels.
        hidden: bool (H, W), of all holes.
        squares: each with its completion at the prior's size, float (C, s, s), known pixels put back.
    """
    filled = unit
    for region, small in squares:
        filled = paste(filled, hidden, small, region)
    (picture,) = to_output(torch.from_numpy(filled)[None], "pil")
    result = np.array(base)
    new = np.asarray(picture.convert(base.mode))  # opaque where the mode has transparency
    holes = np.logical_or.reduce([region.hole for region, _ in squares])
    result[holes] = new[holes]
    return PIL.Image.fromarray(result)
