r"""Diffusion posterior sampling from pure noise. Chung et al., arXiv:2209.14687, algorithm 1."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from vipaint_pyro.measurements.operator import Operator
from vipaint_pyro.measurements.perceptual import refinement_penalty
from vipaint_pyro.priors.diffusion import DiffusionPrior
from vipaint_pyro.randomness import NoiseStreams
from vipaint_pyro.samplers.base import Samples
from vipaint_pyro.samplers.reverse import DPS, noise_floor, refine

__all__ = ["DPSSampler"]


@dataclass(frozen=True)
class DPSSampler:
    """Plain DPS, the baseline: the refinement alone, from z_T = noise.

    An operator with a ``likelihood`` of its own is followed by that one's ``discrepancy``.

    Args:
        num_steps: evenly spaced steps from T to the clean image.
        zeta: step size, on the norm of each sample's own residual.
        limit: whether a step may not be longer than the residual; see
            :class:`vipaint_pyro.samplers.reverse.DPS`.
        eta: of the DDIM kernel; 1 is ancestral, as published.
        measurement_scale: sigma of the noise in y, which ``limit`` and ``fraction`` leave unfitted; None for 0.
        fraction: how much of the residual a step may take away to first order; None, as published, sets no
            bound.
        perceptual_refinement, perceptual_net, perceptual_weights: as in
            :class:`~vipaint_pyro.samplers.VIPaintSampler`; there is no fit.
    """

    num_steps: int = 400
    zeta: float = 0.5
    limit: bool = False
    eta: float = 1.0
    measurement_scale: float | None = None
    fraction: float | None = None
    perceptual_refinement: float = 0.0
    perceptual_net: str = "alex"
    perceptual_weights: str | None = None

    def __call__(
        self,
        prior: DiffusionPrior,
        operator: Operator,
        y: Tensor,
        num_samples: int,
        generator: torch.Generator | Sequence[torch.Generator] | None = None,
        refine_callback: Callable | None = None,
    ) -> Samples:
        """Samples of images given y (N, C', H', W'); see :func:`vipaint_pyro.samplers.reverse.refine`.

        Raises:
            ValueError: for settings that cannot be.
            FloatingPointError: where a number stops being finite.
        """
        penalty = refinement_penalty(self, prior, operator)
        start = time.perf_counter()
        shape = (num_samples, y.shape[0], *prior.latent_shape)
        y = y.to(prior.device, prior.dtype)
        z = NoiseStreams(generator, y.shape[0]).normal(shape, 1, y)
        images = refine(
            prior,
            operator,
            y,
            prior.schedule.terminal_std * z,
            prior.schedule.last,
            num_steps=self.num_steps,
            eta=self.eta,
            step=DPS(self.zeta, self.limit, noise_floor(operator, y, self.measurement_scale), self.fraction),
            likelihood=getattr(operator, "likelihood", None),
            penalty=penalty,
            generator=generator,
            callback=refine_callback,
        )
        calls = len(prior.times(prior.schedule.last, -1, self.num_steps)) - 1
        return Samples(
            images,
            {"refinement": num_samples * calls},
            seconds={"refinement": time.perf_counter() - start},
        )
