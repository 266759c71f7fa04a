"""The trivial baseline of a restoration: what the measurement itself looks like."""

from __future__ import annotations

from dataclasses import dataclass

from vipaint_pyro.samplers.base import Sampler, Samples
from vipaint_pyro.samplers.run import Run

__all__ = ["Estimate"]


@dataclass(frozen=True)
class Estimate(Sampler):
    """The operator's own estimate: the measurement enlarged, the blurred image itself, grey in three channels, a hole
    filled as smoothly as can be.

    All samples are the same.
    """

    def draw(self, run: Run) -> Samples:
        x = run.measurement.operator.estimate(run.measurement.y)
        return Samples(x.expand(run.num_samples, *x.shape))
