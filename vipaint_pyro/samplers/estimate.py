"""The trivial baseline of a restoration: what the measurement itself looks like."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from vipaint_pyro.measurements.operator import Operator, estimate
from vipaint_pyro.priors.diffusion import DiffusionPrior
from vipaint_pyro.samplers.base import Samples

__all__ = ["Estimate"]


@dataclass(frozen=True)
class Estimate:
    """The trivial baseline of a restoration, in the form of a sampler: :func:`~vipaint_pyro.measurements.operator.estimate`.

    The measurement enlarged, the blurred image itself, grey in three channels. All samples are the same.
    """

    def __call__(
        self,
        prior: DiffusionPrior,
        operator: Operator,
        y: Tensor,
        num_samples: int,
        generator: torch.Generator | Sequence[torch.Generator] | None = None,
    ) -> Samples:
        """S copies of the estimate from y (N, C', H', W')."""
        x = estimate(operator, y.to(prior.device, prior.dtype))
        return Samples(x.expand(num_samples, *x.shape), calls={})
