"""Whether a guide draws the model's latents, each under the model's weight."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from pyro import poutine
from torch import Tensor

from vipaint_pyro.models.algorithms import called
from vipaint_pyro.models.running import check_weights
from vipaint_pyro.models.sites import site

__all__ = ["check_match", "drawn_latents"]


def check_match(guide: Callable, model_trace: poutine.Trace, guide_trace: poutine.Trace) -> None:
    """Raise ValueError, naming the site, where a guide's traces do not belong to those of its model.

    Args:
        guide: for the message.
        model_trace, guide_trace: of one call each, the model's replayed.
    """
    drawn: dict[str, Any] = guide_trace.nodes
    wanted: dict[str, Any] = {
        name: found
        for name, found in model_trace.nodes.items()
        if found["type"] == "sample" and not found["is_observed"] and type(found["fn"]).__name__ != "_Subsample"
    }
    _check_there(guide, wanted, drawn)
    check_weights(lambda: called(guide), wanted, drawn)


def drawn_latents(guide: Callable, trace: poutine.Trace, timesteps: Iterable[int]) -> dict[int, Tensor]:
    """What a guide drew, timestep -> z_t; a ValueError that names the site where it draws none."""
    nodes: dict[str, Any] = trace.nodes
    _check_there(guide, [site(t) for t in timesteps], nodes)
    return {t: nodes[site(t)]["value"] for t in timesteps}


def _check_there(guide: Callable, wanted: Iterable[str], drawn: dict[str, Any]) -> None:
    missing = [name for name in wanted if name not in drawn]
    if missing:
        raise ValueError(
            f"{called(guide)} draws no {', '.join(missing)}, which the model has: give it a pyro.sample of that name, "
            "as of every t of model.timesteps"
        )
