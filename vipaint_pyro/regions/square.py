"""A square of a picture, and the pixels that are filled from it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

__all__ = ["Square", "start_of"]


@dataclass(frozen=True)
class Square(ABC):
    """A square of a picture, in its pixels; what lies beyond the picture is not known.

    Attributes:
        left, top: its first column and row.
        side: in pixels.
    """

    left: int
    top: int
    side: int

    @abstractmethod
    def pixels(self) -> tuple[np.ndarray, np.ndarray]:
        """Rows and columns, of the picture, of what is filled from this square."""

    def sees(self, other: Square) -> bool:
        """Whether this square, filled after the other, goes on from what was filled there: here each stands alone."""
        return False

    def place(self) -> dict[str, int]:
        """Where it lies, as ``run.json`` says it."""
        return {"left": self.left, "top": self.top, "side": self.side}

    def crop(self, array: np.ndarray) -> np.ndarray:
        """The square of an array (..., H, W), 0 or False beyond it."""
        height, width = array.shape[-2:]
        out = np.zeros((*array.shape[:-2], self.side, self.side), array.dtype)
        top, bottom = max(self.top, 0), min(self.top + self.side, height)
        left, right = max(self.left, 0), min(self.left + self.side, width)
        inside = (..., slice(top - self.top, bottom - self.top), slice(left - self.left, right - self.left))
        out[inside] = array[..., top:bottom, left:right]
        return out

    def inside(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Which of these pixels of the picture lie in the square, bool."""
        down, right = rows - self.top, columns - self.left
        return (down >= 0) & (down < self.side) & (right >= 0) & (right < self.side)


def start_of(first: int, end: int, side: int, length: int) -> int:
    """Where a square begins that has first ... end in its middle, moved into the picture where it has room."""
    if side >= length:
        return (length - side) // 2
    return min(max((first + end - side) // 2, 0), length - side)
