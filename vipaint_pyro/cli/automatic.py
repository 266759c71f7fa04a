"""The prior that ``vipaint inpaint`` takes where none is given.

Imports nothing heavy: what is missing is said at once.
"""

from __future__ import annotations

from vipaint_pyro.wording import counted

__all__ = ["AUTOMATIC", "WHEN", "automatic_prior", "own_way"]

#: Takes pictures of any size, square by square.
AUTOMATIC = "photo-patches"
WHEN = f"{AUTOMATIC}, but for pictures of 28x28 and 64x64"
#: Built-in priors by the size of the pictures that they are meant for.
_MEANT_FOR = {(28, 28): ("fashion-mnist",), (64, 64): ("cartoon-faces", AUTOMATIC)}


def automatic_prior(size: tuple[int, int]) -> str:
    """The prior for a picture of this width and height.

    Raises:
        ValueError: for a size that a built-in prior takes whole, where it cannot be known what is meant.
    """
    if size in _MEANT_FOR:
        names, width = _MEANT_FOR[size], size[0]
        others = " or ".join(f"--prior {name}" for name in names)
        raise ValueError(
            f"no --prior is given, and a picture of {width}x{width} may be meant for {counted(len(names), 'prior')} of "
            f"that size: give {others}"
        )
    return AUTOMATIC


def own_way(prior: str, size: tuple[int, int]) -> str | None:
    """``"tiles"`` where a prior of patches is named for a picture of another size; else None, and it has to be said."""
    return "tiles" if prior == AUTOMATIC and prior not in _MEANT_FOR.get(size, ()) else None
