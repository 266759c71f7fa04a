"""The correction by sequential Monte Carlo: VIPaint's second phase with weights."""

from __future__ import annotations

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
from vipaint_pyro.samplers.base import Samples
from vipaint_pyro.samplers.run import Progress, Run
from vipaint_pyro.samplers.vipaint.settings import Settings
from vipaint_pyro.samplers.weighed import Weighed
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

    def cloud(part: Run, size: int, clouds: int) -> Particles:
        assert clouds == 1  # a guide's draws come one cloud after the other
        return _cloud(settings, part, model, guide, size)

    size = settings.num_particles or PER_SAMPLE * run.num_samples
    advice = "take more particles, own_cloud=True, or no correction"
    particles = Weighed(cloud, size, "the guide", _sigma(settings, run), advice)
    return particles.apart(run) if settings.own_cloud else particles.together(run)


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
