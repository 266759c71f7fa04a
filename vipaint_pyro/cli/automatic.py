"""The prior that ``vipaint inpaint`` takes where none is given, and what suits one that is named.

Imports nothing heavy: what is missing is said at once.
"""

from __future__ import annotations

from vipaint_pyro.priors.pretrained.built_in import BUILT_IN
from vipaint_pyro.wording import counted

__all__ = ["AUTOMATIC", "WHEN", "automatic_prior", "no_patches", "own_way"]

#: The prior of patches: takes pictures of any size, square by square.
AUTOMATIC = next(name for name, prior in BUILT_IN.items() if prior.patches)
_SIZES = sorted({"{}x{}".format(*prior.size) for prior in BUILT_IN.values()})
WHEN = f"{AUTOMATIC}, but for pictures of {' and '.join(_SIZES)}"


def automatic_prior(size: tuple[int, int]) -> str:
    """The prior for a picture of this width and height.

    Raises:
        ValueError: for a size that a built-in prior takes whole, where it cannot be known what is meant.
    """
    if names := [name for name, prior in BUILT_IN.items() if prior.size == size]:
        others = " or ".join(f"--prior {name}" for name in names)
        raise ValueError(
            f"no --prior is given, and a picture of {size[0]}x{size[1]} may be meant for "
            f"{counted(len(names), 'prior')} of that size: give {others}"
        )
    return AUTOMATIC


def own_way(prior: str, size: tuple[int, int]) -> str | None:
    """``"tiles"`` where a prior of patches is named for a picture of another size; else None, and it has to be said."""
    return "tiles" if prior in BUILT_IN and BUILT_IN[prior].patches and BUILT_IN[prior].size != size else None


def no_patches(prior: str) -> str | None:
    """What is to be warned of where tiles are filled by this prior; None of one of patches, or that is not built in."""
    if prior not in BUILT_IN or BUILT_IN[prior].patches:
        return None
    return (
        f"{prior} knows whole {BUILT_IN[prior].shows} alone, and --region tiles shows it pieces of a picture: "
        f"--prior {AUTOMATIC} is the one for pieces"
    )
