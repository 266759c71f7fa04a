"""VIPaint's first phase alone: a guide to be kept, and drawn from at any time."""

from __future__ import annotations

import torch

from vipaint_pyro.alone import alone
from vipaint_pyro.faults import located
from vipaint_pyro.guides import Guide
from vipaint_pyro.inference.checkpoint import Checkpoints
from vipaint_pyro.inference.fit import FitResult
from vipaint_pyro.measurements.measurement import Measurement
from vipaint_pyro.priors.diffusion import DiffusionPrior
from vipaint_pyro.samplers.run import OnStep, Run
from vipaint_pyro.samplers.vipaint.sampler import FIT_MEMORY, VIPaintSampler

__all__ = ["fit_guide"]


def fit_guide(
    sampler: VIPaintSampler,
    prior: DiffusionPrior,
    measurement: Measurement,
    generator: torch.Generator | list[torch.Generator] | None = None,
    on_step: OnStep | None = None,
    keeping: Checkpoints | None = None,
) -> tuple[Guide, FitResult]:
    """Fit VIPaint's guide and draw nothing: what a call of the sampler does first.

    Args:
        sampler: the settings.
        prior: conditioned on labels or text as wanted.
        measurement: of N images.
        generator: one, or a list with one per image; None takes the global state. Draws that go on from where it
            stands afterwards (``streams`` of the record) are those of the sampler's call.
        on_step: called after each step, as a sampler's.
        keeping: the file that the fit is kept in, and goes on from.

    Returns:
        The guide, for ``sampler.from_guide(guide)`` and :func:`~vipaint_pyro.save_guide`, and the fit's record.

    Raises:
        As a call of the sampler; and as :class:`~vipaint_pyro.inference.checkpoint.Checkpoints` of the file.
    """
    if not isinstance(sampler, VIPaintSampler):
        raise TypeError(f"sampler is a VIPaintSampler, which fits guides, not a {type(sampler).__name__}")
    settled = sampler.settle(prior, measurement)
    prior, measurement = settled.prepared(prior, measurement)
    with alone(), prior.frozen(), torch.enable_grad():
        run = Run(prior, measurement, 1, generator, on_step)
        with run.phase("fit", memory=FIT_MEMORY), located("fit"):
            return settled.fitted(run, settled.model(run.prior, run.measurement), keeping)
