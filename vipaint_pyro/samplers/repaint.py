r"""RePaint: known pixels replaced at every noise level, with time travel so that the hole agrees with them.

Lugmayr et al., "RePaint: Inpainting using Denoising Diffusion Probabilistic Models", arXiv:2201.09865, algorithm 1.
For latent priors the latents that known pixels decide are replaced.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from vipaint_pyro.measurements.inpainting import Inpainting
from vipaint_pyro.measurements.measurement import Measurement
from vipaint_pyro.priors.diffusion import DiffusionPrior
from vipaint_pyro.priors.kernels import reverse_step
from vipaint_pyro.priors.schedules import CLEAN
from vipaint_pyro.samplers.run import Run
from vipaint_pyro.samplers.travel import TravellingSampler
from vipaint_pyro.settings import number, setting, whole

__all__ = ["RePaintSampler"]


@dataclass(frozen=True)
class RePaintSampler(TravellingSampler):
    r"""One step of RePaint (its eq. 8), repeated over stretches of the noise levels.

    .. math:: z_s^{known} &\sim N(\alpha_s y, \sigma_s^2), \quad z_s^{unknown} \sim p(z_s | z_t) \\
              z_s &= m \odot z_s^{known} + (1 - m) \odot z_s^{unknown}

    and now and then some levels up again, :math:`z_t \sim q(z_t | z_s)`, so that what is put into the hole is thought
    over with what surrounds it. (The released code blends before a step instead of after it, which leaves the last step
    unblended; here the image holds what was seen. diffusers' pipeline goes up after the step *from* a time that the
    published schedule goes up at, the last time from the image itself; azula's, of single steps up, takes also the last
    step several times.)

    No gradient. With the published settings 2,410 network calls per sample.

    Args:
        num_steps: of one way down; as published, 250.
        jump_length: how many steps are gone up at once, j; 1 ... num_steps - 1.
        jump_n_sample: how often each stretch is walked down, r; 1 is no travel.
        eta: of the DDIM kernel, also on priors that know an exact one; 1, ancestral, as published.
    """

    num_steps: int = setting(250, whole(1), "Steps of one way from noise to the image.")
    eta: float = setting(1.0, number(least=0, most=1), "Of the DDIM kernel; 1 is ancestral.")
    jump_n_sample: int = setting(10, whole(1), "How often each stretch is walked down.")

    def settle(self, prior: DiffusionPrior, measurement: Measurement) -> Self:
        if not isinstance(measurement.operator, Inpainting):
            raise ValueError("repaint replaces the pixels that a mask leaves: it is for inpainting alone")
        return super().settle(prior, measurement)

    @torch.no_grad()
    def step(self, run: Run, z: Tensor, t: int, s: int) -> tuple[Tensor, Tensor]:
        prior, schedule = run.prior, run.prior.schedule
        known, y = run.known.mask, run.known.latents
        z0 = prior.denoise(z, t)
        c_0, c_t, std = (float(c) for c in reverse_step(schedule, t, s, self.eta))
        # One draw serves both: they are about different latents.
        noise = 0.0 if s == CLEAN else run.normal(z)
        unknown = c_0 * z0 + c_t * z + std * noise
        seen = float(schedule.alpha(s)) * y + float(schedule.sigma(s)) * noise
        return torch.where(known, seen, unknown), z0
