"""What a sampler's settings cost, said ahead: forward and backward calls of the network per sample.

Counted calls are those of ``Samples.calls`` and ``Samples.backward``; a claim equals them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import singledispatch
from typing import Any

from vipaint_pyro.guides import HierarchicalGuidedGuide
from vipaint_pyro.inference.smc import SMC
from vipaint_pyro.measurements.measurement import Measurement
from vipaint_pyro.priors.diffusion import DiffusionPrior
from vipaint_pyro.samplers.base import Sampler
from vipaint_pyro.samplers.blended import BlendedSampler
from vipaint_pyro.samplers.classical import ClassicalFill
from vipaint_pyro.samplers.copaint import CoPaintSampler
from vipaint_pyro.samplers.daps import DAPSSampler
from vipaint_pyro.samplers.ddnm import DDNMSampler
from vipaint_pyro.samplers.dps import DPSSampler
from vipaint_pyro.samplers.estimate import Estimate
from vipaint_pyro.samplers.mgdm import MGDMSampler
from vipaint_pyro.samplers.mgps import MGPSSampler
from vipaint_pyro.samplers.mmps import MMPSSampler
from vipaint_pyro.samplers.pigdm import PiGDMSampler
from vipaint_pyro.samplers.posterior_mean import PosteriorMeanSampler
from vipaint_pyro.samplers.psld import PSLDSampler
from vipaint_pyro.samplers.red_diff import REDDiffSampler
from vipaint_pyro.samplers.repaint import RePaintSampler
from vipaint_pyro.samplers.resample import ReSampleSampler
from vipaint_pyro.samplers.tds import TDSSampler
from vipaint_pyro.samplers.tmpd import TMPDSampler
from vipaint_pyro.samplers.travel import TravellingSampler
from vipaint_pyro.samplers.vipaint.clouds import PER_SAMPLE, of_each_draw
from vipaint_pyro.samplers.vipaint.sampler import VIPaintSampler
from vipaint_pyro.samplers.vipaint.weighed import ITERATIONS

__all__ = ["Claim", "calls_of", "claim", "claimed"]


@dataclass(frozen=True)
class Claim:
    """Calls of the network per sample, a fit's shared among its samples.

    Attributes:
        forward: forward calls.
        backward: of them, those that a gradient goes back through.
        exact: whether this is what will be counted; False where the data may ask for more.
    """

    forward: float
    backward: float
    exact: bool = True


def calls_of(sampler: Sampler, prior: DiffusionPrior, measurement: Measurement, num_samples: int) -> float:
    """Forward calls per sample; the arguments and the errors of :func:`claim`."""
    return claim(sampler, prior, measurement, num_samples).forward


def claim(sampler: Sampler, prior: DiffusionPrior, measurement: Measurement, num_samples: int) -> Claim:
    """What a sampler will cost on this prior and measurement, without computing anything.

    Args:
        sampler: the method with its settings.
        prior, measurement: what it is to be called with.
        num_samples: S per image, which share the calls of a fit.

    Raises:
        ValueError: for settings that cannot be, as the sampler itself does, or whose calls cannot be said ahead.
    """
    settled = sampler.settle(prior, measurement)
    settled.check_samples(num_samples)
    return claimed(settled, prior, num_samples)


@singledispatch
def claimed(settled: Sampler, prior: DiffusionPrior, num_samples: int) -> Claim:
    """The same of settings that are settled, by the sampler's class."""
    raise ValueError(f"the calls of {type(settled).__name__} are not known ahead: draw a sample, and count them")


@claimed.register(Estimate)
@claimed.register(ClassicalFill)
def _nothing(settled: Any, prior: DiffusionPrior, num_samples: int) -> Claim:
    return Claim(0, 0)


@claimed.register(BlendedSampler)
def _blended(settled: Any, prior: DiffusionPrior, num_samples: int) -> Claim:
    return Claim(settled.num_steps, 0)


@claimed.register(PiGDMSampler)
@claimed.register(PSLDSampler)
def _pulled(settled: Any, prior: DiffusionPrior, num_samples: int) -> Claim:
    return Claim(settled.num_steps, settled.num_steps - 1)


@claimed.register(DPSSampler)
def _dps(settled: Any, prior: DiffusionPrior, num_samples: int) -> Claim:
    return Claim(settled.num_steps, _dps_backward(settled))


def _dps_backward(settled: DPSSampler) -> int:
    if not settled.zeta and not settled.perceptual_refinement:
        return 0
    twice = settled.fraction is not None and settled.perceptual_refinement
    return (settled.num_steps - 1) * (2 if twice else 1)


@claimed.register(MMPSSampler)
def _mmps(settled: Any, prior: DiffusionPrior, num_samples: int) -> Claim:
    return _guided(settled, prior, settled.iterations)


@claimed.register(TMPDSampler)
def _tmpd(settled: Any, prior: DiffusionPrior, num_samples: int) -> Claim:
    return _guided(settled, prior, 2)


def _guided(settled: PosteriorMeanSampler, prior: DiffusionPrior, backward: int) -> Claim:
    """At every step but one where z_t says nothing of z_0."""
    nothing = float(prior.schedule.alpha(prior.schedule.last)) == 0
    return Claim(settled.num_steps, backward * (settled.num_steps - nothing))


