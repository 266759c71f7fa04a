"""One run of a diffusion model's program: who may run it, and whether the guide that it is run with is one of its own.

Pyro compares the shapes of what a guide draws with the model's, and no more: values that are conditioned on, and the
weights of a guide's sites, it takes as they come.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pyro.distributions as dist
import torch
from pyro.distributions.torch_distribution import TorchDistributionMixin
from pyro.poutine.messenger import Messenger
from pyro.poutine.replay_messenger import ReplayMessenger
from pyro.poutine.runtime import _PYRO_STACK
from torch import Tensor

from vipaint_pyro.models.algorithms import AVERAGES, OWN_SITES, check_algorithms, guide_of_run, instead_of
from vipaint_pyro.tensors import check_mode

if TYPE_CHECKING:
    from vipaint_pyro.models.diffusion import DiffusionModel

__all__ = ["check_weights", "checked_run"]

#: By how much of themselves two equal weights differ.
_CLOSE = 1e-6


@contextmanager
def checked_run(model: DiffusionModel) -> Iterator[None]:
    """Around the program of one run; what the model remembers of it is forgotten at its end.

    Raises:
        TypeError: for an algorithm of Pyro that needs another form
            (:data:`~vipaint_pyro.models.algorithms.ALGORITHMS`); for a guide, run by one of Pyro's losses, that weighs
            a site otherwise or was made for the other form. (No ValueError: Pyro appends a table of shapes to these.)
        ValueError: for a value of a site that is not of its shape.
    """
    check_mode("a model")
    needs = check_algorithms(f"the {model.form} form of a diffusion model", instead_of(model))
    try:
        with _Sites(model.num_images) as sites:
            yield
        # By a loss of Pyro's: what is replayed by hand is nobody's objective.
        if AVERAGES in needs and OWN_SITES not in needs and (drawn := _replayed()) is not None:
            _check_guide(sites.seen, drawn)
    finally:
        model.forget()


def check_weights(called: Callable[[], str], wanted: Mapping[str, Any], drawn: Mapping[str, Any]) -> None:
    """Raise ValueError, naming the site, where a guide's sites have other weights than the model's.

    Args:
        called: what the guide is called in the message.
        wanted: the model's latent sites, messages of Pyro's by their names.
        drawn: those of the guide's trace, all of ``wanted`` among them.
    """
    # A point has no density to be weighed, unless it is one entry of a vector that has.
    spread = any(found["infer"].get("is_auxiliary") for found in drawn.values() if found["type"] == "sample")
    for name, found in wanted.items():
        ours, its = found["scale"], drawn[name]["scale"]
        if not _same(ours, its) and (spread or not _is_point(drawn[name]["fn"])):
            raise ValueError(
                f"the site {name} weighs {_said(ours)} in the model, but {_said(its)} in {called()}, so that the "
                "fit would have another objective: sample it inside 'with self.model.weight():' "
                "(make_guide does that for Pyro's AutoGuides), in a guide that was made for this model"
            )


class _Sites(Messenger):
    """The latent sites of a run by their names; use it innermost."""

    def __init__(self, num_images: int) -> None:
        super().__init__()
        self.num_images = num_images
        self.seen: dict[str, Any] = {}

    def _pyro_post_sample(self, msg: Any) -> None:
        if not isinstance(msg["fn"], TorchDistributionMixin) or msg["fn"].event_dim != 3:
            return  # the indices of a plate
        shape, wanted = tuple(msg["value"].shape), (self.num_images, *msg["fn"].event_shape)
        if shape[-4:] != wanted:
            raise ValueError(
                f"the site {msg['name']} has values of shape (*, {', '.join(map(str, wanted))}), but was given {shape}"
            )
        if not msg["is_observed"]:
            self.seen[msg["name"]] = msg


def _replayed() -> Mapping[str, Any] | None:
    """The sites of the guide whose draws the model is replayed with; None where it is not."""
    traces = [h.trace for h in _PYRO_STACK if isinstance(h, ReplayMessenger) and h.trace is not None]
    return traces[-1].nodes if traces else None


def _check_guide(seen: Mapping[str, Any], drawn: Mapping[str, Any]) -> None:
    if "y" in seen and "y" not in drawn:
        raise TypeError(
            "a bound was asked for, and the model was run without y, which it draws then: give it, svi.step(y), or "
            "condition the model on it"
        )
    if strays := [name for name in ("z_t", "z_s") if name in drawn and name not in seen]:
        raise TypeError(
            f"{guide_of_run()} draws {' and '.join(strays)}, which the marginal form of a model has not: it was made "
            "for one in bridge form. Make it for this model"
        )
    try:
        check_weights(guide_of_run, {name: msg for name, msg in seen.items() if name in drawn}, drawn)
    except ValueError as error:
        raise TypeError(str(error)) from None


def _is_point(fn: Any) -> bool:
    while isinstance(fn, (dist.Independent, dist.MaskedDistribution)):
        fn = fn.base_dist
    return isinstance(fn, dist.Delta)


def _same(ours: float | Tensor, its: float | Tensor) -> bool:
    if isinstance(ours, float | int) and isinstance(its, float | int):
        return math.isclose(ours, its, rel_tol=_CLOSE)
    a, b = (torch.as_tensor(v, dtype=torch.float64, device="cpu") for v in (ours, its))
    return bool(torch.isclose(a, b, rtol=_CLOSE, atol=0).all())


def _said(scale: float | Tensor) -> str:
    return f"{float(scale):g}" if not isinstance(scale, Tensor) or scale.numel() == 1 else "otherwise"
