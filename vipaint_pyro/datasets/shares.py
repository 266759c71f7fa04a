"""The classes of patches of photographs: how much of its photograph's longer side a patch spans."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["SHARES", "are_shares", "share_class", "share_name"]

#: Name of a class, by its number -> from which share on it reaches.
SHARES = {"detail": 0, "part": 1 / 16, "object": 1 / 8, "scene": 1 / 4}


def share_class(side: int, longer: int) -> int:
    """The class of a square of this side in a photograph with this longer side, in pixels."""
    return sum(side / longer >= least for least in SHARES.values()) - 1


def share_name(side: int, longer: int) -> str:
    """The name of that class."""
    return [*SHARES][share_class(side, longer)]


def are_shares(names: Sequence[str] | None) -> bool:
    """Whether the classes of a prior, by their names, are shares."""
    return names is not None and [*names] == [*SHARES]
