r"""TMPD: the prediction given y, the entries of y independent of each other given z_t.

Boys et al., "Tweedie Moment Projected Diffusions for Inverse Problems", arXiv:2310.06721.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from vipaint_pyro.measurements.linearised import Linearised
from vipaint_pyro.samplers.posterior_mean import PosteriorMeanSampler

__all__ = ["TMPDSampler"]


@dataclass(frozen=True)
class TMPDSampler(PosteriorMeanSampler):
    r"""As :class:`~vipaint_pyro.samplers.mmps.MMPSSampler`, with a diagonal in place of the matrix.

    .. math:: \hat z_0^y = \hat z_0 + \mathrm{Cov}[z_0 | z_t]\, H^T u, \quad
              u_i = \frac{(y - h(\hat z_0))_i}{\sigma_y^2 + v_i}, \quad v = H\, \mathrm{Cov}[z_0 | z_t]\, H^T 1

    The row sums v are the variances where entries are independent, and stand for them elsewhere. An entry whose row sum
    is not above 0, which no variance is, is left out of the step: of a network a tenth of them are at the noisiest
    times, and divided by the noise alone their pulls, hundreds of times too long, break the walk.

    A step costs one forward and two backward calls of the network.

    (azula divides by the row sums as they are, also below 0.)

    Args:
        num_steps: evenly spaced steps from T to the clean image.
        eta: of the DDIM kernel; 1 is ancestral.
        measurement_scale: sigma_y, of a measurement that says nothing of its noise; None for .03.
    """

    name: ClassVar[str] = "tmpd"

    def shift(self, seen: Linearised, away: Tensor, variance: Tensor) -> Tensor:
        rows = seen.row_sums()
        return seen.covariance(torch.where(rows > 0, away / (rows.clamp_min(0) + variance), 0))
