"""Which built-in prior a picture is for, by its size, and the way in which a prior of patches fills it.

Imports nothing heavy.
"""

from __future__ import annotations

__all__ = ["AUTOMATIC", "meant_for", "own_way", "prior_for"]

#: Takes pictures of any size, square by square.
AUTOMATIC = "photo-patches"
#: Built-in priors by the size of the pictures that they are meant for.
_MEANT_FOR = {(28, 28): ("fashion-mnist",), (64, 64): ("cartoon-faces", AUTOMATIC)}


def meant_for(size: tuple[int, int]) -> tuple[str, ...]:
    """The built-in priors that take a picture of this width and height whole."""
    return _MEANT_FOR.get(size, ())


def prior_for(size: tuple[int, int]) -> str | None:
    """What is taken where no prior is named; None for a size that it cannot be known of what is meant."""
    return None if meant_for(size) else AUTOMATIC


def own_way(prior: str, size: tuple[int, int]) -> str | None:
    """``"tiles"`` where a prior of patches is named for a picture of another size; else None, and it has to be said."""
    return "tiles" if prior == AUTOMATIC and prior not in meant_for(size) else None
