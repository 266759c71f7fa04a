"""VIPaint without its fit."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

import torch
from torch import Tensor

from vipaint_pyro.guides import Guide
from vipaint_pyro.measurements.measurement import Measurement
from vipaint_pyro.models import DiffusionModel
from vipaint_pyro.priors.diffusion import DiffusionPrior
from vipaint_pyro.priors.fingerprints import same_weights
from vipaint_pyro.priors.same_condition import same_condition
from vipaint_pyro.samplers.base import Sampler, Samples
from vipaint_pyro.samplers.run import Run
from vipaint_pyro.samplers.vipaint.gibbs import check_kernels, has_kernels
from vipaint_pyro.settings import settled
from vipaint_pyro.wording import counted

if TYPE_CHECKING:
    from vipaint_pyro.samplers.vipaint.sampler import VIPaintSampler

__all__ = ["FromGuide"]

#: Of the largest entry of y: what single precision leaves of one. Two pictures of 8 bits are 800 times as far apart.
_ROUNDING = 1e-5


@dataclass(frozen=True, eq=False)
class FromGuide(Sampler):
    """Draws from a guide that was fitted to the same measurement before.

    Args:
        sampler: the settings.
        guide: fitted.
    """

    sampler: VIPaintSampler
    guide: Guide

    def settle(self, prior: DiffusionPrior, measurement: Measurement) -> Self:
        """Raises as VIPaint does, and where the guide cannot stand for one that would be fitted here."""
        sampler = self.sampler
        if sampler.refine == "gibbs" and sampler.sweep_levels is None and not has_kernels(self.guide):
            sampler = replace(sampler, sweep_levels=1)
        found = replace(self, sampler=sampler.settle(prior, measurement))
        found._check(prior, measurement)
        return found

    def _check(self, prior: DiffusionPrior, measurement: Measurement) -> None:
        guide, times = self.guide, self.sampler.timesteps
        if not callable(guide) or isinstance(guide, type):
            raise TypeError(f"guide is a fitted guide, not {guide!r}")
        check_kernels(guide, settled(self.sampler.sweep_levels))
        if not isinstance(guide, Guide):
            return
        own = guide.model
        if not isinstance(own, DiffusionModel):
            raise ValueError("a guide of the clean image is its own answer: there is nothing to draw from it")
        if own.timesteps != times or own.num_images != measurement.num_images:
            raise ValueError(
                f"the guide was fitted to {counted(own.num_images, 'image')} at timesteps {own.timesteps}, but here "
                f"are {measurement.num_images} at {times}; give the same timesteps and images"
            )
        theirs, ours = own.operator.observed.cpu(), measurement.operator.observed.cpu()
        if theirs.shape != ours.shape or not torch.equal(theirs, ours):
            raise ValueError("the guide was fitted to another mask or measurement: fit one to this, or give its own")
        if guide.fitted_to is not None and not _alike(guide.fitted_to, measurement.y, ours):
            raise ValueError("the guide was fitted to another y, of another picture: fit one to this, or give its own")
        if not same_weights(own.prior, prior):
            raise ValueError(
                "the guide was fitted under other weights than this prior's: give the prior and the precision that it "
                "was fitted with"
            )

    def prepared(self, prior: DiffusionPrior, measurement: Measurement) -> tuple[DiffusionPrior, Measurement]:
        return self.sampler.prepared(prior, measurement)

    def check_samples(self, num_samples: int) -> None:
        self.sampler.check_samples(num_samples)

    def at_once(self, num_samples: int) -> int:
        return self.sampler.at_once(num_samples)

    def phases(self) -> dict[str, int]:
        return {"refinement": self.sampler.phases()["refinement"]}

    def draw(self, run: Run) -> Samples:
        if not isinstance(self.guide, Guide):
            return self.sampler.draw(run, self.guide)
        own = self.guide.model
        # What a prior is told may come after the settings: an encoder of texts takes its time.
        if not same_condition(own.prior, run.prior, own.num_images):
            raise ValueError(
                "the guide was fitted under another label, prompt or guidance scale: give the same ones, or fit one to "
                "these"
            )
        with own.counted(settled(run.prior.calls)):  # a guide asks the prior that it was fitted with
            return self.sampler.draw(run, self.guide)


def _alike(theirs: Tensor, ours: Tensor, observed: Tensor) -> bool:
    """Whether two y are equal where they were measured, but for the rounding of another precision."""
    if theirs.shape != ours.shape:
        return False
    apart = (theirs.to("cpu", torch.float64) - ours.to("cpu", torch.float64)).abs()
    close = apart <= _ROUNDING * ours.abs().max().clamp_min(1).to("cpu", torch.float64)
    return bool((close | ~observed).all())
