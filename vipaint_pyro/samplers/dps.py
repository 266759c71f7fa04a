r"""Diffusion posterior sampling: from noise a method of its own, from z_{T_s} VIPaint's refinement.

Chung et al., "Diffusion Posterior Sampling for General Noisy Inverse Problems", arXiv:2209.14687, algorithm 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from vipaint_pyro.measurements.inpainting import Inpainting
from vipaint_pyro.measurements.measurement import Measurement, check_measurement
from vipaint_pyro.measurements.perceptual import Perceptual, check_asked
from vipaint_pyro.priors.diffusion import DiffusionPrior, check_prior
from vipaint_pyro.priors.schedules import CLEAN
from vipaint_pyro.samplers.reverse import ReverseSampler
from vipaint_pyro.samplers.run import OnStep, Run
from vipaint_pyro.settings import choice, number, path, setting, switch, whole
from vipaint_pyro.tensors import check_tensor
from vipaint_pyro.wording import shown

__all__ = ["DPSSampler", "refine"]


@dataclass(frozen=True)
class DPSSampler(ReverseSampler):
    r"""The prior's step, and a pull towards the measurement.

    .. math:: z_s \leftarrow z_s - \zeta \nabla_{z_t} \lVert y - A\hat x(z_t)\rVert_2

    The norm is that of each sample for itself; a likelihood with a distance of its own has that in its place. A step of
    fixed size pulls less in total when there are fewer steps, and when it is longer than what is left to correct it
    overshoots; ``limit`` cuts it to the residual, :math:`\min(\zeta, \lVert y - A\hat x\rVert_2)`, so that it can be
    long without leaving noise behind. With ``limit`` or ``fraction`` a step goes no further than what the noise of the
    measurement leaves of the residual where x is the truth (:meth:`~vipaint_pyro.measurements.Measurement.floor`),
    :math:`\sigma_y \sqrt{d_y}` for Gaussian noise, so that noise is not fitted.

    Each step costs one forward and one backward call of the network; the last one, and without a pull every one, no
    backward call.

    (azula pulls at the last step too, whose prediction algorithm 1 returns, and takes one norm for a whole batch;
    deepinv adds the pull to the score, so that its step is not zeta but :math:`\zeta c_0 \sigma_t^2 / \alpha_t`, with
    c_0 of :func:`~vipaint_pyro.priors.kernels.reverse_step`.)

    Args:
        num_steps: evenly spaced steps from T to the clean image.
        zeta: step size, at least 0; 0 is plain sampling of the prior. It is a length in the coordinates of z, published
            for variance-preserving schedules: on others, whose z is longer, the same number is a shorter step.
        limit: whether a step may not be longer than the residual; False is as published.
        eta: of the DDIM kernel; 1 is ancestral, as published.
        measurement_scale: sigma of the noise in y, of a measurement that says nothing of it; None for 0.
        fraction: how much of the residual a step may take away where the residual is linear in z, :math:`\zeta
            \lVert\nabla\rVert_2^2 \le f \lVert y - A\hat x\rVert_2` (at 1, Polyak's step). Behind a decoder a
            gradient may be many times as long as on pixels, and a step of fixed zeta too long by as much. None, as
            published, sets no such bound. With LPIPS it costs a second backward pass.
        hidden_pull: of an inpainting, the share of zeta's pull that latents keep which no known pixel decides, in
            [0, 1]; 1 as published. How far known pixels decide a latent is the decoder's own sensitivity
            (:func:`~vipaint_pyro.priors.seen_share.seen_share`), of a pixel prior the mask. A hidden latent changes
            seen pixels a little, by the decoder's reach and through the network; the residual has no noise scale of its
            own, so that over many steps whatever rebuilds the seen part best by a hair wins, and modes are lost.
        perceptual_refinement: lambda of a pull by LPIPS beside zeta's, :math:`z_s \leftarrow z_s - \lambda
            \nabla\mathrm{LPIPS}`; at least 0. Neither zeta nor the limit touches it.
        perceptual_net, perceptual_weights: as in :class:`~vipaint_pyro.samplers.VIPaintSampler`.
    """

    zeta: float = setting(0.5, number(least=0), "DPS step size.")
    limit: bool = setting(False, switch(), "Whether a step may not be longer than the residual.")
    measurement_scale: float | None = setting(None, number(above=0), "Noise in y, in units of [-1, 1].", stands_for="0")
    fraction: float | None = setting(
        None, number(above=0), "How much of the residual a step may take away.", stands_for="no bound"
    )
    hidden_pull: float = setting(
        1.0, number(least=0, most=1), "Share of the pull that stays where no known pixel decides; of a mask."
    )
    perceptual_refinement: float = setting(0.0, number(least=0), "Weight of LPIPS.")
    perceptual_net: str = setting("alex", choice(("alex", "vgg")), "Which LPIPS.")
    perceptual_weights: str | None = setting(
        None, path(), "A safetensors file of its weights.", stands_for="those that ship, or torchvision's"
    )

    def settle(self, prior: DiffusionPrior, measurement: Measurement) -> Self:
        """Raises as the contract says, and FileNotFoundError where ``perceptual_weights`` is missing."""
        settled = super().settle(prior, measurement)
        if settled.measurement_scale is not None and not (settled.limit or settled.fraction is not None):
            raise ValueError(
                "measurement_scale says where a bounded step stops, and no step is bounded: give limit=True or a "
                "fraction, or leave measurement_scale out"
            )
        if settled.hidden_pull < 1 and not isinstance(measurement.operator, Inpainting):
            raise ValueError("hidden_pull is of what a mask hides, and this is no inpainting: leave it at 1")
        check_asked(settled, "perceptual_refinement")
        if settled.perceptual_refinement:
            settled.perceptual().check(measurement.operator, measurement.y)
        return settled

    def prepared(self, prior: DiffusionPrior, measurement: Measurement) -> tuple[DiffusionPrior, Measurement]:
        return prior, measurement.noisy(self.measurement_scale or 0.0)

    def perceptual(self) -> Perceptual:
        """LPIPS as a penalty."""
        return Perceptual(self.perceptual_refinement, net=self.perceptual_net, weights=self.perceptual_weights)

    def cure(self) -> str:
        return f"lower the step size zeta{' or the weight of the penalty' if self.perceptual_refinement else ''}"

    def step(self, run: Run, z: Tensor, t: int, s: int) -> tuple[Tensor, Tensor]:
        prior = run.prior
        # Without a pull there is nothing to decode for, and no gradient to take: this samples the prior.
        pulled = self.zeta != 0 or self.perceptual_refinement != 0
        with torch.set_grad_enabled(pulled):
            z = z.detach().requires_grad_(pulled)
            z0 = prior.denoise(z, t)
            mean, std = prior.reverse(z, t, s, self.eta, z0)
            if s == CLEAN:
                return mean.detach(), z0.detach()
            shift = self._shift(run, z, z0) if pulled else 0.0
            return (mean + std * run.normal(z) + shift).detach(), z0.detach()

    def _shift(self, run: Run, z: Tensor, z0: Tensor) -> Tensor:
        """The pull on z_s, of z_t and its prediction with its graph."""
        x, seen = run.prior.decode(z0), run.measurement
        bounded = self.limit or self.fraction is not None
        floor = seen.floor(x.detach(), run.noise) if bounded else 0.0
        penalty = self.perceptual().penalty(seen.operator, seen.y, x) if self.perceptual_refinement else None
        share = run.known.share.clamp_min(self.hidden_pull) if self.hidden_pull < 1 else None
        return self.pull(z, seen.distance(x), floor, penalty, share)

    def pull(
        self,
        z: Tensor,
        distance: Tensor,
        floor: Tensor | float = 0.0,
        penalty: Tensor | None = None,
        share: Tensor | None = None,
    ) -> Tensor:
        """The shift of z_s, with z's shape.

        Args:
            z: z_t, (*, N, C, H, W).
            distance: to the measurement, (*, N), at least 0; a function of ``z``.
            floor: what noise leaves of it, a number or what broadcasts against it.
            penalty: (*, N), a function of ``z`` whose gradient is added as it is.
            share: of the distance's gradient that is followed, in [0, 1], broadcasts against z; None for all of it.
        """
        left = (distance.detach() - floor).clamp_min(0)
        size = left.clamp_max(self.zeta) if self.limit else torch.full_like(left, self.zeta)
        extra = penalty is not None
        # Each sample's distance sees its own z alone: the gradient of the sum is theirs.
        if self.fraction is None and share is None and penalty is not None:  # both in one backward pass
            (gradient,) = torch.autograd.grad((size * distance + penalty).sum(), z)
            return -gradient
        (gradient,) = torch.autograd.grad(distance.sum(), z, retain_graph=extra)
        if self.fraction is not None:
            slope = gradient.pow(2).sum((-3, -2, -1)).clamp_min(1e-20)
            size = torch.minimum(size, self.fraction * left / slope)
        shift = -size[..., None, None, None] * (gradient if share is None else share * gradient)
        return shift if penalty is None else shift - torch.autograd.grad(penalty.sum(), z)[0]


def refine(
    prior: DiffusionPrior,
    measurement: Measurement,
    z: Tensor,
    start: int,
    sampler: ReverseSampler | None = None,
    generator: torch.Generator | Sequence[torch.Generator] | None = None,
    on_step: OnStep | None = None,
) -> Tensor:
    """Draw the image given z_start = z, pulled towards the measurement.

    Args:
        prior: the diffusion prior, conditioned as in the fit.
        measurement: of N images.
        z: with shape (*, N, C, H, W), any samples on the left.
        start: the time of z, T_s after a fit.
        sampler: how to walk down; by default DPS with 100 steps.
        generator: one, or a list with one per image; None takes the global state.
        on_step: as in :meth:`vipaint_pyro.samplers.base.Sampler.__call__`.

    Returns:
        Images with shape (*, N, C, H, W), about [-1, 1], not clipped.

    Raises:
        TypeError: where measurement, sampler, z or start is none.
        ValueError: for steps or a start outside the schedule, settings that cannot be, or z of another shape.
        NonFiniteError, OutOfMemory: where a sample stops being finite, or the memory does not suffice; names the step.
    """
    sampler = DPSSampler(100) if sampler is None else sampler
    if not isinstance(sampler, ReverseSampler):
        raise TypeError(f"sampler is one that walks down the noise levels, as DPSSampler is, not {shown(sampler)}")
    check_prior(prior)
    check_measurement(measurement)
    if on_step is not None and not callable(on_step):
        raise TypeError(f"on_step is a function that is called after each step, not {shown(on_step)}")
    settled = sampler.settle(prior, measurement)
    shape = (measurement.num_images, *prior.latent_shape)
    if not isinstance(z, Tensor) or not whole(0).check(start):
        raise TypeError(f"z is a tensor and start a whole time, not {type(z).__name__} and {shown(start)}")
    check_tensor("z", z, f"(*, {', '.join(map(str, shape))})", bools=False)
    if not torch.isfinite(z).all():
        raise ValueError("z holds values that are not finite")
    if tuple(z.shape[-4:]) != shape:
        raise ValueError(f"z has shape (*, {', '.join(map(str, shape))}), but came with {tuple(z.shape)}")
    prior, measurement = settled.prepared(prior, measurement)
    z = z.to(prior.device, prior.dtype)
    return settled.walk(Run(prior, measurement, len(z), generator, on_step), z, start)[0]
