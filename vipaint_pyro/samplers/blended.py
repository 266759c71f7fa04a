r"""Blended sampling: at every noise level the known pixels are replaced by the noised observation.

Song et al., "Score-Based Generative Modeling through Stochastic Differential Equations", arXiv:2011.13456, section 5
and appendix I.2; the baseline "Blended" of VIPaint (arXiv:2411.18929). For latent priors the latents that known pixels
decide are replaced, as in Blended Latent Diffusion (Avrahami et al., arXiv:2206.02779).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from vipaint_pyro.measurements.inpainting import Inpainting
from vipaint_pyro.measurements.measurement import Measurement
from vipaint_pyro.priors.diffusion import DiffusionPrior
from vipaint_pyro.samplers.reverse import ReverseSampler
from vipaint_pyro.samplers.run import Run
from vipaint_pyro.settings import number, setting, whole

__all__ = ["BlendedSampler"]


@dataclass(frozen=True)
class BlendedSampler(ReverseSampler):
    r"""The prior's step from :math:`m \odot (\alpha_t y + \sigma_t \epsilon) + (1 - m) \odot z_t`.

    No gradient, one forward call a step. The hole is never told of what surrounds it but by the prior's own
    prediction, so that completions often do not fit at the seam.

    (Without noise in y this is DDRM, arXiv:2201.11793, with its eta = 0 and eta_b = 1.)

    Args:
        num_steps: as published, 250.
        eta: of the DDIM kernel, also on priors that know an exact one; 0, the deterministic step, as published.
    """

    num_steps: int = setting(250, whole(1), "Steps from noise to the image.")
    eta: float = setting(0.0, number(least=0, most=1), "Of the DDIM kernel; 0 is deterministic.")

    def settle(self, prior: DiffusionPrior, measurement: Measurement) -> Self:
        if not isinstance(measurement.operator, Inpainting):
            raise ValueError("blended replaces the pixels that a mask leaves: it is for inpainting alone")
        return super().settle(prior, measurement)

    @torch.no_grad()
    def step(self, run: Run, z: Tensor, t: int, s: int) -> tuple[Tensor, Tensor]:
        prior, schedule = run.prior, run.prior.schedule
        known, y = run.known.mask, run.known.latents
        noised = float(schedule.alpha(t)) * y + float(schedule.sigma(t)) * run.normal(z)
        z = torch.where(known, noised, z)
        z0 = prior.denoise(z, t)
        return self.ddim(run, z, z0, t, s), z0
