r"""Classifier-free guidance as a denoiser of a denoiser."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from vipaint_pyro.networks.calls import Condition
from vipaint_pyro.priors.denoisers import Denoiser

__all__ = ["GuidedDenoiser", "unguided"]


class GuidedDenoiser(Denoiser):
    r"""Classifier-free guidance: :math:`\hat z_0 = \hat z_0^u + w (\hat z_0^c - \hat z_0^u)`.

    Ho and Salimans (arXiv:2207.12598), in the form in which w = 1 is the conditional model and
    w = 0 the unconditional one. Linear in z0_hat as it is in eps, since both differ by a linear map; a network's
    predictions are combined before any clipping, as its own pipeline does.

    Its condition holds two: ``"given"`` and ``"null"`` (no label, or the negative prompt), with the same names.

    Args:
        denoiser: a conditional denoiser.
        weight: w; only one network call is made where it is 0 or 1.
    """

    def __init__(self, denoiser: Denoiser, weight: float) -> None:
        self.denoiser, self.weight = denoiser, float(weight)
        self.network = denoiser.network

    @property
    def device(self) -> torch.device:
        return self.denoiser.device

    @property
    def dtype(self) -> torch.dtype:
        return self.denoiser.dtype

    @property
    def condition_dtype(self) -> torch.dtype:
        return self.denoiser.condition_dtype

    def __call__(self, z: Tensor, t: Tensor, condition: Mapping[str, Any] | None = None) -> Tensor:
        if condition is None:
            raise ValueError("guidance needs a condition, and what to guide away from")
        given: Condition = condition["given"]
        null: Condition = condition["null"]
        if self.weight in (0, 1):
            return self.denoiser(z, t, given if self.weight == 1 else null)
        stacked = {name: torch.cat([null[name], given[name]]) for name in given}
        unconditional, conditional = self.denoiser.predict(torch.cat([z, z]), torch.cat([t, t]), stacked).chunk(2)
        return self.clipped(unconditional + self.weight * (conditional - unconditional))

    def clipped(self, z0: Tensor) -> Tensor:
        return self.denoiser.clipped(z0)


def unguided(denoiser: Denoiser) -> Denoiser:
    """The denoiser that guidance was put around; one without guidance itself."""
    return denoiser.denoiser if isinstance(denoiser, GuidedDenoiser) else denoiser
