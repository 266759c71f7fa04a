"""The prior that ``vipaint inpaint`` takes where none is given.

Imports nothing heavy: what is missing is said at once.
"""

from __future__ import annotations

from vipaint_pyro.priors.pretrained.automatic import AUTOMATIC, meant_for, prior_for
from vipaint_pyro.wording import counted

__all__ = ["WHEN", "automatic_prior"]

WHEN = f"{AUTOMATIC}, but for pictures of 28x28 and 64x64"


def automatic_prior(size: tuple[int, int]) -> str:
    """The prior for a picture of this width and height.

    Raises:
        ValueError: for a size that a built-in prior takes whole, where it cannot be known what is meant.
    """
    name = prior_for(size)
    if name is None:
        names, width = meant_for(size), size[0]
        others = " or ".join(f"--prior {name}" for name in names)
        raise ValueError(
            f"no --prior is given, and a picture of {width}x{width} may be meant for {counted(len(names), 'prior')} of "
            f"that size: give {others}"
        )
    return name
