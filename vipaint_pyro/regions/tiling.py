"""Squares along a hole of any shape, each of which sees its part of it at the picture's own pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from vipaint_pyro.regions.cutting import Piece, Sides, cut, depth_of, groups_of, packed
from vipaint_pyro.regions.square import Square, start_of

__all__ = ["Tile", "tiles_of"]


@dataclass(frozen=True, eq=False)
class Tile(Square):
    """A square that fills what of a hole lies in its middle; what is hidden at its margin is another's.

    Attributes:
        own: bool (side, side), what is filled from this square.
    """

    own: np.ndarray

    def pixels(self) -> tuple[np.ndarray, np.ndarray]:
        """Rows and columns, of the picture, of what is filled from this square."""
        rows, columns = np.nonzero(self.own)
        return rows + self.top, columns + self.left

    def sees(self, other: Square) -> bool:
        """Whether pixels that are filled from the other lie in this square."""
        apart = max(self.left - other.left - other.side, self.top - other.top - other.side,
                    other.left - self.left - self.side, other.top - self.top - self.side)  # fmt: skip
        return apart < 0 and bool(self.inside(*other.pixels()).any())


def tiles_of(hidden: np.ndarray, least: int) -> list[Tile]:
    """Squares that together fill every hidden pixel, each pixel from exactly one, in the order to fill them in.

    A square is as long as the prior's, so that it sees the picture at its own pixels, unless the hole is too thick for
    that: it is twice as long as its part of the hole is thick (twice the largest distance to what is known), and at
    most as long as the picture. Its own part lies in its middle three quarters: a hole that fits there has one square,
    a longer one is cut into equal parts, and small holes near each other share one. A square reaches beyond the
    picture only where the picture is shorter than it.

    The order: first every square that sees none of those before it fill, which along a line is every second one; then
    those between, which see what was filled at both of their ends and close the gap. A square of the first kind has one
    fit for all samples; one of the second kind sees other pixels in each sample, and wants a fit for each: half as
    many fits as one after the other along the line. Nothing is lost by it: no square is long enough to see two of the
    first kind besides the one between, which is drawn given both.

    Args:
        hidden: bool (H, W), True where to be filled.
        least: the prior's side, in pixels.

    Raises:
        ValueError: where nothing is hidden, or nothing known.
    """
    if not hidden.any() or hidden.all():
        raise ValueError("there is nothing to fill" if not hidden.any() else "nothing of the picture is known")
    height, width = hidden.shape
    spans = [np.flatnonzero(hidden.any(axis)) for axis in (1, 0)]
    window = tuple(slice(max(int(s[0]) - 1, 0), int(s[-1]) + 2) for s in spans)  # what is known next to it, too
    at, inside, sides = (window[0].start, window[1].start), hidden[window], Sides(least, max(height, width))
    labels = groups_of(inside, least)
    depth = depth_of(inside, labels)
    found: list[Piece] = []
    small: list[Piece] = []
    for label, box in enumerate(ndimage.find_objects(labels), 1):
        start = at[0] + box[0].start, at[1] + box[1].start
        pieces = cut(labels[box] == label, depth[box], start, sides)
        alone = len(pieces) > 1 or pieces[0].side > least
        (found if alone else small).extend(pieces)
    found += [_joined(some) for some in packed(small, sides.core(least))] if small else []
    return _in_turn([_tile(piece, (height, width)) for piece in found])


def _joined(pieces: Sequence[Piece]) -> Piece:
    """Small holes as one."""
    left, top = min(p.left for p in pieces), min(p.top for p in pieces)
    right, bottom = max(p.left + p.own.shape[1] for p in pieces), max(p.top + p.own.shape[0] for p in pieces)
    own = np.zeros((bottom - top, right - left), bool)
    for p in pieces:
        own[p.top - top :, p.left - left :][: p.own.shape[0], : p.own.shape[1]] |= p.own
    return Piece(left, top, own, pieces[0].side)


def _tile(piece: Piece, shape: tuple[int, int]) -> Tile:
    """The square around a piece, moved into the picture where it has room."""
    h, w = piece.own.shape
    left = start_of(piece.left, piece.left + w, piece.side, shape[1])
    top = start_of(piece.top, piece.top + h, piece.side, shape[0])
    own = np.zeros((piece.side, piece.side), bool)
    own[piece.top - top :, piece.left - left :][:h, :w] = piece.own
    return Tile(left, top, piece.side, own)


def _in_turn(tiles: Sequence[Tile]) -> list[Tile]:
    """First those that see none of those before them, then those between."""
    first: list[Tile] = []
    between: list[Tile] = []
    for tile in tiles:
        (between if any(tile.sees(other) for other in first) else first).append(tile)
    return first + between
