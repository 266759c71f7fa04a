r"""Refinement: from z_{T_s} to the image by diffusion posterior sampling (DPS)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from vipaint_pyro.measurements.measurement import check_y
from vipaint_pyro.measurements.operator import Operator
from vipaint_pyro.priors.diffusion import DiffusionPrior
from vipaint_pyro.priors.schedules import CLEAN
from vipaint_pyro.randomness import NoiseStreams

__all__ = ["DPS", "noise_floor", "refine"]


@dataclass(frozen=True)
class DPS:
    r"""The pull towards the measurement, :math:`z_s \leftarrow z_s - \zeta \nabla_{z_t} \lVert y - A\hat x(z_t)\rVert_2`.

    Chung et al. (arXiv:2209.14687), algorithm 1, with the norm of each sample for itself. A step of
    fixed size pulls less in total when there are fewer steps, and when it is longer than what is
    left to correct it overshoots; ``limit`` cuts it to the residual, :math:`\min(\zeta, \lVert
    y - A\hat x\rVert_2)`, so that it can be long without leaving noise behind.

    A penalty :math:`P(y, \hat x)` adds its own gradient, :math:`z_s \leftarrow z_s - \zeta \nabla \lVert\cdot
    \rVert_2 - \nabla P`, in the same backward pass; its size is its own weight, neither zeta nor the limit
    touches it.

    Args:
        zeta: step size, at least 0; 0 is plain sampling of the prior.
        limit: whether a step may not be longer than the residual; False is as published.
        floor: what is left of the residual where x is the truth, :math:`\sigma_y \sqrt{d_y}` for Gaussian noise
            in d_y measurements: with ``limit`` or ``fraction`` a step goes no further, so that noise is not
            fitted. One number, or one per image (N,).
        fraction: how much of the residual a step may take away where the residual is linear in z, :math:`\zeta
            \lVert\nabla\rVert_2^2 \le f \lVert y - A\hat x\rVert_2` (at 1, Polyak's step). Behind a decoder a
            gradient may be many times as long as on pixels, and a step of fixed zeta too long by as much. None
            sets no such bound. With a penalty it costs a second backward pass.
    """

    zeta: float = 0.5
    limit: bool = False
    floor: float | Tensor = 0.0
    fraction: float | None = None

    def __call__(self, z: Tensor, residual: Tensor, penalty: Tensor | None = None) -> Tensor:
        """The shift of z_s, with z's shape.

        Args:
            z: z_t, (*, N, C, H, W).
            residual: y - A x_hat, (*, N, C', H', W'), a function of ``z``.
            penalty: (*, N), a function of ``z``.
        """
        # The norm has no gradient at 0, where there is nothing left to correct.
        norm = residual.pow(2).sum((-3, -2, -1)).clamp_min(1e-20).sqrt()
        return self.pull(z, norm, penalty)

    def pull(self, z: Tensor, distance: Tensor, penalty: Tensor | None = None) -> Tensor:
        """The same for any distance to the measurement (*, N), at least 0, in place of the residual's norm."""
        left = (distance.detach() - self.floor).clamp_min(0)
        size = left.clamp_max(self.zeta) if self.limit else torch.full_like(left, self.zeta)
        extra = penalty is not None
        # Each sample's distance sees its own z alone: the gradient of the sum is theirs.
        if self.fraction is None and extra:  # both in one backward pass
            (gradient,) = torch.autograd.grad((size * distance + penalty).sum(), z)
            return -gradient
        (gradient,) = torch.autograd.grad(distance.sum(), z, retain_graph=extra)
        if self.fraction is not None:
            slope = gradient.pow(2).sum((-3, -2, -1)).clamp_min(1e-20)
            size = torch.minimum(size, self.fraction * left / slope)
        shift = -size[..., None, None, None] * gradient
        return shift - torch.autograd.grad(penalty.sum(), z)[0] if extra else shift


def noise_floor(operator: Operator, y: Tensor, scale: float | None) -> float | Tensor:
    r"""The residual's norm that noise of standard deviation ``scale`` leaves, :math:`\sigma_y\sqrt{d_y}`, one per image.

    None, or an operator whose likelihood has its own discrepancy, leaves 0.
    """
    if scale is None or hasattr(getattr(operator, "likelihood", None), "discrepancy"):
        return 0.0
    return scale * operator.observed.expand(y.shape).sum((-3, -2, -1)).to(y).sqrt()


def refine(
    prior: DiffusionPrior,
    operator: Operator,
    y: Tensor,
    z: Tensor,
    start: int,
    *,
    num_steps: int = 100,
    eta: float = 1.0,
    step: Callable[..., Tensor] | None = None,
    likelihood: object | None = None,
    penalty: Callable[[Operator, Tensor, Tensor], Tensor] | None = None,
    generator: torch.Generator | Sequence[torch.Generator] | None = None,
    callback: Callable[[int, int, Tensor, Tensor], Tensor | None] | None = None,
) -> Tensor:
    """Draw the image given z_start = z, pulled towards the measurement.

    Args:
        prior: the diffusion prior, conditioned as in the fit.
        operator: the measurement.
        y: with shape (N, C', H', W'), 0 where not observed.
        z: with shape (*, N, C, H, W), any samples on the left.
        start: the time of z, T_s after a fit or the last time for plain DPS from noise.
        num_steps: evenly spaced steps from start to the clean image (at most start + 1 of them); each
            costs one forward and one backward call of the network; the last one, and with zeta = 0 every one,
            no backward call.
        eta: of the DDIM kernel, in [0, 1]; 1 is ancestral sampling.
        step: the pull, ``step(z, residual)``; by default :class:`DPS`. With a penalty it is
            ``step(z, residual, penalty)``, and with a discrepancy its method ``pull`` is called instead.
        likelihood: of y. Its method ``discrepancy(operator, y, x) -> (*, N)``, where it (or its part ``pixel``)
            has one, is pulled down in place of the norm of y - A x: at least 0, 0 where x explains y as well
            as can be, with a gradient everywhere, and in units in which zeta (with ``limit``, also the value
            itself) is a sensible step. Where it has ``floor(operator, x, seeds) -> (*, N)`` and ``stop_at_noise``, a
            :class:`DPS` that has a bound on its steps and no floor of its own takes that one, at the prediction.
        penalty: ``penalty(operator, y, x) -> (*, N)``, added to what is pulled down, its own weight included
            (:meth:`vipaint_pyro.measurements.perceptual.Perceptual.penalty`); no further call of the network.
        generator: one, or a list with one per image; None takes the global state.
        callback: called after each step as ``callback(i, t, z, z0)`` with the new z and the
            prediction at time t; a tensor it returns replaces z.

    Returns:
        Images with shape (*, N, C, H, W), about [-1, 1], not clipped.

    Raises:
        ValueError: for steps or a start outside the schedule, y of another shape or that the likelihood cannot give,
            or a ``step`` that cannot pull by a likelihood's discrepancy.
        FloatingPointError: where a sample stops being finite; names the step and the time.
    """
    if num_steps < 1:
        raise ValueError(f"num_steps is at least 1, but is {num_steps}")
    if not 0 <= start <= prior.schedule.last:
        raise ValueError(f"start {start} must lie in 0 ... {prior.schedule.last}")
    if num_steps > start + 1:
        raise ValueError(f"from time {start} there are at most {start + 1} steps to the clean image, not {num_steps}")
    check_y(operator, y, prior, likelihood)
    step = step or DPS()
    pixel = getattr(likelihood, "pixel", likelihood)
    discrepancy = getattr(pixel, "discrepancy", None)
    floored = getattr(pixel, "stop_at_noise", False) and _takes_a_floor(step)
    if discrepancy is not None and not hasattr(step, "pull"):
        raise ValueError("this likelihood's discrepancy needs a step with a method pull(z, distance), as DPS has")
    noise = NoiseStreams(generator, z.shape[-4])
    times = prior.times(start, CLEAN, num_steps)
    # With zeta = 0 there is nothing to decode for, and no gradient to take: this samples the prior.
    pulled = getattr(step, "zeta", None) != 0 or penalty is not None
    with torch.set_grad_enabled(pulled):
        for i, (t, s) in enumerate(zip(times, times[1:])):
            z = z.detach().requires_grad_(pulled)
            z0 = prior.denoise(z, t)
            mean, std = prior.reverse(z, t, s, eta, z0)
            if s == CLEAN:
                z = mean.detach()
            elif not pulled:
                z = mean + std * noise.normal(z.shape, z.ndim - 4, z)
            else:
                x = prior.decode(z0)
                extra = () if penalty is None else (penalty(operator, y, x),)
                if discrepancy is not None:
                    pull = replace(step, floor=pixel.floor(operator, x.detach(), noise.seeds())) if floored else step
                    shift = pull.pull(z, discrepancy(operator, y, x), *extra)
                else:
                    shift = step(z, torch.where(operator.observed, y - operator(x), 0), *extra)
                xi = noise.normal(z.shape, z.ndim - 4, z)
                z = (mean + std * xi + shift).detach()
            if not torch.isfinite(z).all():
                raise FloatingPointError(
                    f"a sample is no longer finite at refinement step {i} (time {t}); "
                    f"lower the step size zeta{'' if penalty is None else ' or the weight of the penalty'}"
                )
            if callback is not None:
                replaced = callback(i, t, z, z0.detach())
                z = z if replaced is None else replaced
    return prior.decode(z)


def _takes_a_floor(step: Callable[..., Tensor]) -> bool:
    """Whether it is a DPS for which a floor makes a difference, and that has none."""
    bounded = isinstance(step, DPS) and (step.limit or step.fraction is not None)
    return bounded and not isinstance(step.floor, Tensor) and step.floor == 0
