"""Where the hole is: painted, a box, a file, or what is transparent; bool (H, W), True where to be filled."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import PIL.Image

from vipaint_pyro.app.pictures import Picture, opened
from vipaint_pyro.images import to_observed
from vipaint_pyro.opening import opaque_and_mask
from vipaint_pyro.wording import shown

__all__ = ["boxed", "masked_by", "painted", "transparent"]

#: By how much the sides of a canvas may be off the picture's, rounding apart.
_OFF = 0.02
#: Of 255, by how much a painted pixel differs at least where paint is only found in the picture under it.
_SEEN = 16


def painted(drawing: Mapping | None, size: tuple[int, int]) -> np.ndarray:
    """What was painted in gradio's editor, at the picture's own size: where at least half of a pixel is covered.

    Args:
        drawing: ``background``, ``layers`` and ``composite``, PIL images or None; paint is what is opaque in a layer.
            Where the browser sends none, it is what differs between the other two.
        size: (width, height) of the picture.

    Raises:
        ValueError: for a canvas of another shape than the picture's, which would put the hole elsewhere.
    """
    cover = None if drawing is None else _paint(drawing)
    if cover is None:
        return np.zeros(size[::-1], bool)
    height, width = cover.shape
    if abs(width * size[1] / (height * size[0]) - 1) > _OFF:
        raise ValueError(
            f"The canvas came back as {width}x{height}, which is not the shape of the picture ({size[0]}x{size[1]}): "
            "load the picture again, or upload a mask in its place"
        )
    larger = size[0] > width
    filter_ = PIL.Image.Resampling.NEAREST if larger else PIL.Image.Resampling.BOX
    share = PIL.Image.fromarray(cover.astype(np.uint8) * np.uint8(255)).resize(size, filter_)
    return np.asarray(share) >= 128


def _paint(drawing: Mapping) -> np.ndarray | None:
    layers = [np.asarray(layer.convert("RGBA"))[..., 3] >= 128 for layer in drawing["layers"] or ()]
    if layers and any(layer.any() for layer in layers):
        if len({layer.shape for layer in layers}) > 1:
            raise ValueError("The layers of the canvas are of different sizes: load the picture again")
        return np.logical_or.reduce(layers)
    before, after = drawing["background"], drawing["composite"]
    if before is None or after is None or before.size != after.size:
        return None
    one, other = (np.asarray(image.convert("RGB"), np.int16) for image in (before, after))
    return (np.abs(one - other) >= _SEEN).any(-1)


def boxed(
    left: float | None, top: float | None, width: float | None, height: float | None, size: tuple[int, int]
) -> np.ndarray:
    """A box in pixels of the picture, as bool (H, W).

    Raises:
        ValueError: for numbers that are not whole, or a box that leaves the picture or is empty.
    """
    given = [v for v in (left, top, width, height) if v is not None and math.isfinite(v) and v == int(v)]
    if len(given) < 4:
        raise ValueError("A box is four whole numbers: from the left, from the top, width and height, in pixels")
    x, y, w, h = map(int, given)
    if x < 0 or y < 0 or w < 1 or h < 1 or x + w > size[0] or y + h > size[1]:
        raise ValueError(f"The box {x}, {y}, {w}, {h} does not lie in the picture, which is {size[0]}x{size[1]} pixels")
    hidden = np.zeros(size[::-1], bool)
    hidden[y : y + h, x : x + w] = True
    return hidden


def masked_by(path: str | Path | None, size: tuple[int, int]) -> np.ndarray:
    """A mask from a file, white where to be filled.

    Raises:
        ValueError: without a file; for one that is no mask of this size.
    """
    if path is None:
        raise ValueError("Upload a mask: a picture of the same size, white where it is to be filled")
    return _hidden(opened(path).image, size)


def transparent(picture: Picture) -> np.ndarray:
    """What is transparent in the picture.

    Raises:
        ValueError: where nothing is.
    """
    try:
        _, mask = opaque_and_mask(picture.image)
        return _hidden(mask, picture.image.size)
    except ValueError as error:
        raise ValueError(f"{shown(picture.name)} has no transparent part that could be the hole: {error}") from None


def _hidden(mask: PIL.Image.Image, size: tuple[int, int]) -> np.ndarray:
    return ~to_observed(mask, 1, size[::-1])[0, 0].numpy()
