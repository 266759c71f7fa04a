"""The second phase with weights: particles of all of the guide's draws, or of each draw by itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from vipaint_pyro.faults import located
from vipaint_pyro.guides import Guide
from vipaint_pyro.inference.draws import draw_and_predict
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
from vipaint_pyro.samplers.vipaint.clouds import PER_SAMPLE, clouds_at_once, of_each_draw
from vipaint_pyro.samplers.vipaint.settings import Settings
from vipaint_pyro.samplers.weighed import Weighed
from vipaint_pyro.settings import settled

__all__ = ["ITERATIONS", "weighed"]

#: Of conjugate gradients in a step of TDS, as of the method of that name: one is not enough where little is seen.
ITERATIONS = 2


def weighed(settings: Settings, run: Run, model: DiffusionModel, guide: Guide) -> Samples:
    """Particles weighed down to the image; of the final ones, equally weighted, as many as were asked for.

    Args:
        settings: settled, with ``num_particles``, ``own_cloud``, ``refinement_steps`` and ``measurement_scale``.
        run: of this call.
        model, guide: fitted.
    """
    size, sigma = settings.num_particles or PER_SAMPLE * run.num_samples, _sigma(settings, run)
    if of_each_draw(settings):
        return _of_each_draw(settings, run, model, guide, size)

    def cloud(part: Run, size: int, clouds: int) -> Particles:
        assert clouds == 1  # a guide's draws come one cloud after the other
        return run_smc(model, guide, *_how(settings, part, model, size), generator=part.generator, callback=_told(
            part, model, settled(settings.refinement_steps)
        ))  # fmt: skip

    particles = Weighed(cloud, size, "the guide", sigma, "take more particles, own_cloud=True, or no correction")
    return particles.apart(run) if settings.own_cloud else particles.together(run)


def _of_each_draw(settings: Settings, run: Run, model: DiffusionModel, guide: Guide, size: int) -> Samples:
    r"""Of each draw of the guide so many particles of its own, one of which is kept.

    .. math:: z_{T_s} \sim q(z_{T_s}), \quad x \sim p(x | z_{T_s}, y)

    the second by TDS from particles that all start at the same z_{T_s}: their weights need no density of the guide's,
    and with more particles what is left of the error is that of q(z_{T_s}) alone.
    """
    last, relief = model.timesteps[-1], "lower chunk, the particles that are moved at once"
    with located("the guide's draws", memory=relief):
        drawn, predictions = draw_and_predict(model, guide, run.num_samples, run.generator)

    at_last: list[Tensor] = []  # E[z_0 | z_{T_s}] of each draw, which its particles share

    def cloud(part: Run, size: int, clouds: int) -> Particles:
        each, told = size // clouds, _told(part, model, settled(settings.refinement_steps))
        start = drawn[last][part.first : part.first + clouds].repeat_interleave(each, 0)

        def moved(step: int, t: int, z: Tensor, z0: Tensor) -> Any:
            if t == last:
                at_last.append(z0[::each])
            return told(step, t, z, z0)

        return run_smc(
            model, None, *_how(settings, part, model, size, clouds), start=start, from_prior=True,
            generator=part.noise, callback=moved,
        )  # fmt: skip

    at_once = clouds_at_once(settings, run.num_samples)
    particles = Weighed(cloud, size, "noise below T_s", _sigma(settings, run), "", at_once, of_y=False)
    samples = particles.apart(run)
    predictions[last] = torch.cat(at_last)
    with torch.no_grad(), located("decoding", memory=relief):
        samples.levels = {t: run.prior.decode(z0[: len(samples.images)]) for t, z0 in predictions.items()}
    return samples


def _sigma(settings: Settings, run: Run) -> float | Tensor:
    noise = run.measurement.likelihood
    return noise.scale if isinstance(noise, Gaussian) else settled(settings.measurement_scale)


def _how(settings: Settings, run: Run, model: DiffusionModel, size: int, clouds: int = 1) -> tuple[Measurement, SMC]:
    """What weighs so many particles, and how they move."""
    seen, steps = run.measurement, settled(settings.refinement_steps)
    proposal = PosteriorMean(ITERATIONS) if settings.refine == "tds" else Pulled()
    likelihood = MomentMatched(_sigma(settings, run))
    return Measurement(seen.operator, likelihood, seen.y), SMC(size, steps, proposal=proposal, clouds=clouds)


def _told(run: Run, model: DiffusionModel, steps: int) -> Callable[..., Any]:
    """The callback that reports the steps below T_s."""
    below: Sequence[int] = run.prior.times(model.timesteps[-1], CLEAN, steps)

    def moved(step: int, t: int, z: Tensor, z0: Tensor) -> object:
        if t >= below[0]:
            return run.stopped
        i = below.index(t) - 1
        answer = run.report(Progress("refinement", i, below[i], z, z0))
        return answer, run.stopped

    return moved
