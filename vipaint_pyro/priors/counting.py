"""Counting denoiser calls: the price at which methods are compared."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import Tensor

if TYPE_CHECKING:
    from vipaint_pyro.priors.diffusion import DiffusionPrior

__all__ = ["Calls", "count_calls"]


@dataclass
class Calls:
    """How many z a denoiser was asked for: one network evaluation each, two under classifier-free guidance.

    With gradient checkpointing, what a backward pass calls again is not counted; nor is what an exact kernel or
    likelihood needs again at the z that the denoiser was asked for.

    Attributes:
        total: forward calls.
        backward: how many of them a gradient went back through.
        outer: the count that this one adds to as well.
    """

    total: int = 0
    backward: int = 0
    outer: Calls | None = None

    def add(self, z0: Tensor) -> None:
        """Count the prediction of z (*, N, C, H, W), and its backward pass when it comes."""
        count = math.prod(z0.shape[:-3])  # Pyro's tensors that tell their origins have a plain tuple for a shape
        self._add(count, 0)
        if z0.requires_grad:
            z0.register_hook(lambda gradient: self._add(0, count))

    def _add(self, forward: int, backward: int) -> None:
        self.total, self.backward = self.total + forward, self.backward + backward
        if self.outer is not None:
            self.outer._add(forward, backward)


def count_calls(prior: DiffusionPrior) -> tuple[DiffusionPrior, Calls]:
    """A copy of the prior whose ``denoise`` is counted, and the count.

    The prior itself is left as it is, so that two threads may each count their own calls of one prior. Copies of
    the copy (with other labels, checkpointed) go on counting; a count of a counted prior adds to both.
    """
    calls = Calls(outer=prior.calls)
    return prior.counted(calls), calls
