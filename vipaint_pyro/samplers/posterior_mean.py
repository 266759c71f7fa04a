"""Samplers that put E[z_0 | z_t, y] in the place of the prior's prediction."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Self

import torch
from torch import Tensor

from vipaint_pyro.measurements.linearised import Linearised
from vipaint_pyro.measurements.measurement import Measurement
from vipaint_pyro.priors.diffusion import DiffusionPrior
from vipaint_pyro.priors.prediction import Prediction
from vipaint_pyro.samplers.reverse import ReverseSampler
from vipaint_pyro.samplers.run import Run
from vipaint_pyro.settings import filled, number, setting, settled, whole

__all__ = ["PosteriorMeanSampler"]


@dataclass(frozen=True)
class PosteriorMeanSampler(ReverseSampler):
    r"""The prior's step from a prediction that knows y.

    .. math:: \hat z_0^y = \hat z_0 + \frac{\sigma_t^2}{\alpha_t} \nabla_{z_t} \log p(y | z_t), \quad
              z_s \sim N\big(c_0 \hat z_0^y + c_t z_t,\; \varsigma^2\big)

    with p(y | z_t) Gaussian, of moments of :class:`~vipaint_pyro.measurements.linearised.Linearised`; also at the last
    step, and of latent priors through the decoder. The measurement is one with Gaussian noise, of any operator; of one
    without noise, or that says nothing of it, ``measurement_scale`` is taken: p(y | z_t) has no density without.
    At alpha_t = 0, where z_t says nothing of z_0, nothing is guided. Where the prior clips its
    predictions, z_0^y is clipped.
    """

    num_steps: int = setting(100, whole(1), "Steps from noise to the image.")
    eta: float = setting(1.0, number(least=0, most=1), "Of the DDIM kernel; 1 is ancestral.")
    measurement_scale: float | None = setting(
        None, number(above=0), "Noise in y, in units of [-1, 1].", stands_for="0.03"
    )

    #: Of the registry.
    name: ClassVar[str] = ""

    @abstractmethod
    def shift(self, seen: Linearised, away: Tensor, variance: Tensor) -> Tensor:
        """What is added to the prediction, (*, N, C, H, W).

        Args:
            seen: the prediction, and its moments in y.
            away: y minus what is predicted of it, (*, N, C', H', W'), 0 where nothing is observed.
            variance: of the noise in y, broadcasts against it.
        """

    def settle(self, prior: DiffusionPrior, measurement: Measurement) -> Self:
        if measurement.likelihood.sigma is None:
            raise ValueError(f"{self.name} is for Gaussian noise, or none")
        return filled(super().settle(prior, measurement), measurement_scale=0.03)

    def prepared(self, prior: DiffusionPrior, measurement: Measurement) -> tuple[DiffusionPrior, Measurement]:
        return prior, measurement.noisy(settled(self.measurement_scale))

    def guided(self, run: Run, z: Tensor, t: int) -> tuple[Tensor, Tensor]:
        """E[z_0 | z_t, y] and E[z_0 | z_t] of z = z_t (*, N, C, H, W), both detached."""
        measurement = run.measurement
        with torch.enable_grad():
            z = z.detach().requires_grad_()
            z0 = run.prior.denoise(z, t)
        if float(run.prior.schedule.alpha(t)) == 0:
            return z0.detach(), z0.detach()
        seen = Linearised(measurement.operator, Prediction(run.prior, z, t, z0))
        away = seen.away(measurement.y)
        sigma = torch.as_tensor(measurement.likelihood.sigma, dtype=away.dtype, device=away.device)
        return run.prior.clipped(seen.z0 + self.shift(seen, away, sigma**2).to(z)), seen.z0

    def step(self, run: Run, z: Tensor, t: int, s: int) -> tuple[Tensor, Tensor]:
        guided, z0 = self.guided(run, z, t)
        return self.ddim(run, z.detach(), guided, t, s), z0
