"""Which data a built-in prior is judged on where none are named."""

from __future__ import annotations

from vipaint_pyro.priors.pretrained.folder import BUILT_IN

__all__ = ["own_data"]

#: Of priors whose data are not called as they are.
_OTHERWISE = {"photo-patches": "photos"}


def own_data(prior: str) -> str | None:
    """The data of a built-in prior, as ``--data`` names them; None for any other prior."""
    return _OTHERWISE.get(prior, prior) if prior in BUILT_IN else None
