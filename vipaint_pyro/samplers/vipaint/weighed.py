"""The correction by sequential Monte Carlo: VIPaint's second phase with weights."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from vipaint_pyro.guides import Guide
from vipaint_pyro.inference.particles import Particles
from vipaint_pyro.inference.proposals import PosteriorMean, Pulled
from vipaint_pyro.inference.smc import SMC, run_smc
from vipaint_pyro.measurements.likelihoods import Gaussian
from vipaint_pyro.measurements.measurement import Measurement
from vipaint_pyro.measurements.moment_matched import MomentMatched
from vipaint_pyro.models import DiffusionModel
from vipaint_pyro.priors.schedules import CLEAN
from vipaint_pyro.randomness import NoiseStreams
from vipaint_pyro.samplers.base import Samples
from vipaint_pyro.samplers.run import Progress, Run
from vipaint_pyro.samplers.vipaint.settings import Settings
from vipaint_pyro.settings import settled

__all__ = ["weighed"]

#: Particles of each cloud of TDS, where nothing is said.
PER_SAMPLE = 8


def weighed(settings: Settings, run: Run, model: DiffusionModel, guide: Guide) -> Samples:
    """Particles weighed down to the image; of the final ones, equally weighted, as many as were asked for.

    Args:
        settings: settled, with ``num_particles``, ``own_cloud``, ``refinement_steps`` and ``measurement_scale``.
        run: of this call.
        model, guide: fitted.
    """
    if settings.own_cloud:
        return _of_clouds(settings, run, model, guide)
    size = settled(settings.num_particles)
    particles = _cloud(settings, run, model, guide, size)
    # Systematic resampling leaves copies side by side: an even stride spreads over the cloud.
    chosen = torch.linspace(0, size - 1, run.num_samples, dtype=torch.float32, device="cpu").round().long()
    if run.stopped:  # particles on their way weigh no image
        return Samples(particles.images[chosen])
    return Samples(particles.images[chosen], diagnostics=_said(*_figures(particles)))


def _of_clouds(settings: Settings, run: Run, model: DiffusionModel, guide: Guide) -> Samples:
    """One particle at random of each of as many independent clouds as there are samples."""
    size, more = divmod(settings.num_particles or PER_SAMPLE * run.num_samples, run.num_samples)

    def one(part: Run) -> tuple[Tensor, ...]:
        particles = _cloud(settings, part, model, guide, size + (part.first < more))
        images = particles.images
        # At random: the first of those that are resampled in their order would be the first of all, whatever it weighs.
        k = (NoiseStreams(run.generator, images.shape[1]).uniform(images) * len(images)).long()
        kept = images[k.clamp_max(len(images) - 1), torch.arange(images.shape[1], device=images.device)]
        return kept[None], *(f[None] for f in _figures(particles))

    images, evidence, ess, ancestors = run.in_chunks(1, one)
    if run.stopped:
        return Samples(images)
    mean = evidence.logsumexp(0) - math.log(len(evidence))  # of unbiased estimates of p(y)
    # Each image that is kept goes back to one draw.
    return Samples(images, diagnostics=_said(mean, ess.min(0).values, torch.full_like(ancestors[0], len(images))))


def _figures(particles: Particles) -> tuple[Tensor, Tensor, Tensor]:
    """Of each image: the estimate of log p(y), the smallest effective sample size, the ancestors."""
    return settled(particles.log_evidence), particles.ess.min(0).values, particles.ancestors


def _said(evidence: Tensor, ess: Tensor, ancestors: Tensor) -> dict[str, list[float]]:
    return {"log_evidence": evidence.tolist(), "smallest_ess": ess.tolist(), "ancestors": ancestors.tolist()}


def _cloud(settings: Settings, run: Run, model: DiffusionModel, guide: Guide, size: int) -> Particles:
    """So many particles, weighed and resampled down to the image."""
    seen = run.measurement
    noise, steps = seen.likelihood, settled(settings.refinement_steps)
    sigma = noise.scale if isinstance(noise, Gaussian) else settled(settings.measurement_scale)
    below = run.prior.times(model.timesteps[-1], CLEAN, steps)

    def moved(step, t, z, z0):
        if t >= below[0]:
            return run.stopped
        i = below.index(t) - 1
        answer = run.report(Progress("refinement", i, below[i], z, z0))
        return answer, run.stopped

    return run_smc(
        model,
        guide,
        Measurement(seen.operator, MomentMatched(sigma), seen.y),
        SMC(size, steps, proposal=PosteriorMean() if settings.refine == "tds" else Pulled()),
        generator=run.generator,
        callback=moved,
    )
