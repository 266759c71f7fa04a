r"""Refinement: from z_{T_s} to the image by diffusion posterior sampling (DPS)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from vipaint_pyro.kernels import reverse_step
from vipaint_pyro.operators import Operator
from vipaint_pyro.priors import DiffusionPrior
from vipaint_pyro.randomness import NoiseStreams
from vipaint_pyro.schedules import CLEAN

__all__ = ["DPS", "MomentMatched", "refine"]


@dataclass(frozen=True)
class DPS:
    r"""The published step: :math:`z_s \leftarrow z_s - \zeta \nabla_{z_t} \lVert y - A\hat x(z_t)\rVert_2`.

    Chung et al. (arXiv:2209.14687), algorithm 1, with the norm of each sample for itself. A step of
    fixed size pulls less in total when there are fewer steps.

    Args:
        zeta: step size.
    """

    zeta: float = 0.5

    def loss(self, residual: Tensor, sigma_over_alpha: Tensor) -> Tensor:
        # The norm has no gradient at 0, where there is nothing left to correct.
        return residual.pow(2).sum((-3, -2, -1)).clamp_min(1e-20).sqrt()

    def size(self, prior: DiffusionPrior, t: int, s: int) -> float:
        return self.zeta


@dataclass(frozen=True)
class MomentMatched:
    r"""Tweedie's correction of the reverse mean by the score of a widened Gaussian likelihood.

    .. math:: \hat z_0 \leftarrow \hat z_0 + \zeta \frac{\sigma_t^2}{\alpha_t} \nabla_{z_t}
              \log N\big(y; A\hat x(z_t), (b^2 + r_t^2) I\big), \quad
              r_t^2 = \frac{\sigma_t^2}{\sigma_t^2 + \alpha_t^2}

    r_t is what a unit-variance pixel leaves unknown at level t (Song et al., PiGDM, ICLR 2023, eq. 8).
    The pull in total does not depend on the number of steps.

    Args:
        zeta: strength; 1 is the formula.
        scale: b, the noise of y in units of images in [-1, 1].
        data_std: of a pixel under the prior, which scales r_t.
    """

    zeta: float = 1.0
    scale: float = 0.05
    data_std: float = 1.0

    def loss(self, residual: Tensor, sigma_over_alpha: Tensor) -> Tensor:
        r2 = self.data_std**2 * sigma_over_alpha**2 / (sigma_over_alpha**2 + self.data_std**2)
        return residual.pow(2).sum((-3, -2, -1)) / (2 * (self.scale**2 + float(r2)))

    def size(self, prior: DiffusionPrior, t: int, s: int) -> float:
        c_0, _, _ = reverse_step(prior.schedule, t, s)
        return self.zeta * float(c_0 * prior.schedule.sigma(t) ** 2 / prior.schedule.alpha(t))


def refine(
    prior: DiffusionPrior,
    operator: Operator,
    y: Tensor,
    z: Tensor,
    start: int,
    *,
    num_steps: int = 100,
    eta: float = 1.0,
    step: DPS | MomentMatched | None = None,
    generator: torch.Generator | Sequence[torch.Generator] | None = None,
    callback: Callable[[int, int, Tensor], None] | None = None,
) -> Tensor:
    """Draw the image given z_start = z, pulled towards the measurement.

    Args:
        prior: the diffusion prior, conditioned as in the fit.
        operator: the measurement.
        y: with shape (N, C', H', W'), 0 where not observed.
        z: with shape (*, N, C, H, W), any samples on the left.
        start: the time of z, T_s after a fit or the last time for plain DPS from noise.
        num_steps: evenly spaced steps from start to the clean image (at most start + 1); each
            costs one forward and one backward call of the network, the last none backward.
        eta: of the DDIM kernel, in [0, 1]; 1 is ancestral sampling.
        step: the pull; by default :class:`DPS`.
        generator: one, or a list with one per image; None takes the global state.
        callback: called as ``callback(i, t, z0)`` with the prediction at each step.

    Returns:
        Images with shape (*, N, C, H, W), about [-1, 1], not clipped.

    Raises:
        ValueError: for steps or a start outside the schedule, or y of another shape.
        FloatingPointError: where a sample stops being finite; names the step and the time.
    """
    if num_steps < 1:
        raise ValueError(f"num_steps is at least 1, but is {num_steps}")
    if not 0 <= start <= prior.schedule.last:
        raise ValueError(f"start {start} must lie in 0 ... {prior.schedule.last}")
    step = step or DPS()
    noise = NoiseStreams(generator, z.shape[-4])
    times = prior.times(start, CLEAN, num_steps)
    with torch.enable_grad():
        for i, (t, s) in enumerate(zip(times, times[1:])):
            z = z.detach().requires_grad_()
            z0 = prior.denoise(z, t)
            mean, std = prior.reverse(z, t, s, eta, z0)
            if s == CLEAN:
                z = mean.detach()
            else:
                x = prior.decode(z0)
                residual = torch.where(operator.observed, y - operator(x), 0)
                ratio = prior.schedule.sigma(t) / prior.schedule.alpha(t)
                loss = step.loss(residual, ratio)
                # Each sample's loss sees its own z alone: the gradient of the sum is theirs.
                (gradient,) = torch.autograd.grad(loss.sum(), z)
                xi = noise.normal(z.shape, z.ndim - 4, z)
                z = (mean + std * xi - step.size(prior, t, s) * gradient).detach()
            if not torch.isfinite(z).all():
                raise FloatingPointError(
                    f"a sample is no longer finite at refinement step {i} (time {t}); "
                    "lower the step size zeta"
                )
            if callback is not None:
                callback(i, t, z0.detach())
    return prior.decode(z)
