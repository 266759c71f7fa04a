r"""TMPD: the prediction given y, the entries of y independent of each other given z_t.

Boys et al., "Tweedie Moment Projected Diffusions for Inverse Problems", arXiv:2310.06721.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from vipaint_pyro.measurements.linearised import Linearised
from vipaint_pyro.samplers.posterior_mean import PosteriorMeanSampler

__all__ = ["TMPDSampler"]


@dataclass(frozen=True)
class TMPDSampler(PosteriorMeanSampler):
    r"""As :class:`~vipaint_pyro.samplers.mmps.MMPSSampler`, with a diagonal in place of the matrix.

    .. math:: \hat z_0^y = \hat z_0 + \mathrm{Cov}[z_0 | z_t]\, H^T u, \quad
              u_i = \frac{(y - h(\hat z_0))_i}{\sigma_y^2 + \max\big(0, (H\, \mathrm{Cov}[z_0 | z_t]\, H^T 1)_i\big)}

    The row sums are the variances where entries are independent, and stand for them elsewhere. They are those of
    :class:`~vipaint_pyro.measurements.moment_matched.MomentMatched`.

    A step costs one forward and two backward calls of the network.

    (azula takes the row sums as they are, also below 0.)

    Args:
        num_steps: evenly spaced steps from T to the clean image.
        eta: of the DDIM kernel; 1 is ancestral.
        measurement_scale: sigma_y, of a measurement that says nothing of its noise; None for .03.
    """

    name: ClassVar[str] = "tmpd"

    def shift(self, seen: Linearised, away: Tensor, variance: Tensor) -> Tensor:
        return seen.covariance(away / (seen.variance() + variance))
