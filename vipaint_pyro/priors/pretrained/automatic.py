"""Which built-in prior a picture is for, by its size, and the way in which a prior of patches fills it.

Imports nothing heavy.
"""

from __future__ import annotations

from vipaint_pyro.priors.pretrained.built_in import BUILT_IN

__all__ = ["AUTOMATIC", "meant_for", "own_way", "prior_for"]

#: The prior of patches: takes pictures of any size, square by square.
AUTOMATIC = next(name for name, prior in BUILT_IN.items() if prior.patches)


def meant_for(size: tuple[int, int]) -> tuple[str, ...]:
    """The built-in priors that take a picture of this width and height whole."""
    return tuple(name for name, prior in BUILT_IN.items() if prior.size == size)


def prior_for(size: tuple[int, int]) -> str | None:
    """What is taken where no prior is named; None for a size that it cannot be known of what is meant."""
    return None if meant_for(size) else AUTOMATIC


def own_way(prior: str, size: tuple[int, int]) -> str | None:
    """``"tiles"`` where a prior of patches is named for a picture of another size; else None, and it has to be said."""
    return "tiles" if prior in BUILT_IN and BUILT_IN[prior].patches and BUILT_IN[prior].size != size else None
