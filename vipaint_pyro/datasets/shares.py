"""The classes of patches of photographs: how much of its photograph's longer side a patch spans."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["SHARES", "share_class", "share_name"]

#: Name of a class, by its number -> from which share on it reaches.
SHARES = {"detail": 0, "part": 1 / 16, "object": 1 / 8, "scene": 1 / 4}


def share_class(side: int, longer: int) -> int:
    """The class of a square of this side in a photograph with this longer side, in pixels."""
    return sum(side / longer >= least for least in SHARES.values()) - 1


def share_name(side: int, longer: int, names: Sequence[str] | None) -> str | None:
    """The name of a square's class, where these classes of a prior are shares; else None.

    Args:
        side, longer: of the square, and the picture's longer side, in pixels.
        names: of the prior's classes.
    """
    return [*SHARES][share_class(side, longer)] if names is not None and [*names] == [*SHARES] else None
