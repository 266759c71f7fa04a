r"""DAPS: at every noise level the clean image is drawn by Langevin dynamics, then noised anew for the next.

Zhang et al., "Improving Diffusion Inverse Problem Solving with Decoupled Noise Annealing", arXiv:2407.01521.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from vipaint_pyro.faults import check_finite, located
from vipaint_pyro.measurements.measurement import Measurement
from vipaint_pyro.priors.diffusion import DiffusionPrior
from vipaint_pyro.priors.prediction import Prediction
from vipaint_pyro.priors.schedules import CLEAN, NoiseSchedule
from vipaint_pyro.samplers.chunked import ChunkedSampler
from vipaint_pyro.samplers.reverse import flow
from vipaint_pyro.samplers.run import Progress, Run
from vipaint_pyro.settings import filled, number, setting, settled, whole

__all__ = ["DAPSSampler"]


@dataclass(frozen=True)
class DAPSSampler(ChunkedSampler):
    r"""Decoupled annealing (its algorithm 1), in x = z_t / alpha_t with noise :math:`\rho_t = \sigma_t / \alpha_t`.

    From each level down a fixed list of them: (1) :math:`\hat x_0` by Euler steps of the probability flow; (2) from
    there ``mcmc_steps`` of

    .. math:: v \leftarrow k v + \sqrt h\, \nabla_{x_0} \Big[\log p(y | x_0) - \frac{\lVert x_0 - \hat x_0\rVert^2}
              {2 \rho_t^2}\Big] + \sqrt{2 (1 - k)}\, \xi, \quad x_0 \leftarrow x_0 + \sqrt h\, v

    (Langevin with k = 0, Hamiltonian with friction else); (3) :math:`z_s \sim N(\alpha_s x_0, \sigma_s^2)`. On latent
    priors x_0 are latents, and log p(y | x_0) goes through the decoder. No backward call of the network.

    The step h falls linearly to a hundredth of itself over the levels. (The released code has twice the gradient of
    log p(y | x_0).)

    Args:
        num_steps: noise levels, from the prior's noisiest (at most rho = 100, latents 10) to .1 by a seventh-root
            grid; None for the published 200, and 50 on latent priors.
        ode_steps: Euler steps from a level to the clean image; None for 5, on latent priors 2.
        mcmc_steps: None for 100, on latent priors 20.
        step_size: h; None for 1e-4, on latent priors 9e-6.
        momentum: k in [0, 1); None for 0, on latent priors 0.8.
        measurement_scale: sigma_y, of a measurement that says nothing of its noise; None for the published .01.
    """

    num_steps: int | None = setting(None, whole(1), "Noise levels.", stands_for="200, on latent priors 50")
    ode_steps: int | None = setting(None, whole(1), "Steps to the clean image.", stands_for="5, on latent priors 2")
    mcmc_steps: int | None = setting(None, whole(0), "Steps of the chain.", stands_for="100, on latent priors 20")
    step_size: float | None = setting(None, number(above=0), "Of the chain.", stands_for="1e-4, on latent priors 9e-6")
    momentum: float | None = setting(
        None, number(least=0, most=0.999), "What the chain keeps.", stands_for="0, on latent priors .8"
    )
    measurement_scale: float | None = setting(
        None, number(above=0), "Noise in y, in units of [-1, 1].", stands_for="0.01"
    )

    def settle(self, prior: DiffusionPrior, measurement: Measurement) -> Self:
        latent = prior.is_latent
        return filled(
            super().settle(prior, measurement),
            num_steps=50 if latent else 200,
            ode_steps=2 if latent else 5,
            mcmc_steps=20 if latent else 100,
            step_size=9e-6 if latent else 1e-4,
            momentum=0.8 if latent else 0.0,
            measurement_scale=0.01,
        )

    def prepared(self, prior: DiffusionPrior, measurement: Measurement) -> tuple[DiffusionPrior, Measurement]:
        return prior, measurement.noisy(settled(self.measurement_scale))

    def phases(self) -> dict[str, int]:
        return {"refinement": settled(self.num_steps)}

    def levels(self, prior: DiffusionPrior) -> list[int]:
        """The times of the annealing; neighbours may be equal on a coarse schedule."""
        schedule = prior.schedule
        highest = min(_highest(prior), _ratio(schedule, schedule.last))
        times = [schedule.time_of_ratio(r) for r in _seventh_roots(highest, 0.1, settled(self.num_steps))]
        return [schedule.last, *times[1:]]

    def images(self, run: Run) -> Tensor:
        schedule, times = run.prior.schedule, self.levels(run.prior)
        z = run.terminal()
        for i, (t, s) in enumerate(zip(times, [*times[1:], CLEAN])):
            if run.stopped:
                break
            with located("refinement", i, t, broken=self.cure(), memory=self.relief(len(z))):
                x_hat = self.flow(run, z, t)
                h = settled(self.step_size) * (1 - 0.99 * i / max(len(times) - 1, 1))
                x = self.chain(run, x_hat, _ratio(schedule, t), h)
                z = float(schedule.alpha(s)) * x
                z = z + float(schedule.sigma(s)) * run.normal(x) if s != CLEAN else z
                check_finite(z, "a sample")
            replaced = run.report(Progress("refinement", i, t, z, x_hat))
            z = z if replaced is None else replaced
        with torch.no_grad(), located("decoding", broken=self.cure(), memory=self.relief(len(z))):
            return run.prior.decode(z)

    def cure(self) -> str:
        return "lower step_size"

    def flow(self, run: Run, z: Tensor, t: int) -> Tensor:
        """The clean end of the probability flow from z_t, by Euler steps in rho: those of DDIM with eta = 0."""
        return flow(run.prior, z, self.flow_times(run.prior, t))

    def flow_times(self, prior: DiffusionPrior, t: int) -> list[int]:
        """The times of the flow from t to ``CLEAN``; fewer than ``ode_steps`` where those of a schedule coincide."""
        schedule = prior.schedule
        ratio = _ratio(schedule, t)
        # Where nothing is left of the image there is no ratio to part: the first step goes to where levels begin.
        high = ratio if math.isfinite(ratio) else _highest(prior)
        grid = _seventh_roots(high, min(0.01, high), settled(self.ode_steps))
        return [t, *sorted({schedule.time_of_ratio(r) for r in grid[1:]} - {t}, reverse=True), CLEAN]

    def chain(self, run: Run, x_hat: Tensor, rho: float, h: float) -> Tensor:
        """Latents of the clean image after the chain from x_hat, all (*, N, C, H, W)."""
        x, v, keep = x_hat, torch.zeros_like(x_hat), settled(self.momentum)
        for _ in range(settled(self.mcmc_steps)):
            with torch.enable_grad():
                x = x.detach().requires_grad_()
                seen = Prediction(run.prior, x, CLEAN, x)
                log_p = run.measurement.likelihood.at(run.measurement.operator, seen).log_prob(run.measurement.y)
                (score,) = torch.autograd.grad(log_p.sum(), x)
            score = score - (x.detach() - x_hat) / rho**2
            v = keep * v + math.sqrt(h) * score + math.sqrt(2 * (1 - keep)) * run.normal(x_hat)
            x = x.detach() + math.sqrt(h) * v
        return x


def _ratio(schedule: NoiseSchedule, t: int) -> float:
    alpha = float(schedule.alpha(t))
    return float(schedule.sigma(t)) / alpha if alpha else math.inf


def _highest(prior: DiffusionPrior) -> float:
    return 10.0 if prior.is_latent else 100.0


def _seventh_roots(high: float, low: float, num: int) -> list[float]:
    """From high to low, evenly spaced in their seventh roots (Karras et al., arXiv:2206.00364, eq. 5)."""
    a, b = high ** (1 / 7), low ** (1 / 7)
    return [(a + (b - a) * k / max(num - 1, 1)) ** 7 for k in range(num)]
