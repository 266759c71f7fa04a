"""The exact likelihood p(y | z_t) of the laboratory"s priors."""

from __future__ import annotations

from dataclasses import dataclass

import pyro.distributions as dist
from torch import Tensor

from vipaint_pyro.measurements.likelihoods import Gaussian
from vipaint_pyro.measurements.operator import Operator
from vipaint_pyro.priors.diffusion import DiffusionPrior

__all__ = ["ExactGaussian"]


@dataclass(frozen=True, eq=False)
class ExactGaussian(Gaussian):
    """Gaussian noise in y, and the exact p(y | z_t) of a prior from :mod:`vipaint_pyro.exact`.

    With it the bound of a fit is one on the true log p(y).

    Args:
        scale: sigma_y > 0, the noise of the measurement alone.
    """

    def given(self, prior: DiffusionPrior, operator: Operator, z: Tensor, t: int, z0: Tensor) -> dist.Distribution:
        """p(y | z_t) with event shape (C', H', W').

        Raises:
            TypeError: for a prior that does not know it.
        """
        if not hasattr(prior, "exactly_measured"):
            raise TypeError("the exact likelihood needs a prior of vipaint_pyro.exact; take MomentMatched")
        return prior.exactly_measured(operator, self.scale, z, t)
