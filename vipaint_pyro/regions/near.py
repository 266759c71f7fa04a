"""What is shown of a large picture: all of it, or where its holes are small what lies around them."""

from __future__ import annotations

from collections.abc import Sequence

import PIL.Image

from vipaint_pyro.regions.square import Square

__all__ = ["LARGE", "near", "reduced"]

#: Pixels: longer sides are shown smaller.
LARGE = 640


def near(squares: Sequence[Square], size: tuple[int, int]) -> tuple[int, int, int, int] | None:
    """Left, top, right and bottom of what lies around the squares.

    Args:
        squares: that holes are filled from.
        size: (width, height) of the picture.

    Returns:
        None where all of the picture is shown: one that is not large, or of which they are a quarter or more.
    """
    width, height = size
    box = (
        max(min(s.left for s in squares), 0), max(min(s.top for s in squares), 0),
        min(max(s.left + s.side for s in squares), width), min(max(s.top + s.side for s in squares), height),
    )  # fmt: skip
    large = max(width, height) > LARGE and (box[2] - box[0]) * (box[3] - box[1]) < width * height / 4
    return box if large else None


def reduced(picture: PIL.Image.Image, box: tuple[int, int, int, int] | None = None) -> PIL.Image.Image:
    """A box of a picture, or all of it, made smaller where it is large; a picture of its own."""
    small = picture.copy() if box is None else picture.crop(box)
    small.thumbnail((LARGE, LARGE))
    return small
