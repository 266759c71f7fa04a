"""What a prior predicts at one noise level."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from torch import Tensor

from vipaint_pyro.priors.diffusion import DiffusionPrior
from vipaint_pyro.priors.schedules import CLEAN

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

    prior: DiffusionPrior | None
    z: Tensor
    t: int
    z0: Tensor

    @classmethod
    def certain(cls, x: Tensor) -> Prediction:
        """The image itself, with nothing left open; of no prior."""
        known = cls(None, x, CLEAN, x)
        vars(known)["x"] = x
        return known

    @property
    def known(self) -> DiffusionPrior:
        """The prior; a ValueError where the prediction is of none."""
        if self.prior is None:
            raise ValueError("this prediction is of no prior: it is the image itself")
        return self.prior

    @cached_property
    def x(self) -> Tensor:
        """The image (*, N, C, H, W) of the codec's, decoded when first asked for."""
        return self.known.decode(self.z0)
