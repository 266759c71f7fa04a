"""What guides are that look at the measurements they were made for."""

from __future__ import annotations

from torch import Tensor

__all__ = ["KeepsY"]


class KeepsY:
    """A guide that keeps a y of its own, so that it is to be fitted to no other."""

    def kept_y(self) -> Tensor | None:
        """That y, (N, C', H', W'); None where the guide does not look at it."""
        raise NotImplementedError
