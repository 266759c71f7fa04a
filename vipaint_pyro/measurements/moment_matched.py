r"""Gaussian noise in y, and with it the spread of the image given z_t, matched in its moments."""

from __future__ import annotations

from dataclasses import dataclass

import pyro.distributions as dist
from torch import Tensor

from vipaint_pyro.measurements.likelihoods import Gaussian
from vipaint_pyro.measurements.operator import Operator
from vipaint_pyro.priors.diffusion import DiffusionPrior

__all__ = ["MomentMatched"]


@dataclass(frozen=True, eq=False)
class MomentMatched(Gaussian):
    r"""Gaussian noise in y, and at level t the spread of x given z_t with it.

    :math:`N(A E[x|z_t], \sigma_y^2 I + A\,\mathrm{Cov}[x|z_t] A^T)`; see
    :meth:`vipaint_pyro.DiffusionPrior.measured`. On the clean image it is :class:`Gaussian`.

    Args:
        scale: sigma_y > 0, the noise of the measurement alone.
    """

    def given(self, prior: DiffusionPrior, operator: Operator, z: Tensor, t: int, z0: Tensor) -> dist.Distribution:
        """p(y | z_t) with event shape (C', H', W')."""
        return prior.measured(operator, self.scale, z, t, z0)
