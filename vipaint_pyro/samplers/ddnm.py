r"""DDNM: what y says of the image put in place in every prediction, what it leaves open kept.

Wang, Yu, Zhang, "Zero-Shot Image Restoration Using Denoising Diffusion Null-Space Model", arXiv:2212.00490.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self, cast

import torch
from torch import Tensor

from vipaint_pyro.measurements.inpainting import Inpainting
from vipaint_pyro.measurements.measurement import Measurement
from vipaint_pyro.measurements.operator import LinearOperator
from vipaint_pyro.measurements.super_resolution import SuperResolution
from vipaint_pyro.priors.diffusion import DiffusionPrior
from vipaint_pyro.priors.kernels import reverse_step
from vipaint_pyro.samplers.run import Run
from vipaint_pyro.samplers.travel import TravellingSampler
from vipaint_pyro.settings import number, setting, whole

__all__ = ["DDNMSampler"]


@dataclass(frozen=True)
class DDNMSampler(TravellingSampler):
    r"""The prior's step from a prediction that agrees with y (its eq. 13, and with noise eq. 17-19, DDNM+).

    .. math:: \tilde x_{0|t} = \hat x_{0|t} - \lambda_t A^+ (A \hat x_{0|t} - y), \quad
              z_s \sim N\big(c_0 \tilde x_{0|t} + c_t z_t,\; \varsigma^2 - (c_0 \lambda_t \sigma_y)^2\big)

    with :math:`\lambda_t = \min(1, \varsigma / (c_0 \sigma_y))`, so that the noise of y takes part of the step's own; 1
    where y has no noise. Entries of which y says nothing, where A^+ y is 0, hear of no noise of it either and have all
    of the step's. (The released code draws with a standard deviation of .85 times sigma_s in the step's place.)

    No gradient, one network call a step.

    Through an autoencoder, of a mask and y without noise: the seen pixels are put in place of the decoded prediction,
    which is encoded again, and latents follow it as far as known pixels decide them, :math:`s_i` of
    :func:`~vipaint_pyro.priors.seen_share.seen_share`,

    .. math:: \tilde z_{0|t} = \hat z_{0|t} + s \odot
              \big(E(m \odot y + (1 - m) \odot D(\hat z_{0|t})) - \hat z_{0|t}\big)

    so that the encoder hears of the hole what the sample itself has there, and latents in the hole are left to the
    prior: no residual pulls at them.

    Args:
        num_steps: of one way down; as published, 100.
        jump_length, jump_n_sample: time travel as RePaint's, l and r of its algorithm 2; none by default.
        eta: of the DDIM kernel, also on priors that know an exact one; 1, ancestral, as published.
        measurement_scale: sigma_y, of a measurement that says nothing of its noise; None for 0.
    """

    num_steps: int = setting(100, whole(1), "Steps of one way from noise to the image.")
    eta: float = setting(1.0, number(least=0, most=1), "Of the DDIM kernel; 1 is ancestral.")
    measurement_scale: float | None = setting(None, number(above=0), "Noise in y, in units of [-1, 1].", stands_for="0")

    def settle(self, prior: DiffusionPrior, measurement: Measurement) -> Self:
        operator = measurement.operator
        if not isinstance(operator, LinearOperator):
            raise ValueError("ddnm needs the pseudo-inverse of what was measured: it is for linear operators")
        settled = super().settle(prior, measurement)
        sigma = measurement.noisy(self.measurement_scale or 0.0).likelihood.sigma
        if prior.is_latent:
            noisy = sigma is None or (torch.as_tensor(sigma, device="cpu") > 0).any()
            if noisy or not isinstance(operator, Inpainting):
                raise ValueError(
                    "ddnm puts seen pixels in place of decoded ones: of a latent prior it is for masks and y without "
                    "noise; take dps, psld or mmps"
                )
            return settled
        plain = isinstance(operator, Inpainting) or (
            isinstance(operator, SuperResolution) and operator.method == "average"
        )
        if sigma is None or ((torch.as_tensor(sigma, device="cpu") > 0).any() and not plain):
            raise ValueError(
                "ddnm takes Gaussian noise of masks, and of super-resolution whose method is 'average' (--reduction "
                "average): take pigdm or mmps, or a measurement without noise"
            )
        return settled

    def prepared(self, prior: DiffusionPrior, measurement: Measurement) -> tuple[DiffusionPrior, Measurement]:
        return prior, measurement.noisy(self.measurement_scale or 0.0)

    @torch.no_grad()
    def step(self, run: Run, z: Tensor, t: int, s: int) -> tuple[Tensor, Tensor]:
        prior, seen = run.prior, run.measurement
        z0 = prior.denoise(z, t)
        c_0, c_t, std = (float(c) for c in reverse_step(prior.schedule, t, s, self.eta))
        if prior.is_latent:
            mean = c_0 * self._in_place(run, z0) + c_t * z
            return (mean + std * run.normal(z) if std else mean), z0
        operator = cast(LinearOperator, seen.operator)
        sigma = torch.as_tensor(seen.likelihood.sigma, dtype=z.dtype, device=z.device)
        noise = operator.pseudo_inverse(torch.where(operator.observed, sigma, 0)).abs()  # of y, where it comes to be
        own = torch.minimum(torch.full_like(noise, std), c_0 * noise)  # what the step's noise has of it
        weight = torch.where(noise > 0, own / (c_0 * noise).clamp_min(1e-30), 1.0)
        back = operator.pseudo_inverse(operator(z0) - seen.y)
        mean = c_0 * (z0 - weight * back) + c_t * z
        left = (std**2 - own**2).clamp_min(0).sqrt()
        return (mean + left * run.normal(z) if std else mean), z0

    @staticmethod
    def _in_place(run: Run, z0: Tensor) -> Tensor:
        """The prediction with what is seen put in its decoded picture, as far as latents are decided by that."""
        prior, seen = run.prior, run.measurement
        x = torch.where(seen.operator.observed, seen.y, prior.decode(z0))
        return z0 + run.known.share * (prior.encode(x) - z0)
