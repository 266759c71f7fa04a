"""Between a square of a picture and the prior's size: antialiased, by Pillow, hidden pixels left out of every mean."""

from __future__ import annotations

import numpy as np
import PIL.Image

__all__ = ["enlarged", "shrunk"]


def _resized(planes: np.ndarray, side: int, filter_: PIL.Image.Resampling) -> np.ndarray:
    """Planes (C, S, S) as float32 (C, side, side); those of that size as they are."""
    if planes.shape[-1] == side:
        return planes
    pictures = [PIL.Image.fromarray(np.ascontiguousarray(p, np.float32)) for p in planes]  # of mode F
    return np.stack([np.asarray(p.resize((side, side), filter_)) for p in pictures])


def shrunk(crop: np.ndarray, known: np.ndarray, side: int) -> tuple[np.ndarray, np.ndarray]:
    """A square at the prior's size, and what is known of it: where at least half of a pixel's weight is.

    Args:
        crop: float (C, S, S).
        known: bool (S, S).
        side: of the prior.

    Returns:
        float (C, side, side), the mean of what is known, and bool (side, side). At its own size a square is what
        it was.
    """
    if crop.shape[-1] == side:
        return crop, known
    triangle = PIL.Image.Resampling.BILINEAR  # no weight of it is negative: a mean stays one
    weight = _resized(known[None].astype(np.float32), side, triangle)
    mean = _resized(np.where(known, crop, 0), side, triangle) / np.maximum(weight, 1e-6)
    return np.where(weight > 0.5, np.clip(mean, 0, 1), 0).astype(np.float32), weight[0] > 0.5


def enlarged(picture: np.ndarray, side: int) -> np.ndarray:
    """A picture (C, S, S) at the size of its square (C, side, side)."""
    return _resized(picture, side, PIL.Image.Resampling.BICUBIC)
