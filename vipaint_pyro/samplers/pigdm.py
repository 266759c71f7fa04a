r"""PiGDM: guidance by the pseudo-inverse, the image given z_t taken for a Gaussian of known width.

Song, Vahdat, Mardani, Kautz, "Pseudoinverse-Guided Diffusion Models for Inverse Problems", ICLR 2023.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self, cast

import torch
from torch import Tensor

from vipaint_pyro.measurements.least_squares import least_squares
from vipaint_pyro.measurements.measurement import Measurement
from vipaint_pyro.measurements.operator import LinearOperator
from vipaint_pyro.priors.diffusion import DiffusionPrior
from vipaint_pyro.priors.schedules import CLEAN
from vipaint_pyro.samplers.reverse import ReverseSampler
from vipaint_pyro.samplers.run import Run
from vipaint_pyro.settings import number, setting, whole

__all__ = ["PiGDMSampler"]


@dataclass(frozen=True)
class PiGDMSampler(ReverseSampler):
    r"""The prior's step, and a pull through the network (its algorithm 1).

    .. math:: x | z_t &\approx N(\hat x, r_t^2 I), \quad r_t^2 = \frac{\sigma_t^2}{\alpha_t^2 + \sigma_t^2} \\
              g &= \Big(\frac{\partial \hat x}{\partial z_t}\Big)^{\!T} A^T
                   \Big(A A^T + \frac{\sigma_y^2}{r_t^2} I\Big)^{-1} (y - A \hat x), \quad
              z_s \leftarrow z_s + n_s \alpha_t g, \quad n_s = \sqrt{\alpha_s^2 + \sigma_s^2}

    g is r_t^2 times the gradient of log p(y | z_t) under that Gaussian: the paper's adaptive weight. Where y has no
    noise the middle is the pseudo-inverse. The paper's schedules are variance-preserving, n_s = 1; on others z_s / n_s
    is what moves as published, so that a prior has the same samples in either coordinates.

    One forward and one backward call a step, no backward call at the last. The pull does not depend on how long a step
    is: more steps pull more.

    (azula, and code of the paper's authors, add :math:`\alpha_s \alpha_t g`, also at the last step; deepinv adds
    :math:`c_0 \sigma_t^2 / (\alpha_t r_t^2)\, g`, as a shift of the score, with c_0 of
    :func:`~vipaint_pyro.priors.kernels.reverse_step`.)

    Args:
        num_steps: as published, 100.
        eta: of the DDIM kernel; 1, ancestral, as published.
        measurement_scale: sigma_y, of a measurement that says nothing of its noise; None for 0.
    """

    num_steps: int = setting(100, whole(1), "Steps from noise to the image.")
    eta: float = setting(1.0, number(least=0, most=1), "Of the DDIM kernel; 1 is ancestral.")
    measurement_scale: float | None = setting(None, number(above=0), "Noise in y, in units of [-1, 1].", stands_for="0")

    def settle(self, prior: DiffusionPrior, measurement: Measurement) -> Self:
        if not isinstance(measurement.operator, LinearOperator):
            raise ValueError("pigdm needs the pseudo-inverse of what was measured: it is for linear operators")
        if prior.is_latent:
            raise ValueError("pigdm takes images for Gaussian: it is for pixel priors; for latent ones take psld")
        if measurement.likelihood.sigma is None:
            raise ValueError("pigdm is for Gaussian noise, or none")
        return super().settle(prior, measurement)

    def prepared(self, prior: DiffusionPrior, measurement: Measurement) -> tuple[DiffusionPrior, Measurement]:
        return prior, measurement.noisy(self.measurement_scale or 0.0)

    def step(self, run: Run, z: Tensor, t: int, s: int) -> tuple[Tensor, Tensor]:
        prior, seen = run.prior, run.measurement
        if s == CLEAN:
            with torch.no_grad():
                z0 = prior.denoise(z, t)
            return z0, z0
        with torch.enable_grad():
            z = z.detach().requires_grad_()
            z0 = prior.denoise(z, t)
            back = self._explained(seen, z0.detach(), run.prior, t)
            (g,) = torch.autograd.grad(z0, z, back)
        z, z0 = z.detach(), z0.detach()
        length = math.hypot(float(prior.schedule.alpha(s)), float(prior.schedule.sigma(s)))
        pull = length * float(prior.schedule.alpha(t)) * g
        return self.ddim(run, z, z0, t, s) + pull, z0

    @staticmethod
    def _explained(seen: Measurement, x: Tensor, prior: DiffusionPrior, t: int) -> Tensor:
        """A^T (A A^T + sigma_y^2 / r_t^2)^-1 (y - A x), images (*, N, C, H, W)."""
        operator = cast(LinearOperator, seen.operator)
        away = torch.where(operator.observed, seen.y - operator(x), 0)
        sigma_y = torch.as_tensor(seen.likelihood.sigma, dtype=x.dtype, device=x.device)
        if not (sigma_y > 0).any():
            return operator.pseudo_inverse(away)
        alpha, sigma = float(prior.schedule.alpha(t)), float(prior.schedule.sigma(t))
        r2 = sigma**2 / (alpha**2 + sigma**2)
        return least_squares(operator, away, damping=sigma_y**2 / r2)
