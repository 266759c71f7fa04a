"""Which squares of a picture are given to the prior."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from vipaint_pyro.regions.square import Square, start_of

__all__ = ["Region", "centred", "regions_of"]

#: The side of a square is so many times the longer side of its hole.
CONTEXT = 2.0
#: Holes share a square where it is at most so many times as long as the larger hole's own.
SHARED = 1.5
#: Of a square, at least so much should be known.
KNOWN = 1 / 16


@dataclass(frozen=True)
class Region(Square):
    """A square that holds all of a hole.

    Attributes:
        hole: bool (H, W) of the picture, the pixels that are filled from this square.
    """

    hole: np.ndarray

    def pixels(self) -> tuple[np.ndarray, np.ndarray]:
        """Rows and columns, of the picture, of the hole."""
        rows, columns = np.nonzero(self.hole)
        return rows, columns

    def holds(self, hidden: np.ndarray) -> bool:
        """Whether all that is hidden (H, W) lies in the square."""
        return int(self.crop(hidden).sum()) == int(hidden.sum())


def centred(hole: np.ndarray, side: int) -> Region:
    """The square of this side in the middle of a picture (H, W), or around it."""
    height, width = hole.shape
    return Region((width - side) // 2, (height - side) // 2, side, hole)


def regions_of(hidden: np.ndarray, least: int) -> list[Region]:
    """Squares that together hold every hole, each with what surrounds it: twice as long as its hole.

    A square is at least as long as the prior's, where the picture allows, and lies inside the picture, unless its
    hole is too long for that or would leave nothing known. Holes that one square suits share it.

    Args:
        hidden: bool (H, W), True where to be filled.
        least: the prior's side, in pixels.
    """
    labels, _ = ndimage.label(hidden, np.ones((3, 3)))
    groups: list[tuple[tuple[int, int, int, int], int, list[int]]] = []
    for label, (rows, columns) in enumerate(ndimage.find_objects(labels), 1):
        box = (columns.start, rows.start, columns.stop, rows.stop)
        groups.append((box, _wanted(box, least), [label]))
    merged = True
    while merged:
        groups, merged = _merged(groups, least)
    return [_square(box, np.isin(labels, members), hidden, least) for box, _, members in groups]


def _wanted(box: tuple[int, int, int, int], least: int) -> int:
    """The side that a hole asks for."""
    return max(least, round(CONTEXT * max(box[2] - box[0], box[3] - box[1])))


def _merged(groups: list, least: int) -> tuple[list, bool]:
    """Every group put to the first earlier one that suits it; whether one was."""
    kept: list = []
    for box, largest, members in groups:
        for k, (other, others_largest, others) in enumerate(kept):
            both = (*map(min, box[:2], other[:2]), *map(max, box[2:], other[2:]))
            limit = max(largest, others_largest)
            if _wanted(both, least) <= SHARED * limit:
                kept[k] = (both, limit, others + members)
                break
        else:
            kept.append((box, largest, members))
    return kept, len(kept) < len(groups)


def _square(box: tuple[int, int, int, int], hole: np.ndarray, hidden: np.ndarray, least: int) -> Region:
    """The smallest square that knows enough: inside the picture, else as long as asked for, else all of it."""
    height, width = hidden.shape
    wanted, short, long = _wanted(box, least), min(hidden.shape), max(hidden.shape)
    for side in (min(wanted, short), min(wanted, long)):
        region = Region(start_of(box[0], box[2], side, width), start_of(box[1], box[3], side, height), side, hole)
        if region.holds(hole) and region.crop(~hidden).mean() >= KNOWN:
            return region
    return centred(hole, long)
