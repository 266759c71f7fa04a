"""What a prior predicts at one noise level."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from torch import Tensor

from vipaint_pyro.priors.diffusion import DiffusionPrior

__all__ = ["Prediction"]


@dataclass(frozen=True, eq=False)
class Prediction:
    """z_t, and the image that the prior expects there; the clean image itself at t = ``CLEAN``.

    Args:
        prior: the prior.
        z: z_t with shape (*, N, C, H, W).
        t: its time.
        z0: E[z_0 | z_t], of the same shape.
    """

    prior: DiffusionPrior
    z: Tensor
    t: int
    z0: Tensor

    @cached_property
    def x(self) -> Tensor:
        """The image (*, N, C, H, W) of the codec's, decoded when first asked for."""
        return self.prior.decode(self.z0)
