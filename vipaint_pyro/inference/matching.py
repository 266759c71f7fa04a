"""Whether a guide draws the model's latents, each under the model's weight."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from inspect import isfunction
from typing import Any

import pyro.distributions as dist
import torch
from pyro import poutine
from torch import Tensor

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
    # A point has no density to be weighed, unless it is one entry of a vector that has.
    spread = any(found["infer"].get("is_auxiliary") for found in drawn.values() if found["type"] == "sample")
    for name, found in wanted.items():
        ours, its = found["scale"], drawn[name]["scale"]
        if not _same(ours, its) and (spread or not _is_point(drawn[name]["fn"])):
            raise ValueError(
                f"the site {name} weighs {_said(ours)} in the model, but {_said(its)} in {_called(guide)}, so that the "
                "fit would have another objective: sample it inside 'with self.model.weight():' "
                "(make_guide does that for Pyro's AutoGuides)"
            )


def drawn_latents(guide: Callable, trace: poutine.Trace, timesteps: Iterable[int]) -> dict[int, Tensor]:
    """What a guide drew, timestep -> z_t; a ValueError that names the site where it draws none."""
    nodes: dict[str, Any] = trace.nodes
    _check_there(guide, [site(t) for t in timesteps], nodes)
    return {t: nodes[site(t)]["value"] for t in timesteps}


def _check_there(guide: Callable, wanted: Iterable[str], drawn: dict[str, Any]) -> None:
    missing = [name for name in wanted if name not in drawn]
    if missing:
        raise ValueError(
            f"{_called(guide)} draws no {', '.join(missing)}, which the model has: give it a pyro.sample of that name, "
            "as of every t of model.timesteps"
        )


def _called(guide: Callable) -> str:
    return f"the guide {guide.__name__ if isfunction(guide) else type(guide).__name__}"


def _is_point(fn: Any) -> bool:
    while isinstance(fn, (dist.Independent, dist.MaskedDistribution)):
        fn = fn.base_dist
    return isinstance(fn, dist.Delta)


def _same(ours: float | Tensor, its: float | Tensor) -> bool:
    a, b = (torch.as_tensor(v, dtype=torch.float64, device="cpu") for v in (ours, its))
    return bool(torch.isclose(a, b, rtol=1e-6, atol=0).all())


def _said(scale: float | Tensor) -> str:
    return f"{float(scale):g}" if not isinstance(scale, Tensor) or scale.numel() == 1 else "otherwise"
