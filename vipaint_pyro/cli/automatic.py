"""Which prior a photograph is given where none is named, and what a prior that knows no pieces of pictures is told.

Imports nothing heavy: what is missing is told before PyTorch is loaded.
"""

from __future__ import annotations

from vipaint_pyro.priors.pretrained.automatic import AUTOMATIC, meant_for, prior_for
from vipaint_pyro.priors.pretrained.built_in import BUILT_IN
from vipaint_pyro.samplers.for_scale import FOR_SCALE
from vipaint_pyro.wording import counted

__all__ = ["WHEN", "automatic_prior", "no_patches", "taken_line"]

_SIZES = sorted({"{}x{}".format(*prior.size) for prior in BUILT_IN.values()})
WHEN = f"{AUTOMATIC}, but for pictures of {' and '.join(_SIZES)}"


def automatic_prior(size: tuple[int, int]) -> str:
    """The prior of a picture (width, height) for which none is named.

    Raises:
        ValueError: for a size that a built-in prior takes whole, where it cannot be known what is meant.
    """
    name = prior_for(size)
    if name is None:
        names = meant_for(size)
        others = " or ".join(f"--prior {name}" for name in names)
        raise ValueError(
            f"no --prior is given, and a picture of {size[0]}x{size[1]} may be meant for "
            f"{counted(len(names), 'prior')} of that size: give {others}"
        )
    return name


def taken_line(prior: str, method: str, region: object) -> str:
    """That a prior was chosen, and for what."""
    way = f" by --region {region}" if region == "tiles" else ""
    if method in FOR_SCALE:  # of the prior nothing is taken but the size of its pictures
        return f"no --prior is given: {method}, which calls no network, fills it{way}, at the size that {prior} has"
    return f"no --prior is given: {prior}, a prior of photographs, fills it{way}"


def no_patches(prior: str, method: str) -> str | None:
    """What is to be warned of where tiles are filled by this prior; None of one of patches, or that is not built in.

    Nor is anything of a method that calls no network.
    """
    if method in FOR_SCALE or prior not in BUILT_IN or BUILT_IN[prior].patches:
        return None
    return (
        f"{prior} knows whole {BUILT_IN[prior].shows} alone, and --region tiles shows it pieces of a picture: "
        f"--prior {AUTOMATIC} is the one for pieces"
    )
