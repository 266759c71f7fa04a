"""Which data a built-in prior is judged on where none are named."""

from __future__ import annotations

from vipaint_pyro.priors.pretrained.built_in import BUILT_IN

__all__ = ["own_data"]


def own_data(prior: str) -> str | None:
    """The data of a built-in prior, as ``--data`` names them; None for any other prior."""
    return BUILT_IN[prior].data if prior in BUILT_IN else None
