"""Holes cut into pieces, each small enough for one square that sees it at its own pixels where its thickness allows."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from vipaint_pyro.regions.placement import CONTEXT

__all__ = ["Piece", "cut", "depth_of", "groups_of", "packed"]

#: Of a square's side, so much stays around its own piece on each side.
MARGIN = 1 / 8


@dataclass(frozen=True, eq=False)
class Piece:
    """Part of a hole.

    Attributes:
        left, top: of its bounding box.
        own: bool (h, w), the box.
        side: of the square that it asks for.
    """

    left: int
    top: int
    own: np.ndarray
    side: int


@dataclass(frozen=True)
class Sides:
    """How large a square may be: the prior's side at least, the picture's longer side at most unless that is less."""

    least: int
    longest: int

    def of(self, thickness: float) -> int:
        """The side that a hole of this thickness asks for: twice as much, so that its own pixels are seen if it may."""
        return max(self.least, min(round(CONTEXT * thickness), self.longest))

    def core(self, side: int) -> int:
        """How long a square's own piece may be; any length does for a square that holds the whole picture."""
        return self.longest if side >= self.longest else max(1, side - 2 * math.ceil(MARGIN * side))


def groups_of(hidden: np.ndarray, least: int) -> np.ndarray:
    """The number of the hole that each pixel is of, int (H, W), 0 where known; nearer than least / 8 are one."""
    size = 2 * (least // 16) + 1
    grown = hidden.astype(np.uint8)
    for axis in (0, 1):
        grown = ndimage.maximum_filter1d(grown, size, axis=axis, mode="constant")
    labels, _ = ndimage.label(grown, np.ones((3, 3)))
    labels[~hidden] = 0
    return labels


def depth_of(hidden: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """How far each hidden pixel lies from what is known, float32 (H, W), in pixels.

    Each hole's distances are computed in its own box and a pixel around it, which its nearest known pixel lies in.
    """
    depth = np.zeros(hidden.shape, np.float32)
    for label, (rows, columns) in enumerate(ndimage.find_objects(labels), 1):
        around = tuple(slice(max(s.start - 1, 0), s.stop + 1) for s in (rows, columns))
        mine = labels[around] == label
        depth[around][mine] = ndimage.distance_transform_edt(hidden[around])[mine]
    return depth


def cut(own: np.ndarray, depth: np.ndarray, at: tuple[int, int], sides: Sides) -> list[Piece]:
    """A hole in equal parts along its longer side, again and again, until each fits into the square it asks for.

    Args:
        own: bool (h, w), the hole in a window of the picture.
        depth: of :func:`depth_of`, there.
        at: the window's first row and column.
        sides: how large squares may be.
    """
    spans = [np.flatnonzero(own.any(axis)) for axis in (1, 0)]
    if not len(spans[0]):
        return []
    box = tuple(slice(int(s[0]), int(s[-1]) + 1) for s in spans)
    own, depth, at = own[box], depth[box], (at[0] + box[0].start, at[1] + box[1].start)
    side = sides.of(2 * float(depth[own].max()))
    length, core = max(own.shape), sides.core(side)
    if length <= core:
        return [Piece(at[1], at[0], own, side)]
    axis, count = int(own.shape[1] == length), math.ceil(length / core)
    found = []
    for k in range(count):
        first, end = k * length // count, (k + 1) * length // count
        part = (slice(first, end), slice(None)) if axis == 0 else (slice(None), slice(first, end))
        start = (at[0] + first, at[1]) if axis == 0 else (at[0], at[1] + first)
        found += cut(own[part], depth[part], start, sides)
    return found


def packed(pieces: list[Piece], core: int) -> list[list[Piece]]:
    """Small holes put together as far as a square's middle holds them: line by line, as words on a page.

    Args:
        pieces: none longer than core.
        core: how long what a square fills may be.
    """
    done, waiting = [], [pieces]
    while waiting:
        some = waiting.pop()
        spans = [(p.top, p.top + p.own.shape[0], p.left, p.left + p.own.shape[1]) for p in some]
        extents = [max(s[k + 1] for s in spans) - min(s[k] for s in spans) for k in (0, 2)]
        if max(extents) <= core:
            done.append(some)
            continue
        k = 0 if extents[0] >= extents[1] else 2
        lines: list[list[Piece]] = []
        first = -core
        for span, piece in sorted(zip(spans, some), key=lambda both: both[0][k]):
            if not lines or span[k + 1] - first > core:
                lines.append([])
                first = span[k]
            lines[-1].append(piece)
        waiting += reversed(lines)
    return done
