r"""Gaussian noise in y, and with it the spread of the image given z_t, matched in its moments."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import pyro.distributions as dist
import torch
from pyro.distributions.torch_distribution import TorchDistributionMixin

from vipaint_pyro.distributions import Seen
from vipaint_pyro.measurements.likelihoods import Gaussian
from vipaint_pyro.measurements.linearised import Linearised
from vipaint_pyro.measurements.operator import LinearOperator, Operator
from vipaint_pyro.priors.prediction import Prediction
from vipaint_pyro.priors.schedules import CLEAN

__all__ = ["MomentMatched"]


@dataclass(frozen=True, eq=False)
class MomentMatched(Gaussian):
    r"""p(y | z_t) for Gaussian noise, matched in its first two moments.

    .. math:: y | z_t \approx N\big(A\hat x(z_t),\; \sigma_y^2 I + A\,\mathrm{Cov}[x | z_t]\,A^T\big), \quad
              \mathrm{Cov}[z_0 | z_t] = \frac{\sigma_t^2}{\alpha_t}\,\nabla_{z_t} E[z_0 | z_t]

    A prior of :mod:`vipaint_pyro.exact` knows the covariance. Of a network's it is the diagonal, and of that the row
    sums that TMPD (Boys et al., arXiv:2310.06721) puts in its place: one backward pass, itself not differentiated.
    Of a latent prior the decoder is linearised at the prediction. On the clean image it is :class:`Gaussian`.

    As a twist of particles the variances have to be one number for one z_t: weights telescope only where what was
    multiplied in at a level is divided out again. Row sums are; a random (Hutchinson) estimate would be drawn twice.

    Args:
        scale: sigma_y > 0, the noise of the measurement alone; one number or a tensor that broadcasts against y.
    """

    noise_alone: ClassVar[bool] = False

    def at(self, operator: Operator, prediction: Prediction) -> TorchDistributionMixin:
        """p(y | z_t) with event shape (C', H', W'); what is not observed counts for nothing.

        Raises:
            TypeError: for a nonlinear operator.
        """
        z, t = prediction.z, prediction.t
        if not isinstance(operator, LinearOperator):
            raise TypeError("a nonlinear measurement has no adjoint: what is moment-matched needs a linear one")
        if t == CLEAN:
            return super().at(operator, prediction)
        known = None if prediction.known.is_latent else prediction.known.measured(operator, self.scale, z, t)
        if known is not None:
            return known
        scale = torch.as_tensor(self.scale, dtype=z.dtype, device=z.device)
        variance = Linearised.of(operator, prediction).row_sums().clamp_min(0).to(z) + scale**2
        return Seen(dist.Normal(operator(prediction.x), variance.sqrt()), operator.observed).to_event(3)
