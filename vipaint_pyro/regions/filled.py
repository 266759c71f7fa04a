"""A picture on its way: several samples of what is in its holes, filled square by square."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import PIL.Image

from vipaint_pyro.regions.pasting import patched, put
from vipaint_pyro.regions.square import Square
from vipaint_pyro.regions.taking import shown

__all__ = ["Filled"]


@dataclass(frozen=True, eq=False)
class _Piece:
    """What was filled from one square: its pixels in the picture, and their colours (S, C, n) in [0, 1]."""

    rows: np.ndarray
    columns: np.ndarray
    colours: np.ndarray


class Filled:
    """A picture and S samples of what has been filled of it; only what lies in the holes is kept for each.

    Args:
        unit: the picture in [0, 1], float (C, H, W).
        hidden: bool (H, W), of all holes.
        joint: whether a square sees what was filled before it, sample by sample. Its own sample s then goes on from
            sample s of those, and together they are one draw: the product of the squares' conditionals.
    """

    def __init__(self, unit: np.ndarray, hidden: np.ndarray, joint: bool = True) -> None:
        self.unit, self.hidden, self.joint = unit, hidden, joint
        self._pieces: list[_Piece] = []

    @property
    def count(self) -> int:
        """How many samples every square that was filled has; 0 before there is one."""
        return min((len(piece.colours) for piece in self._pieces), default=0)

    def before(self, square: Square) -> list[int]:
        """Which squares, by their turn from 0 on, have filled pixels that this one sees."""
        if not self.joint:
            return []
        return [k for k, piece in enumerate(self._pieces) if square.inside(piece.rows, piece.columns).any()]

    def views(self, square: Square, side: int) -> tuple[np.ndarray, np.ndarray]:
        """What a square sees, at the prior's size.

        Args:
            square: one that is not filled yet.
            side: of the prior's pictures.

        Returns:
            float (N, C, side, side), N = 1 where all samples see the same and else S, one each; and bool (side, side),
            what is known of it.

        Raises:
            ValueError: for a hole that is gone at the prior's size, or a square that is all hole there.
        """
        found = [shown(*self._crop(square, i), side) for i in range(self.count if self.before(square) else 1)]
        return np.stack([small for small, _ in found]), found[0][1]

    def fill(self, square: Square, completions: np.ndarray) -> None:
        """Fill a square's own pixels.

        Args:
            square: its place.
            completions: of each sample, float (S, C, s, s) at the prior's size, known pixels put back.
        """
        rows, columns = square.pixels()
        at, differ = (slice(None), rows - square.top, columns - square.left), bool(self.before(square))
        crop, known = self._crop(square, 0)
        colours = []
        for i, completion in enumerate(completions):
            if differ and i:
                crop, known = self._crop(square, i)
            colours.append(patched(crop, known, completion)[at])
        self._pieces.append(_Piece(rows, columns, np.stack(colours)))

    def picture(self, base: PIL.Image.Image, sample: int) -> PIL.Image.Image:
        """A sample, in the mode of the picture that it was made of, whose every byte outside of the holes stays.

        Args:
            base: the PIL image.
            sample: from 0 on.
        """
        return put(base, self.pieces(sample))

    def pieces(self, sample: int) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Rows, columns and colours (C, n) of a sample, square by square."""
        return ((piece.rows, piece.columns, piece.colours[sample]) for piece in self._pieces)

    def mean(self, base: PIL.Image.Image) -> PIL.Image.Image:
        """The mean of the samples that every square has, as :meth:`picture` gives one of them."""
        return put(base, ((p.rows, p.columns, p.colours[: self.count].mean(0)) for p in self._pieces))

    def spread(self) -> tuple[PIL.Image.Image, float]:
        """The standard deviation (with S - 1) of those samples per pixel and channel, and what white stands for in it.

        Black is where they are all the same, as where the picture is known, and everywhere of a single one.
        """
        black = PIL.Image.new("L" if len(self.unit) == 1 else "RGB", self.hidden.shape[::-1])
        if self.count < 2:
            return black, 1.0
        found = [(p.rows, p.columns, p.colours[: self.count].std(0, ddof=1)) for p in self._pieces]
        white = max(float(sd.max()) for _, _, sd in found) or 1.0
        return put(black, ((rows, columns, sd / white) for rows, columns, sd in found)), white

    def _crop(self, square: Square, sample: int) -> tuple[np.ndarray, np.ndarray]:
        """What a sample has in the square, float (C, side, side), and what of it is known, bool (side, side)."""
        crop, known = square.crop(self.unit), square.crop(~self.hidden)
        for k in self.before(square):
            piece = self._pieces[k]
            within = square.inside(piece.rows, piece.columns)
            rows, columns = piece.rows[within] - square.top, piece.columns[within] - square.left
            crop[:, rows, columns] = piece.colours[sample][:, within]
            known[rows, columns] = True
        return crop, known
