"""Outpainting: a larger canvas, whose new border is to be filled."""

from __future__ import annotations

import PIL.Image

from vipaint_pyro.opening import MAX_PIXELS

__all__ = ["expanded"]

#: Opaque black in every mode that has transparency.
_BLACK = {"RGBA": (0, 0, 0, 255), "LA": (0, 255)}


def expanded(
    image: PIL.Image.Image, mask: PIL.Image.Image | None, by: tuple[int, int, int, int]
) -> tuple[PIL.Image.Image, PIL.Image.Image]:
    """A picture on its larger canvas, and the mask of it: white on the border, and where the mask was.

    Args:
        image: a PIL image, kept in its mode.
        mask: of the image's size, white = to be filled; None for no hole but the border.
        by: pixels on the left, top, right and bottom.

    Raises:
        ValueError: for a mask of another size, or a canvas of more than 2^26 pixels.
    """
    left, top, right, bottom = by
    size = image.width + left + right, image.height + top + bottom
    if size[0] * size[1] > MAX_PIXELS:
        raise ValueError(f"the canvas would have {size[0]}x{size[1]} pixels, more than {MAX_PIXELS}: expand by less")
    if mask is not None and mask.size != image.size:
        raise ValueError(
            f"the mask is {mask.width}x{mask.height}, but the image {image.width}x{image.height}; they must be of one "
            "size, before the canvas grows"
        )
    canvas = PIL.Image.new(image.mode, size, _BLACK.get(image.mode, 0))
    canvas.info |= image.info
    canvas.paste(image, (left, top))
    hole = PIL.Image.new("L", size, 255)
    hole.paste(PIL.Image.new("L", image.size, 0) if mask is None else mask.convert("L"), (left, top))
    return canvas, hole
