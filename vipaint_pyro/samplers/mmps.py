r"""MMPS: the prediction given y, with the covariance of z_0 that the network's Jacobian says.

Rozet, Andry, Lanusse, Louppe, "Learning Diffusion Priors from Observations by Expectation Maximization",
arXiv:2405.13712.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from vipaint_pyro.measurements.given_y import added_by
from vipaint_pyro.measurements.linearised import Linearised
from vipaint_pyro.samplers.posterior_mean import PosteriorMeanSampler
from vipaint_pyro.settings import setting, whole

__all__ = ["MMPSSampler"]


@dataclass(frozen=True)
class MMPSSampler(PosteriorMeanSampler):
    r"""Moment matching posterior sampling (its algorithm 3).

    .. math:: \hat z_0^y = \hat z_0 + \mathrm{Cov}[z_0 | z_t]\, H^T u, \quad
              \big(\sigma_y^2 I + H\, \mathrm{Cov}[z_0 | z_t]\, H^T\big)\, u = y - h(\hat z_0)

    solved by ``iterations`` steps of conjugate gradients from 0, each sample by itself. What the covariance does to u
    is the same sum of what it does to the directions, so that a step costs one forward call and ``iterations``
    backward calls of the network, one less than by a last one for u. A direction along which the matrix is not
    positive, as may be of a network, ends the iterations of that sample.

    (azula solves by GMRES, one iteration by default, which goes less far than a first step of conjugate gradients. The
    paper's code takes the latter, and samples by predictor and corrector steps.)

    Args:
        num_steps: evenly spaced steps from T to the clean image.
        eta: of the DDIM kernel; 1 is ancestral.
        iterations: of conjugate gradients, at least 1.
        measurement_scale: sigma_y, of a measurement that says nothing of its noise; None for .03.
    """

    iterations: int = setting(1, whole(1), "Of conjugate gradients, a backward call each.")

    name: ClassVar[str] = "mmps"

    def shift(self, seen: Linearised, away: Tensor, variance: Tensor) -> Tensor:
        return added_by(seen, away, variance, self.iterations)
