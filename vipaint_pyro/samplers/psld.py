r"""PSLD: posterior sampling with a latent prior, whose latents are glued to what the encoder makes of them.

Rout et al., "Solving Linear Inverse Problems Provably via Posterior Sampling with Latent Diffusion Models",
arXiv:2307.00619.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from vipaint_pyro.measurements.measurement import Measurement
from vipaint_pyro.measurements.operator import LinearOperator
from vipaint_pyro.priors.diffusion import DiffusionPrior
from vipaint_pyro.priors.schedules import CLEAN
from vipaint_pyro.samplers.reverse import ReverseSampler
from vipaint_pyro.samplers.run import Run
from vipaint_pyro.settings import number, setting, whole

__all__ = ["PSLDSampler"]


@dataclass(frozen=True)
class PSLDSampler(ReverseSampler):
    r"""The prior's step, and two pulls (its algorithm 2).

    .. math:: z_s \leftarrow z_s - \nabla_{z_t} \big(\omega \lVert y - A D(\hat z_0)\rVert_2 +
              \gamma \lVert \hat z_0 - E(A^T y + (I - A^T A) D(\hat z_0))\rVert_2\big)

    with D the decoder and E the encoder, each sample's norms for itself. For a mask :math:`A^T A` keeps what is seen,
    so that the second norm asks the latents to be the code of the picture with the known pixels put in. (The released
    code adds fresh noise to A D.)

    One forward and one backward call a step, no backward call at the last.

    Args:
        num_steps: as published, 1000.
        eta: of the DDIM kernel, also on priors that know an exact one; 0, deterministic, as published.
        omega, gamma: the weights of the two pulls; the published ones of inpainting with latent diffusion.
    """

    num_steps: int = setting(1000, whole(1), "Steps from noise to the image.")
    eta: float = setting(0.0, number(least=0, most=1), "Of the DDIM kernel; 0 is deterministic.")
    omega: float = setting(0.1, number(least=0), "Weight of the pull towards y.")
    gamma: float = setting(0.1, number(least=0), "Weight of the pull towards the encoder's latents.")

    def settle(self, prior: DiffusionPrior, measurement: Measurement) -> Self:
        if not prior.is_latent:
            raise ValueError("psld glues latents to the encoder's: it is for latent priors; for pixel priors take dps")
        if not isinstance(measurement.operator, LinearOperator):
            raise ValueError("psld needs the adjoint of what was measured: it is for linear operators")
        return super().settle(prior, measurement)

    def cure(self) -> str:
        return "lower omega and gamma"

    def step(self, run: Run, z: Tensor, t: int, s: int) -> tuple[Tensor, Tensor]:
        prior = run.prior
        if s == CLEAN:
            with torch.no_grad():
                z0 = prior.denoise(z, t)
            return z0, z0
        with torch.enable_grad():
            z = z.detach().requires_grad_()
            z0 = prior.denoise(z, t)
            (pull,) = torch.autograd.grad(self.objective(run, z0).sum(), z)
        z, z0 = z.detach(), z0.detach()
        return self.ddim(run, z, z0, t, s) - pull, z0

    def objective(self, run: Run, z0: Tensor) -> Tensor:
        """What the step goes down, (*, N), of predicted latents (*, N, C, H, W)."""
        prior, seen, operator = run.prior, run.measurement, run.measurement.operator
        x = prior.decode(z0)
        y = torch.where(operator.observed, seen.y, 0)
        measured = torch.where(operator.observed, operator(x), 0)
        assert isinstance(operator, LinearOperator)  # as settled
        filled = operator.adjoint(y) + x - operator.adjoint(measured)
        misfit = torch.linalg.vector_norm(y - measured, dim=(-3, -2, -1))
        glue = torch.linalg.vector_norm(z0 - prior.encode(filled), dim=(-3, -2, -1))
        return self.omega * misfit + self.gamma * glue
