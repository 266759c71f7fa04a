r"""MGDM: Gibbs sweeps between z_t, the clean image, and a level below t at which y is heard.

Janati et al., "A Mixture-Based Framework for Guiding Diffusion Models", arXiv:2502.03332.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from vipaint_pyro.faults import check_finite, located
from vipaint_pyro.measurements.measurement import Measurement
from vipaint_pyro.measurements.moment_matched import MomentMatched
from vipaint_pyro.priors.diffusion import DiffusionPrior
from vipaint_pyro.priors.kernels import between, like
from vipaint_pyro.priors.schedules import CLEAN
from vipaint_pyro.samplers.chunked import ChunkedSampler
from vipaint_pyro.samplers.gaussian_step import fitted_draw
from vipaint_pyro.samplers.run import Progress, Run
from vipaint_pyro.settings import number, setting, whole

__all__ = ["MGDMSampler"]


@dataclass(frozen=True)
class MGDMSampler(ChunkedSampler):
    r"""From t to s (its algorithm 1): :math:`z_s \sim q(z_s | z_0, z_t)`, then ``sweeps`` times

    1. a level :math:`\tau`, uniform on ``lowest`` ... s - 1 (s itself in the last three tenths of the steps), each
       image's own;
    2. :math:`z_\tau` from a Gaussian fitted to :math:`q(z_\tau | z_0, z_s)` (at s itself, given z_t) and to y
       (:func:`~vipaint_pyro.samplers.gaussian_step.fitted_draw`);
    3. z_0 by ``denoising_steps`` of the prior's from z_tau;
    4. :math:`z_s \sim q(z_s | z_\tau, z_t)`.

    More sweeps come closer to the posterior. Per sweep ``denoising_steps`` forward calls, and a forward and a backward
    call for each gradient step.

    Args:
        num_steps: from T to the clean image; as published, 100.
        sweeps: R.
        num_gradients, intense_gradients: gradient steps; the second at every tenth step and in the last three tenths.
        denoising_steps: from z_tau to z_0.
        lowest: tau is at least this.
        lr: Adam's; a third of it in the first tenth of the steps.
        measurement_scale: sigma_y, of a measurement that says nothing of its noise; None for the published .05.
    """

    num_steps: int = setting(100, whole(2), "Steps from noise to the image.")
    sweeps: int = setting(1, whole(1), "Gibbs sweeps at each step.")
    num_gradients: int = setting(3, whole(0), "Gradient steps.")
    intense_gradients: int = setting(20, whole(0), "Gradient steps at every tenth and at the last steps.")
    denoising_steps: int = setting(20, whole(1), "From the level that is guided to the image.")
    lowest: int = setting(10, whole(0), "The lowest time that is guided.")
    lr: float = setting(0.03, number(above=0), "Adam's rate.")
    measurement_scale: float | None = setting(
        None, number(above=0), "Noise in y, in units of [-1, 1].", stands_for="0.05"
    )

    def settle(self, prior: DiffusionPrior, measurement: Measurement) -> Self:
        if isinstance(measurement.likelihood, MomentMatched):
            raise ValueError("mgdm asks at many times at once: take a Gaussian likelihood, not a moment-matched one")
        settled = super().settle(prior, measurement)
        most = prior.schedule.num_timesteps
        if self.num_steps > most:
            raise ValueError(f"num_steps lies in 2 ... {most}, the times of this prior, but is {self.num_steps}")
        return settled

    def prepared(self, prior: DiffusionPrior, measurement: Measurement) -> tuple[DiffusionPrior, Measurement]:
        return prior, measurement.noisy(self.measurement_scale or 0.05)

    def phases(self) -> dict[str, int]:
        return {"refinement": self.num_steps - 1}

    def images(self, run: Run) -> Tensor:
        prior = run.prior
        times = prior.times(prior.schedule.last, 0, self.num_steps - 1)
        z = run.terminal()
        with torch.no_grad(), located("refinement", 0, times[0], broken=self.cure(), memory=self.relief(len(z))):
            z0 = prior.denoise(z, times[0])
        for i, (t, s) in enumerate(zip(times, times[1:])):
            if run.stopped:
                break
            with located("refinement", i, t, broken=self.cure(), memory=self.relief(len(z))):
                z, z0 = self.step(run, z, z0, t, s, i)
                check_finite(z0, "a sample")
            replaced = run.report(Progress("refinement", i, t, z, z0))
            z = z if replaced is None else replaced
        with torch.no_grad(), located("decoding", broken=self.cure(), memory=self.relief(len(z))):
            return prior.decode(z0)

    def cure(self) -> str:
        return "lower lr"

    def step(self, run: Run, z_t: Tensor, z0: Tensor, t: int, s: int, i: int) -> tuple[Tensor, Tensor]:
        """z_s and z_0 after the i-th step's sweeps; all (S, N, C, H, W)."""
        schedule = run.prior.schedule
        z_s = self._bridged(run, z0, CLEAN, s, t, z_t)
        late, num_gradients = self._late(i), self.gradients(i)
        lr = self.lr / 3 if i < 0.1 * self.num_steps else self.lr
        for _ in range(self.sweeps):
            tau = self._level(run, s, late)
            # At s itself the level above is t.
            (z_above, above) = (z_t, t) if late or s <= self.lowest else (z_s, s)
            c_0, c_above, std = between(schedule, CLEAN, tau, above)
            mean = like(c_0, z_t) * z0 + like(c_above, z_t) * z_above
            z_tau = fitted_draw(run, mean, like(std, z_t), tau, num_gradients, lr)
            z0 = self._denoised(run, z_tau, tau)
            z_s = self._bridged(run, z_tau, tau, s, t, z_t)
        return z_s, z0

    def gradients(self, i: int) -> int:
        """How many gradient steps a sweep of the i-th step takes."""
        return self.intense_gradients if self._late(i) or i % 10 == 0 else self.num_gradients

    def _late(self, i: int) -> bool:
        return i >= 0.7 * self.num_steps

    def _level(self, run: Run, s: int, late: bool) -> Tensor:
        """tau of each image, (N,) on the CPU."""
        n = run.measurement.num_images
        if late or s <= self.lowest:
            return torch.full((n,), s, device="cpu")
        u = run.noise.uniform(torch.zeros(n, dtype=torch.float64, device="cpu"))
        return self.lowest + (u * (s - self.lowest)).long()

    @staticmethod
    def _bridged(run: Run, z: Tensor, low: int | Tensor, s: int, t: int, z_t: Tensor) -> Tensor:
        """A draw of z_s given z at a time below, or the same, and z_t."""
        c_low, c_t, std = between(run.prior.schedule, low, s, t)
        return like(c_low, z) * z + like(c_t, z) * z_t + like(std, z) * run.normal(z)

    @torch.no_grad()
    def _denoised(self, run: Run, z: Tensor, tau: Tensor) -> Tensor:
        """z_0 drawn by the prior's own steps from z_tau."""
        here = tau
        for k in range(1, self.denoising_steps + 1):
            there = (tau - (tau + 1) * k / self.denoising_steps).round().long()
            there = there.clamp_min(0) if k < self.denoising_steps else there
            mean, std = run.prior.reverse(z, here, there)
            z, here = mean + std * run.normal(z), there
        return z
