"""The correction by sequential Monte Carlo: VIPaint's second phase with weights."""

from __future__ import annotations

import torch

from vipaint_pyro.guides import Guide
from vipaint_pyro.inference.smc import SMC, run_smc
from vipaint_pyro.measurements.likelihoods import Gaussian
from vipaint_pyro.measurements.measurement import Measurement
from vipaint_pyro.measurements.moment_matched import MomentMatched
from vipaint_pyro.models import DiffusionModel
from vipaint_pyro.priors.schedules import CLEAN
from vipaint_pyro.samplers.base import Samples
from vipaint_pyro.samplers.run import Progress, Run
from vipaint_pyro.samplers.vipaint.settings import Correct, Refine

__all__ = ["weighed"]


def weighed(settings: Correct | Refine, run: Run, model: DiffusionModel, guide: Guide) -> Samples:
    """Particles weighed down to the image; of the final ones, equally weighted, as many as were asked for.

    Args:
        settings: settled, with ``num_particles``, ``refinement_steps`` and ``measurement_scale``.
        run: of this call.
        model, guide: fitted.
    """
    seen = run.measurement
    sigma = seen.likelihood.scale if isinstance(seen.likelihood, Gaussian) else settings.measurement_scale

    below = run.prior.times(model.timesteps[-1], CLEAN, settings.refinement_steps)

    def moved(step, t, z, z0):
        if t >= below[0]:
            return run.stopped
        i = below.index(t) - 1
        answer = run.report(Progress("refinement", i, below[i], z, z0))
        return answer, run.stopped

    particles = run_smc(
        model,
        guide,
        Measurement(seen.operator, MomentMatched(sigma), seen.y),
        SMC(settings.num_particles, settings.refinement_steps),
        generator=run.generator,
        callback=moved,
    )
    # Systematic resampling leaves copies side by side: an even stride spreads over the cloud.
    last = settings.num_particles - 1
    chosen = torch.linspace(0, last, run.num_samples, dtype=torch.float32, device="cpu").round().long()
    if run.stopped:  # particles on their way weigh no image
        return Samples(particles.images[chosen])
    diagnostics = {
        "log_evidence": particles.log_evidence.tolist(),
        "smallest_ess": particles.ess.min(0).values.tolist(),
        "ancestors": particles.ancestors.tolist(),
    }
    return Samples(particles.images[chosen], diagnostics=diagnostics)
