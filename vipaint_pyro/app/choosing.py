"""The model that is chosen for a picture where its visitor has named none, as ``vipaint inpaint`` chooses it."""

from __future__ import annotations

from vipaint_pyro.app.shelf import Shelf
from vipaint_pyro.priors.pretrained.automatic import prior_for

__all__ = ["model_for", "said_of"]


def model_for(size: tuple[int, int], current: str, shelf: Shelf) -> str | None:
    """The model for a picture of this width and height; None where the current one stays.

    It stays where it takes pictures of just this size, where several may be meant, or where the server does not offer
    the one that would be taken.
    """
    name = prior_for(size)
    if name not in shelf.names or shelf[current].prior.image_shape[:0:-1] == size:
        return None
    return name


def said_of(name: str) -> str:
    """What is said of a model that was chosen."""
    return f"**{name}**, a model of photographs, is chosen for this picture; another can be taken below."
