"""What an inpainting's known pixels say of the latents; computed once for all samples of a run."""

from __future__ import annotations

from functools import cached_property

import torch
from torch import Tensor

from vipaint_pyro.measurements.measurement import Measurement
from vipaint_pyro.priors.codecs import latent_mask
from vipaint_pyro.priors.diffusion import DiffusionPrior
from vipaint_pyro.priors.seen_share import seen_share

__all__ = ["Known"]


class Known:
    """Of a prior and an inpainting of N images.

    Args:
        prior, measurement: those of a run.
    """

    def __init__(self, prior: DiffusionPrior, measurement: Measurement) -> None:
        self._prior, self._observed, self._y = prior, measurement.operator.observed, measurement.y

    @cached_property
    def latents(self) -> Tensor:
        """y encoded, (N, C, H, W)."""
        with torch.no_grad():
            return self._prior.encode(self._y)

    @cached_property
    def mask(self) -> Tensor:
        """Which latents known pixels decide, bool, (N, 1 or C, H, W)."""
        return latent_mask(self._observed, self._prior.codec.factor) if self._prior.is_latent else self._observed

    @cached_property
    def share(self) -> Tensor:
        """How far known pixels decide each latent, in [0, 1], (N, 1 or C, H, W)."""
        return seen_share(self._prior, self._observed, self.latents)
