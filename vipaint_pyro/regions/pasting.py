"""A completion at the prior's size, back in its square of the picture: only hidden pixels are written."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import PIL.Image
import torch
from scipy import ndimage

from vipaint_pyro.images import to_output
from vipaint_pyro.regions.resampling import enlarged
from vipaint_pyro.regions.square import Square

__all__ = ["paste", "patched", "put"]


def paste(picture: np.ndarray, hidden: np.ndarray, completion: np.ndarray, region: Square) -> np.ndarray:
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
        A new array; every pixel that is not filled from the region is the picture's.
    """
    filled = patched(region.crop(picture), region.crop(~hidden), completion)
    result = picture.copy()
    rows, columns = region.pixels()
    result[:, rows, columns] = filled[:, rows - region.top, columns - region.left]
    return result


def patched(crop: np.ndarray, known: np.ndarray, completion: np.ndarray) -> np.ndarray:
    """A completion at the size of its square, evened out towards what is known, as :func:`paste` does.

    Args:
        crop: the square of the picture, float (C, side, side).
        known: bool (side, side), what of it is known.
        completion: float (C, s, s), its known pixels put back.

    Returns:
        float (C, side, side) in [0, 1]; only what is not known is meant.
    """
    large = enlarged(completion, crop.shape[-1])
    scale = max(crop.shape[-1] / completion.shape[-1], 1.0)
    weight = ndimage.gaussian_filter(known.astype(np.float32), scale)
    off = np.where(known, crop - large, 0)
    off = np.stack([ndimage.gaussian_filter(plane, scale) for plane in off]) / np.maximum(weight, 1e-6)
    ramp = np.clip(1 - (ndimage.distance_transform_edt(~known) - 1) / (2 * scale), 0, 1)
    return np.clip(large + ramp * off, 0, 1)


def put(base: PIL.Image.Image, pieces: Iterable[tuple[np.ndarray, np.ndarray, np.ndarray]]) -> PIL.Image.Image:
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
