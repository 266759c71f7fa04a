r"""MGPS: the step from t to s is guided at a time below s, where the prediction is better.

Moufad et al., "Variational Diffusion Posterior Sampling with Midpoint Guidance", arXiv:2410.09945.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from vipaint_pyro.measurements.measurement import Measurement
from vipaint_pyro.priors.diffusion import DiffusionPrior
from vipaint_pyro.priors.kernels import between, reverse_step
from vipaint_pyro.priors.schedules import CLEAN
from vipaint_pyro.samplers.gaussian_step import fitted_draw
from vipaint_pyro.samplers.reverse import ReverseSampler
from vipaint_pyro.samplers.run import Run
from vipaint_pyro.settings import filled, number, setting, settled, whole

__all__ = ["MGPSSampler"]


@dataclass(frozen=True)
class MGPSSampler(ReverseSampler):
    r"""One step by a midpoint (its algorithm 1).

    At u, ``midpoint`` times s: a Gaussian is fitted to the prior's :math:`q(z_u | \hat z_0(z_t), z_t)` and to y
    (:func:`~vipaint_pyro.samplers.gaussian_step.fitted_draw`), :math:`z_u` is drawn from it, and then

    .. math:: z_s \sim q(z_s | z_u, z_t)

    The first ``first_intense`` steps, and of the others every ``every_intense``-th but in the last twenty, take
    ``intense_gradients`` gradient steps, the rest ``num_gradients``. (The released code also begins the fits at the
    noisiest times at an image that was fitted before.)

    A step costs 1 forward call and one forward and one backward call for each of its gradient steps.

    Args:
        num_steps: as published, 300.
        midpoint: u as a fraction of s; on latent priors u = s in the lower half of the times, as published.
        num_gradients, intense_gradients: None for the published 2 and 20, on latent priors 5 and 10.
        first_intense, every_intense: which steps are intense, 5 and 10 as published.
        lr: Adam's.
        eta: not of its kernel, which is the bridge; 1.
        measurement_scale: sigma_y, of a measurement that says nothing of its noise; None for the published .05.
    """

    num_steps: int = setting(300, whole(1), "Steps from noise to the image.")
    eta: float = setting(1.0, number(least=1, most=1), "Not of its kernel, which is the bridge.")
    midpoint: float = setting(0.5, number(least=0, most=1), "Where a step is guided, as a fraction of its end.")
    num_gradients: int | None = setting(None, whole(0), "Gradient steps.", stands_for="2, on latent priors 5")
    intense_gradients: int | None = setting(
        None, whole(0), "Gradient steps of intense steps.", stands_for="20, on latent priors 10"
    )
    first_intense: int = setting(5, whole(0), "How many steps at first are intense.")
    every_intense: int = setting(10, whole(1), "Which of the later ones are.")
    lr: float = setting(0.03, number(above=0), "Adam's rate.")
    measurement_scale: float | None = setting(
        None, number(above=0), "Noise in y, in units of [-1, 1].", stands_for="0.05"
    )

    def settle(self, prior: DiffusionPrior, measurement: Measurement) -> Self:
        latent = prior.is_latent
        return filled(
            super().settle(prior, measurement),
            num_gradients=5 if latent else 2,
            intense_gradients=10 if latent else 20,
            measurement_scale=0.05,
        )

    def prepared(self, prior: DiffusionPrior, measurement: Measurement) -> tuple[DiffusionPrior, Measurement]:
        return prior, measurement.noisy(settled(self.measurement_scale))

    def cure(self) -> str:
        return "lower lr"

    def step(self, run: Run, z: Tensor, t: int, s: int) -> tuple[Tensor, Tensor]:
        prior, schedule = run.prior, run.prior.schedule
        with torch.no_grad():
            z0 = prior.denoise(z, t)
        if s == CLEAN:
            return z0, z0
        lower = prior.is_latent and s <= schedule.last // 2
        u = s if lower else int(self.midpoint * s)
        c_0, c_t, std = reverse_step(schedule, t, u)
        mean = float(c_0) * z0 + float(c_t) * z
        z_u = fitted_draw(run, mean, std.to(z), u, self.gradients(prior, t), self.lr)
        to_u, to_t, spread = (float(c) for c in between(schedule, u, s, t))
        z_s = to_u * z_u + to_t * z
        return (z_s + spread * run.normal(z) if u < s else z_u), z0

    def gradients(self, prior: DiffusionPrior, t: int) -> int:
        """How many gradient steps the step from time t takes."""
        return self.gradients_at(self.left(prior, t))

    def gradients_at(self, left: int) -> int:
        """The same of the step from where so many steps are left."""
        if left > self.num_steps - self.first_intense:
            return settled(self.intense_gradients)
        return settled(self.intense_gradients if left > 20 and left % self.every_intense == 0 else self.num_gradients)
