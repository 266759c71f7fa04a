"""Counting denoiser calls: the price that every method is compared at."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from vipaint_pyro.priors import DiffusionPrior

__all__ = ["Calls", "count_calls"]


@dataclass
class Calls:
    """How many z a denoiser was asked for; one call = one network evaluation of one z."""

    total: int = 0


@contextmanager
def count_calls(prior: DiffusionPrior) -> Iterator[Calls]:
    """Count what ``prior.denoise`` is asked for inside the block.

    An exact kernel or likelihood at the z that the denoiser was asked for needs the same numbers
    again, and is not counted a second time.
    """
    calls = Calls()
    denoise = prior.denoise

    def counted(z, t):
        calls.total += z.shape[:-3].numel()
        return denoise(z, t)

    prior.denoise = counted
    try:
        yield calls
    finally:
        del prior.denoise
