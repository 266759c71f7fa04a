"""The exact likelihood p(y | z_t) of the laboratory's priors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from pyro.distributions.torch_distribution import TorchDistributionMixin

from vipaint_pyro.measurements.likelihoods import Gaussian
from vipaint_pyro.measurements.operator import Operator
from vipaint_pyro.priors.prediction import Prediction
from vipaint_pyro.priors.schedules import CLEAN

__all__ = ["ExactGaussian"]


@dataclass(frozen=True, eq=False)
class ExactGaussian(Gaussian):
    """Gaussian noise in y, and the exact p(y | z_t) of a prior from :mod:`vipaint_pyro.exact`.

    With it the bound of a fit is one on the true log p(y).

    Args:
        scale: sigma_y > 0, the noise of the measurement alone.
    """

    noise_alone: ClassVar[bool] = False

    def at(self, operator: Operator, prediction: Prediction) -> TorchDistributionMixin:
        """p(y | z_t) with event shape (C', H', W').

        Raises:
            TypeError: for a prior that does not know it.
        """
        if prediction.t == CLEAN:
            return super().at(operator, prediction)
        known = prediction.known.exactly_measured(operator, self.scale, prediction.z, prediction.t)
        if known is None:
            raise TypeError("the exact likelihood needs a prior of vipaint_pyro.exact; take MomentMatched")
        return known
