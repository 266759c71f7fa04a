"""What a method has after so many steps of its fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from vipaint_pyro.measurements.measurement import Measurement
from vipaint_pyro.priors.diffusion import DiffusionPrior
from vipaint_pyro.samplers.base import Sampler, Samples
from vipaint_pyro.samplers.run import OnStep, Progress, Stop
from vipaint_pyro.samplers.vipaint.sampler import VIPaintSampler
from vipaint_pyro.settings import settled

__all__ = ["Until"]

# The draws of a guide take other noise than its fit, and the same after every number of steps.
_DRAWS = 10**6


@dataclass(frozen=True)
class Until:
    """A method whose fit is ended early: VIPaint's guide is then drawn from as ever, RED-diff's point is its answer.

    Args:
        sampler: settled.
        steps: of the fit.
    """

    sampler: Sampler
    steps: int

    def expected(self) -> int:
        """How many steps are reported."""
        return self.steps + sum(n for phase, n in self.sampler.phases().items() if phase != "fit")

    def __call__(
        self,
        prior: DiffusionPrior,
        measurement: Measurement,
        num_samples: int,
        generators: Sequence[torch.Generator],
        on_step: OnStep,
    ) -> Samples:
        """As :meth:`Sampler.__call__`, with a generator per image that its seed alone is taken of."""

        def step(progress: Progress) -> Stop | None:
            on_step(progress)
            return Stop() if progress.step + 1 == self.steps else None

        fresh = [torch.Generator().manual_seed(g.initial_seed()) for g in generators]
        fitted = self.sampler(prior, measurement, num_samples, fresh, step)
        if not isinstance(self.sampler, VIPaintSampler):
            return fitted
        draws = [torch.Generator().manual_seed(_DRAWS + g.initial_seed()) for g in generators]
        drawn = self.sampler.from_guide(settled(fitted.guide))(prior, measurement, num_samples, draws, on_step)
        spent = ("calls", "backward", "seconds")
        costs: dict[str, Any] = {name: {"fit": vars(fitted)[name]["fit"], **vars(drawn)[name]} for name in spent}
        return replace(drawn, fit=fitted.fit, **costs)
