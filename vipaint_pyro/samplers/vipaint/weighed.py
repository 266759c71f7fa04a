"""The correction by sequential Monte Carlo: VIPaint's second phase with weights."""

from __future__ import annotations

import math
import warnings

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
from vipaint_pyro.wording import counted, shown

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
    evidence, ess, ancestors = _figures(particles)
    collapsed = (ancestors == 1).long()
    if size > 1 and collapsed.any():
        which = f"all {size} particles{_of_images(ancestors == 1)}"
        _warn(which, ess, "take more particles, own_cloud=True, or no correction")
    said = _said(settings, run, log_evidence=evidence, ess=ess, ancestors=ancestors, collapsed=collapsed)
    return Samples(particles.images[chosen], diagnostics=said)


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
    smallest, collapsed = ess.min(0).values, (ancestors == 1).sum(0)
    many = 2 * collapsed > len(images)
    if many.any():
        which = f"in {int(collapsed.max())} of {counted(len(images), 'cloud')}{_of_images(many)} all particles"
        _warn(which, smallest, "take more particles a sample")
    # Each image that is kept goes back to one draw.
    own = torch.full_like(ancestors[0], len(images))
    said = _said(settings, run, log_evidence=mean, ess=smallest, ancestors=own, collapsed=collapsed)
    return Samples(images, diagnostics=said)


def _of_images(which: Tensor) -> str:
    """Of how many images, bools (N,), where there are more than one."""
    return f" of {int(which.sum())} of {len(which)} images" if len(which) > 1 else ""


def _warn(which: str, ess: Tensor, advice: str) -> None:
    """Say that weights have left one draw of the guide."""
    warnings.warn(
        f"sequential Monte Carlo: {which} go back to one draw of the guide; {ess.min().item():.1f} of them counted "
        f"where they were fewest. Modes weighed by them are not to be relied on: {advice}",
        RuntimeWarning,
        stacklevel=3,
    )


def _figures(particles: Particles) -> tuple[Tensor, Tensor, Tensor]:
    """Of each image: the estimate of log p(y), the smallest effective sample size, the ancestors."""
    return settled(particles.log_evidence), particles.ess.min(0).values, particles.ancestors


def _said(settings: Settings, run: Run, **figures: Tensor) -> dict[str, list[float] | str]:
    """The diagnostics, one number per image each, and under which likelihood the evidence is."""
    # The last target is the image, where what is matched in its moments is the noise alone.
    under = shown(Gaussian(_sigma(settings, run)))
    return {"likelihood": under, **{name: values.tolist() for name, values in figures.items()}}


def _sigma(settings: Settings, run: Run) -> float | Tensor:
    noise = run.measurement.likelihood
    return noise.scale if isinstance(noise, Gaussian) else settled(settings.measurement_scale)


def _cloud(settings: Settings, run: Run, model: DiffusionModel, guide: Guide, size: int) -> Particles:
    """So many particles, weighed and resampled down to the image."""
    seen = run.measurement
    steps = settled(settings.refinement_steps)
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
        Measurement(seen.operator, MomentMatched(_sigma(settings, run)), seen.y),
        SMC(size, steps, proposal=PosteriorMean() if settings.refine == "tds" else Pulled()),
        generator=run.generator,
        callback=moved,
    )
