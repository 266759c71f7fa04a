r"""TDS: particles stepped to the prediction given y, weighed by the prior and resampled at every noise level.

Wu, Trippe, Naesseth, Blei, Cunningham, "Practical and Asymptotically Exact Conditional Sampling in Diffusion Models",
arXiv:2306.17775.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from vipaint_pyro.inference.clouds import NoiseOfClouds
from vipaint_pyro.inference.particles import Particles
from vipaint_pyro.inference.proposals import PosteriorMean
from vipaint_pyro.inference.smc import SMC, run_smc
from vipaint_pyro.measurements.measurement import Measurement
from vipaint_pyro.measurements.moment_matched import MomentMatched
from vipaint_pyro.measurements.operator import LinearOperator
from vipaint_pyro.models import DiffusionModel
from vipaint_pyro.priors.diffusion import DiffusionPrior
from vipaint_pyro.priors.schedules import CLEAN
from vipaint_pyro.randomness import NoiseStreams
from vipaint_pyro.samplers.base import Sampler, Samples
from vipaint_pyro.samplers.chunk import chunk_for
from vipaint_pyro.samplers.run import Progress, Run
from vipaint_pyro.samplers.weighed import Weighed
from vipaint_pyro.settings import filled, number, setting, settled, switch, whole
from vipaint_pyro.wording import counted

__all__ = ["TDSSampler"]


@dataclass(frozen=True)
class TDSSampler(Sampler):
    r"""Twisted diffusion sampling (its algorithm 1), with the moments of MMPS.

    .. math:: z_s \sim q = N\big(\mu(z_t, E[z_0 | z_t, y]),\; \varsigma^2\big), \quad
              \log w \mathrel{+}= \log \frac{\tilde p(y | z_s)}{\tilde p(y | z_t)}
              + \log \frac{p(z_s | z_t)}{q(z_s | z_t)}

    with :math:`\tilde p` Gaussian of the moments of
    :class:`~vipaint_pyro.measurements.moment_matched.MomentMatched`, and E[z_0 | z_t, y] that of
    :class:`~vipaint_pyro.samplers.mmps.MMPSSampler`. Weights mend what those moments get wrong: with more particles the
    images become draws of the posterior itself, however rough the twist is, and log p(y) comes besides. For the same
    calls many particles of few steps are worth more than few of many. How many are needed grows with what y says, fast:
    of a few measured entries some hundred are enough, of half a picture all of them go back to one, which a warning
    says; then :class:`~vipaint_pyro.samplers.mmps.MMPSSampler` or VIPaint is the better choice.

    A particle's step costs one forward and 1 + ``iterations`` backward calls of the network. At alpha_T = 0, where z_T
    says nothing of z_0, the first step is the prior's own.

    (The paper steps by the gradient of the plug-in likelihood; azula resamples at every step, multinomially.)

    Args:
        num_steps: evenly spaced steps from T to the clean image.
        particles: for each sample.
        iterations: of conjugate gradients for E[z_0 | z_t, y].
        eta: of the DDIM kernel, above 0; 1 is ancestral.
        own_cloud: whether each sample is one, at random, of a cloud of its own of ``particles`` particles: samples are
            then independent of each other, and where a particle takes all the weight of its cloud, they are still
            different. False weighs the particles of all samples in one cloud, which has the least error in the mean
            and may leave copies.
        measurement_scale: sigma_y, of a measurement that says nothing of its noise; None for .03.
        chunk: how many particles per image are moved at once, where samples have clouds of their own: as many whole
            clouds as that is, one at least. Memory grows with it; results do not change.
    """

    num_steps: int = setting(25, whole(1), "Steps from noise to the image.")
    particles: int = setting(10, whole(1), "Particles for each sample.")
    iterations: int = setting(2, whole(1), "Of conjugate gradients, a backward call each.")
    eta: float = setting(1.0, number(above=0, most=1), "Of the DDIM kernel; 1 is ancestral.")
    own_cloud: bool = setting(True, switch(), "Each sample from its own particles, or all from one cloud.")
    measurement_scale: float | None = setting(
        None, number(above=0), "Noise in y, in units of [-1, 1].", stands_for="0.03"
    )
    chunk: int | None = setting(
        None, whole(1), "Particles at once, of clouds of their own: memory grows with it, results do not change.",
        stands_for="25, of small images more",
    )  # fmt: skip

    def settle(self, prior: DiffusionPrior, measurement: Measurement) -> Self:
        if not isinstance(measurement.operator, LinearOperator):
            raise ValueError("tds is for linear measurements: take 'dps' or 'mmps'")
        if measurement.likelihood.sigma is None:
            raise ValueError("tds is for Gaussian noise, or none")
        given = super().settle(prior, measurement)
        most = prior.schedule.num_timesteps
        if self.num_steps > most:
            raise ValueError(
                f"from noise there are at most {most} steps to the clean image, not {self.num_steps}: give fewer "
                "num_steps"
            )
        if self.num_steps == 1 and float(prior.schedule.alpha(prior.schedule.last)) == 0:
            raise ValueError("noise says nothing of the image on this prior's schedule: give num_steps of at least 2")
        if self.chunk and not self.own_cloud:
            raise ValueError("chunk is of clouds of their own, and own_cloud is False: leave chunk out")
        return filled(given, measurement_scale=0.03, chunk=chunk_for(prior.image_shape) if self.own_cloud else None)

    def prepared(self, prior: DiffusionPrior, measurement: Measurement) -> tuple[DiffusionPrior, Measurement]:
        return prior, measurement.noisy(settled(self.measurement_scale))

    def check_samples(self, num_samples: int) -> None:
        super().check_samples(num_samples)
        if self.particles * (1 if self.own_cloud else num_samples) < 2:
            raise ValueError(f"{counted(self.particles, 'particle')} cannot be weighed: raise particles")

    def at_once(self, num_samples: int) -> int:
        clouds = (self.chunk or num_samples * self.particles) // self.particles
        return max(1, min(clouds, num_samples)) if self.own_cloud else num_samples

    def phases(self) -> dict[str, int]:
        return {"refinement": self.num_steps}

    def draw(self, run: Run) -> Samples:
        sigma = _noise(run.measurement)
        advice = "take more particles, or method mmps"
        at_once = self.at_once(run.num_samples)
        particles = Weighed(self._cloud, self.particles * run.num_samples, "noise", sigma, advice, at_once)
        with run.phase("refinement"):
            return particles.apart(run) if self.own_cloud else particles.together(run)

    def _cloud(self, run: Run, size: int, clouds: int) -> Particles:
        """So many particles in so many clouds, from noise to the image."""
        prior, seen = run.prior, run.measurement
        times = prior.times(prior.schedule.last, CLEAN, self.num_steps)
        shape = (size, seen.num_images, *prior.latent_shape)
        # The run's own has as much as there are samples: that is for one cloud each.
        given = run.noise if self.own_cloud else run.generator
        noise = NoiseOfClouds(run.noise, clouds) if self.own_cloud else NoiseStreams(run.generator, seen.num_images)
        z = prior.schedule.terminal_std * noise.normal(shape, 1, seen.y)
        if float(prior.schedule.alpha(times[0])) == 0:
            with torch.no_grad():
                mean, std = prior.reverse(z, times[0], times[1], self.eta)
            z, times = mean + std * noise.normal(shape, 1, z), times[1:]

        def moved(step, t, z, z0):
            if step == 0:  # where they begin
                return run.stopped
            answer = run.report(Progress("refinement", self.num_steps - len(times) + step, times[step - 1], z, z0))
            return answer, run.stopped

        return run_smc(
            DiffusionModel(prior, seen.operator, times[:1], eta=self.eta),
            None,
            Measurement(seen.operator, MomentMatched(_noise(seen)), seen.y),
            SMC(size, len(times) - 1, proposal=PosteriorMean(self.iterations), clouds=clouds),
            start=z,
            from_prior=True,
            generator=given,
            callback=moved,
        )


def _noise(measurement: Measurement) -> float | Tensor:
    """sigma_y, which a settled measurement has."""
    sigma: float | Tensor | None = measurement.likelihood.sigma
    assert sigma is not None
    return sigma
