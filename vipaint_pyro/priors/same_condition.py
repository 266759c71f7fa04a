"""Whether two priors are conditioned alike: on equal labels or text, guided by equal weights."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_flatten

from vipaint_pyro.priors.diffusion import DiffusionPrior
from vipaint_pyro.priors.guidance import GuidedDenoiser

__all__ = ["same_condition"]


def same_condition(first: DiffusionPrior, second: DiffusionPrior, num_images: int) -> bool:
    """Whether the networks of two priors are told the same of so many images, however it was said.

    No label is the null class, and a weight of 1 is no guidance.
    """
    (ours, weight), (theirs, other) = _told(first, num_images), _told(second, num_images)
    (a, names), (b, same) = tree_flatten(ours), tree_flatten(theirs)
    return weight == other and names == same and all(map(_alike, a, b))


def _told(prior: DiffusionPrior, num_images: int) -> tuple[Any, float]:
    """What is given beside z and the time, and the weight of guidance."""
    denoiser, condition = prior.denoiser, prior._condition_of(torch.Size([num_images]))
    if not isinstance(denoiser, GuidedDenoiser) or condition is None:
        return condition, 1.0
    if denoiser.weight in (0.0, 1.0):  # one of the two alone is asked
        return condition["given" if denoiser.weight else "null"], 1.0
    return condition, denoiser.weight


def _alike(first: Tensor | None, second: Tensor | None) -> bool:
    if first is None or second is None:  # unconditional
        return first is second
    return first.shape == second.shape and torch.equal(*(v.detach().to("cpu", torch.float64) for v in (first, second)))
