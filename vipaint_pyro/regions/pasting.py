"""A completion at the prior's size, back in its square of the picture: only hidden pixels are written."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from vipaint_pyro.regions.placement import Region
from vipaint_pyro.regions.resampling import enlarged

__all__ = ["paste"]


def paste(picture: np.ndarray, hidden: np.ndarray, completion: np.ndarray, region: Region) -> np.ndarray:
    r"""The picture with the region's hole filled, the seam evened out inside the hole alone.

    At its edge the enlarged completion misses what resizing lost. With d = picture - completion where known, the hole
    takes

    .. math:: completion + w \cdot (G * d) / (G * 1)

    where G is a Gaussian over known pixels, one pixel of the prior wide, and w falls from 1 at the edge to 0 two such
    pixels inside. A square of the prior's size has d = 0, and its completion is taken as it is.

    Args:
        picture: float (C, H, W).
        hidden: bool (H, W), of all holes.
        completion: float (C, s, s), its known pixels put back.
        region: where it lies.

    Returns:
        A new array; every pixel outside of ``region.hole`` is the picture's.
    """
    inside = np.ones(hidden.shape, bool)
    known = region.crop(inside & ~hidden)
    large = enlarged(completion, region.side)
    scale = max(region.side / completion.shape[-1], 1.0)
    weight = ndimage.gaussian_filter(known.astype(np.float32), scale)
    off = np.where(known, region.crop(picture) - large, 0)
    off = np.stack([ndimage.gaussian_filter(plane, scale) for plane in off]) / np.maximum(weight, 1e-6)
    ramp = np.clip(1 - (ndimage.distance_transform_edt(~known) - 1) / (2 * scale), 0, 1)
    filled = np.clip(large + ramp * off, 0, 1)
    result = picture.copy()
    rows, columns = np.nonzero(region.hole)
    result[:, rows, columns] = filled[:, rows - region.top, columns - region.left]
    return result
