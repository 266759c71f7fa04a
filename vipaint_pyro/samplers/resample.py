r"""ReSample: latents optimised until they explain y, then noised back to the level of the walk.

Song et al., "Solving Inverse Problems with Latent Diffusion Models via Hard Data Consistency", arXiv:2307.08123.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import Tensor

from vipaint_pyro.measurements.measurement import Measurement
from vipaint_pyro.priors.diffusion import DiffusionPrior
from vipaint_pyro.priors.kernels import forward_step
from vipaint_pyro.priors.schedules import CLEAN
from vipaint_pyro.samplers.reverse import ReverseSampler, flow
from vipaint_pyro.samplers.run import Run
from vipaint_pyro.settings import number, setting, whole

__all__ = ["ReSampleSampler", "descend"]


@dataclass(frozen=True)
class ReSampleSampler(ReverseSampler):
    r"""DPS, and every few steps hard consistency and stochastic resampling (its algorithm 1).

    Every step is DDIM's with a pull of :math:`\tfrac12 \alpha_t^2 \nabla\lVert y - A D(\hat z_0)\rVert_2`. In the lower
    two thirds of the walk, at every ``every``-th step: the prediction is refreshed by ``unroll`` plain DDIM steps,
    moved until it explains y (in the middle third its image, encoded again; in the last third the latents themselves),
    and noised back to the level s beside the z_s' of the walk (its eq. 11):

    .. math:: z_s \sim N\Big(\frac{s_t \alpha_s \hat z_0(y) + \sigma_s^2 z_s'}{s_t + \sigma_s^2},\;
              \Big(\frac1{s_t} + \frac1{\sigma_s^2}\Big)^{-1}\Big), \quad
              s_t = \gamma\, \frac{\sigma_s^2}{\sigma_t^2}\, v_{ts}, \quad
              v_{ts} = \sigma_t^2 - \frac{\alpha_t^2}{\alpha_s^2} \sigma_s^2

    where the paper has :math:`1 - \alpha_t^2 / \alpha_s^2`, which is v_ts, the variance of a forward step, on its
    variance-preserving schedules, and 0 where alpha is 1.

    The last prediction is moved once more. An optimisation of a sample ends where the mean squared residual is that of
    the noise, sigma_y^2 (1e-6 where none is known), or after so many iterations. (The released code has
    :math:`\sigma_t^2` for :math:`\sigma_t` in its prediction, pairs an unrolled step with another's noise level, and
    decays weights in its optimiser.)

    One forward and one backward call of the network a step, and ``unroll`` + 1 forward calls more where it resamples;
    the optimisations call the decoder.

    Args:
        num_steps: as published, 500.
        eta: of the DDIM kernel, also on priors that know an exact one; 0, deterministic, as published.
        pull: of the DPS step, times alpha_t^2.
        every: steps from one resampling to the next.
        unroll: plain DDIM steps that refresh the prediction.
        gamma: of the resampling.
        pixel_iterations, pixel_lr: Adam on the image.
        latent_iterations, latent_lr: Adam on the latents.
        measurement_scale: sigma_y, of a measurement that says nothing of its noise; None for 1e-3.
    """

    num_steps: int = setting(500, whole(1), "Steps from noise to the image.")
    eta: float = setting(0.0, number(least=0, most=1), "Of the DDIM kernel; 0 is deterministic.")
    pull: float = setting(0.5, number(least=0), "DPS step, times alpha_t^2.")
    every: int = setting(10, whole(1), "Steps from one resampling to the next.")
    unroll: int = setting(5, whole(0), "DDIM steps that refresh the prediction.")
    gamma: float = setting(40.0, number(above=0), "Of the resampling.")
    pixel_iterations: int = setting(2000, whole(0), "At most so many on the image.")
    pixel_lr: float = setting(1e-2, number(above=0), "Adam's rate on the image.")
    latent_iterations: int = setting(500, whole(0), "At most so many on the latents.")
    latent_lr: float = setting(5e-3, number(above=0), "Adam's rate on the latents.")
    measurement_scale: float | None = setting(
        None, number(above=0), "Noise in y, in units of [-1, 1].", stands_for="0.001"
    )

    def settle(self, prior: DiffusionPrior, measurement: Measurement) -> Self:
        if not prior.is_latent:
            raise ValueError("resample moves between latents and pixels: it is for latent priors; for pixels take daps")
        if measurement.likelihood.sigma is None:
            raise ValueError("resample is for Gaussian noise, or none")
        return super().settle(prior, measurement)

    def prepared(self, prior: DiffusionPrior, measurement: Measurement) -> tuple[DiffusionPrior, Measurement]:
        return prior, measurement.noisy(self.measurement_scale or 1e-3)

    def cure(self) -> str:
        return "lower pull"

    def step(self, run: Run, z: Tensor, t: int, s: int) -> tuple[Tensor, Tensor]:
        prior, left = run.prior, self.left(run.prior, t) - 1
        with torch.enable_grad():
            z = z.detach().requires_grad_(s != CLEAN)
            z0 = prior.denoise(z, t)
            if s == CLEAN:
                return self._on_latents(run, z0.detach()), z0.detach()
            misfit = run.measurement.distance(prior.decode(z0))
            (gradient,) = torch.autograd.grad(misfit.sum(), z)
        z, z0 = z.detach(), z0.detach()
        z_s = self.ddim(run, z, z0, t, s) - self.pull * float(prior.schedule.alpha(t)) ** 2 * gradient
        if not self.resamples(left):
            return z_s, z0
        fresh = self._refreshed(run, z_s, s)
        consistent = self._on_pixels if left > self.num_steps // 3 else self._on_latents
        return self._resampled(run, consistent(run, fresh), z_s, t, s), z0

    def resamples(self, left: int) -> bool:
        """Whether the step after which so many are left is followed by a resampling.

        Steps are counted from the bottom, as published: the upper third is left alone, and so is the last step.
        """
        return left % self.every == 0 and 0 < left <= 2 * self.num_steps // 3

    @torch.no_grad()
    def _refreshed(self, run: Run, z: Tensor, s: int) -> Tensor:
        """E[z_0 | z] after some deterministic steps further down."""
        prior = run.prior
        times = prior.times(prior.schedule.last, CLEAN, self.num_steps)
        below = [t for t in times if CLEAN < t <= s][: self.unroll + 1]
        return prior.denoise(flow(prior, z, below), below[-1])

    def _resampled(self, run: Run, z0: Tensor, z_s: Tensor, t: int, s: int) -> Tensor:
        """z_s between the noised z_0 that explains y and the walk's own, by its eq. 11."""
        schedule = run.prior.schedule
        a_s, v_s, v_t = float(schedule.alpha(s)), float(schedule.sigma(s)) ** 2, float(schedule.sigma(t)) ** 2
        weight = self.gamma * v_s / v_t * float(forward_step(schedule, s, t)[1])
        mean = (weight * a_s * z0 + v_s * z_s) / (weight + v_s)
        return mean + (1 / weight + 1 / v_s) ** -0.5 * run.normal(z_s)

    def _on_pixels(self, run: Run, z0: Tensor) -> Tensor:
        """The code of the image that explains y, found from that of z_0."""
        seen = run.measurement
        with torch.no_grad():
            x = run.prior.decode(z0)
        x = descend(seen.distance, x, self._enough(seen), self.pixel_iterations, self.pixel_lr)
        with torch.no_grad():
            return run.prior.encode(x)

    def _on_latents(self, run: Run, z0: Tensor) -> Tensor:
        """Latents whose image explains y, found from z_0."""
        seen, decode = run.measurement, run.prior.decode
        enough = self._enough(seen)
        return descend(lambda z: seen.distance(decode(z)), z0, enough, self.latent_iterations, self.latent_lr)

    @staticmethod
    def _enough(seen: Measurement) -> Tensor:
        """The distance that the noise leaves, one per image."""
        unseen: Any = None  # of noise that is Gaussian the floor looks at neither image nor noise
        enough = seen.likelihood.floor(seen.operator, seen.y, unseen, unseen)
        return torch.as_tensor(enough, device=seen.y.device)


def descend(
    distance: Callable[[Tensor], Tensor], start: Tensor, enough: Tensor, num_iterations: int, lr: float
) -> Tensor:
    """Adam down half the squared distance, each sample until it is near enough.

    Args:
        distance: (*, N) of points (*, N, C, H, W), each its own.
        start: where to begin.
        enough: at which distance a sample stays where it is, what broadcasts against (*, N).
        num_iterations: at most so many.
        lr: Adam's rate.

    Returns:
        Points of start's shape, detached.
    """
    with torch.enable_grad():
        point = start.detach().clone().requires_grad_()
        optimizer = torch.optim.Adam([point], lr)
        for _ in range(num_iterations):
            far = distance(point)
            open_ = (far.detach() > enough)[..., None, None, None]
            if not open_.any():
                break
            optimizer.zero_grad()
            (far.square() / 2).sum().backward()
            before = point.detach().clone()
            optimizer.step()
            with torch.no_grad():
                point.copy_(torch.where(open_, point, before))
    return point.detach()