@claimed.register(TDSSampler)
def _tds(settled: Any, prior: DiffusionPrior, num_samples: int) -> Claim:
    """Of every particle, as of :func:`_guided`, and one backward call more where the moments of y are not known."""
    nothing = float(prior.schedule.alpha(prior.schedule.last)) == 0
    known = prior.marginal(prior.schedule.last) is not None and not prior.is_latent
    backward = settled.iterations + (not known)
    return Claim(*(settled.particles * n for n in (settled.num_steps, backward * (settled.num_steps - nothing))))


@claimed.register(RePaintSampler)
@claimed.register(DDNMSampler)
def _travelling(settled: Any, prior: DiffusionPrior, num_samples: int) -> Claim:
    down, _ = _travel(settled)
    return Claim(down, 0)


def _travel(settled: TravellingSampler) -> tuple[int, int]:
    """Steps down, and jumps up."""
    n, length = settled.num_steps, settled.jump_length
    jumps = (settled.jump_n_sample - 1) * len(range(0, n - length, length))
    return n + jumps * length, jumps


@claimed.register(CoPaintSampler)
def _copaint(settled: Any, prior: DiffusionPrior, num_samples: int) -> Claim:
    # A step that is too long costs a call more: none on the built-in garments, on the faces 0 to 19 of 51 calls (two
    # images, default settings), less of a share of more calls.
    moves, gradients = sum(_travel(settled)), settled.num_gradients
    return Claim(moves * (1 + gradients), moves * gradients, exact=False)


@claimed.register(DAPSSampler)
def _daps(settled: Any, prior: DiffusionPrior, num_samples: int) -> Claim:
    return Claim(sum(len(settled.flow_times(prior, t)) - 1 for t in settled.levels(prior)), 0)


@claimed.register(MGPSSampler)
def _mgps(settled: Any, prior: DiffusionPrior, num_samples: int) -> Claim:
    gradients = sum(settled.gradients_at(left) for left in range(2, settled.num_steps + 1))
    return Claim(settled.num_steps + gradients, gradients)


@claimed.register(MGDMSampler)
def _mgdm(settled: Any, prior: DiffusionPrior, num_samples: int) -> Claim:
    steps = settled.num_steps - 1
    gradients = settled.sweeps * sum(settled.gradients(i) for i in range(steps))
    return Claim(1 + settled.sweeps * settled.denoising_steps * steps + gradients, gradients)


@claimed.register(ReSampleSampler)
def _resample(settled: Any, prior: DiffusionPrior, num_samples: int) -> Claim:
    n = settled.num_steps
    # With k steps left there are k times to refresh at.
    fresh = sum(min(left, settled.unroll + 1) for left in range(1, n) if settled.resamples(left))
    return Claim(n + fresh, n - 1)


@claimed.register(REDDiffSampler)
def _red_diff(settled: Any, prior: DiffusionPrior, num_samples: int) -> Claim:
    return Claim(settled.num_steps, 0)


@claimed.register(VIPaintSampler)
def _vipaint(settled: Any, prior: DiffusionPrior, num_samples: int) -> Claim:
    if settled.guide_name not in ("hierarchical", "hierarchical-guided") or settled.correct != "none":
        raise ValueError(
            "the calls of vipaint are known ahead for the hierarchical guides without a correction, not for "
            f"guide_name={settled.guide_name!r}, correct={settled.correct!r}: draw a sample, and count them"
        )
    times = settled.timesteps
    above = min(settled.num_levels, prior.schedule.last - times[0])
    fit = settled.fit_steps * settled.num_chains * (len(times) + above) / num_samples
    between = len(times) - 1  # the guide's steps from T_e to T_s
    again = settled.sweeps * max(settled.sweep_levels - 1, 0)  # and those of sweeps
    chains = settled.fit_steps * settled.num_chains / num_samples
    # Backward calls of each of the guide's own kernels.
    each = settled.guide_settings.get("iterations", HierarchicalGuidedGuide.ITERATIONS)
    pull = each if settled.guide_name == "hierarchical-guided" else 0
    fitted = Claim(fit, fit + pull * between * chains)
    if settled.refine == "tds":
        return _weighed(settled, prior, num_samples, fitted, pull)
    refined = claimed(settled.refinement(), prior, 1)  # from T_s, where every step counts
    walks = 1 + settled.sweeps
    drawn = between + again
    return Claim(fit + drawn + walks * refined.forward, fitted.backward + pull * drawn + walks * refined.backward)


def _weighed(settled: Any, prior: DiffusionPrior, num_samples: int, fitted: Claim, pull: int) -> Claim:
    """Of particles that are weighed at every level: those of each sample, all from T_e on, or from one draw at T_s."""
    particles = (settled.num_particles or PER_SAMPLE * num_samples) / num_samples
    top, between, steps = settled.timesteps[0], len(settled.timesteps) - 1, settled.refinement_steps
    # From T_s on those of every step for E[z_0 | z_t, y], and one for the moments of y.
    below = Claim(particles * steps, particles * (ITERATIONS + 1) * steps)
    if of_each_draw(settled):
        drawn = pull * between
        return Claim(fitted.forward + between + below.forward, fitted.backward + drawn + below.backward)
    known = prior.marginal(top) is not None
    noised = 0 if known else len(prior.times(prior.schedule.last, top, SMC.marginal_steps)) - 1  # for p(z_{T_e})
    moments = 0 if known and not prior.is_latent else between  # of y above T_s, with a graph of their own
    guided = between if pull else 0  # and so have the guide's kernels
    each, back = noised + between + moments + guided, moments + pull * between
    return Claim(
        fitted.forward + particles * each + below.forward, fitted.backward + particles * back + below.backward
    )
