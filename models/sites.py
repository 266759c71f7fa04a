"""The names of the sample sites, which are public: users' scripts condition on them."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from pyro.poutine.runtime import InferDict

__all__ = ["bridge", "site"]


def site(t: int) -> str:
    """The name of the sample site of z_t."""
    return f"z_{t}"


def bridge(side: str) -> InferDict:
    """What a site above T_e says of itself: it is the model's, "p", or the guide's, "q"."""
    return cast("InferDict", {"bridge": side})
