"""Counting denoiser calls: the price at which methods are compared."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from vipaint_pyro.priors.diffusion import DiffusionPrior

__all__ = ["Calls", "count_calls"]


@dataclass
class Calls:
    """How many z a denoiser was asked for: one network evaluation each, two under classifier-free guidance."""

    total: int = 0


@contextmanager
def count_calls(prior: DiffusionPrior) -> Iterator[Calls]:
    """Count what ``prior.denoise`` is asked for inside the block.

    An exact kernel or likelihood at the z that the denoiser was asked for needs the same numbers
    again, and is not counted a second time.
    """
    calls, kind = Calls(), type(prior)

    def counted(self, z, t):
        calls.total += z.shape[:-3].numel()
        return kind.denoise(self, z, t)

    # By its class, so that blocks nest, and that a copy with other labels counts too and keeps its own denoiser.
    prior.__class__ = type(kind.__name__, (kind,), {"denoise": counted})
    try:
        yield calls
    finally:
        prior.__class__ = kind
