"""What is shown of a large picture: all of it, or where its holes are small what lies around them."""

from __future__ import annotations

from collections.abc import Sequence

import PIL.Image

from vipaint_pyro.regions.square import Square

__all__ = ["LARGE", "Box", "near", "reduced"]

#: Left, top, right and bottom, in pixels of the picture.
Box = tuple[int, int, int, int]

#: Pixels: longer sides are shown smaller.
LARGE = 640
#: Holes that lie apart are shown side by side, if they are no more than so many.
_APART = 6
_GAP = 8  # pixels between them


def near(squares: Sequence[Square], size: tuple[int, int]) -> list[Box]:
    """What lies around the squares: one box for all of them, or one for each group that lies apart from the others.

    Args:
        squares: that holes are filled from.
        size: (width, height) of the picture.

    Returns:
        None of them where all of the picture is shown: one that is not large, of which they are a quarter or more, or
        that has more than six groups.
    """
    width, height = size
    boxes = [
        (max(s.left, 0), max(s.top, 0), min(s.left + s.side, width), min(s.top + s.side, height)) for s in squares
    ]
    if max(width, height) <= LARGE or not boxes:
        return []
    for found in ([_around(boxes)], _groups(boxes)):
        if len(found) <= _APART and sum(map(_area, found)) < width * height / 4:
            return found
    return []


def reduced(picture: PIL.Image.Image, boxes: Sequence[Box] = ()) -> PIL.Image.Image:
    """Boxes of a picture side by side, or all of it, made smaller where that is large; a picture of its own."""
    if len(boxes) < 2:
        small = picture.crop(boxes[0]) if boxes else picture.copy()
    else:
        parts = [picture.crop(box).convert("RGBA" if "A" in picture.mode else "RGB") for box in boxes]
        across, down = sum(p.width + _GAP for p in parts) - _GAP, max(p.height for p in parts)
        small, left = PIL.Image.new(parts[0].mode, (across, down), "white"), 0
        for part in parts:
            small.paste(part, (left, (down - part.height) // 2))
            left += part.width + _GAP
    small.thumbnail((LARGE, LARGE))
    return small


def _around(boxes: Sequence[Box]) -> Box:
    lefts, tops, rights, bottoms = zip(*boxes)
    return min(lefts), min(tops), max(rights), max(bottoms)


def _area(box: Box) -> int:
    return (box[2] - box[0]) * (box[3] - box[1])


def _groups(boxes: Sequence[Box]) -> list[Box]:
    """The boxes around those that overlap or touch, in their order."""
    groups: list[Box] = []
    for box in boxes:
        while touching := [k for k, other in enumerate(groups) if _touch(box, other)]:
            box = _around([box, *(groups.pop(k) for k in reversed(touching))])
        groups.append(box)
    return sorted(groups, key=lambda box: (box[1], box[0]))


def _touch(a: Box, b: Box) -> bool:
    return a[0] <= b[2] and b[0] <= a[2] and a[1] <= b[3] and b[1] <= a[3]
