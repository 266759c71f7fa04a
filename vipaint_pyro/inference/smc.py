r"""Sequential Monte Carlo from T_e to the image: the guide proposes, the model weighs.

Targets are :math:`\pi_t(z_{T_e}, \dots, z_t) \propto p(z_{T_e}) \prod p(z_s | z_t)\, p(y | z_t)`, at T_e and
the guide's timesteps proposed by the guide's own kernels, below T_s by the prior's step moved towards
the measurement (:mod:`~vipaint_pyro.inference.proposals`; TDS, Wu et al., arXiv:2306.17775, algorithm 1). The last
target is the posterior of the image, and the product of the mean weights an unbiased estimate of p(y).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, cast

import pyro.distributions as dist
import torch
from pyro.distributions.torch_distribution import TorchDistributionMixin
from torch import Tensor

from vipaint_pyro.faults import located
from vipaint_pyro.guides import MarkovGuide
from vipaint_pyro.inference.clouds import NoiseOfClouds
from vipaint_pyro.inference.given import check_guide
from vipaint_pyro.inference.particles import Cloud, Particles
from vipaint_pyro.inference.proposals import Proposal, Pulled
from vipaint_pyro.inference.weights import draw_path, log_marginal, log_path_density
from vipaint_pyro.measurements.likelihoods import Gaussian
from vipaint_pyro.measurements.measurement import Measurement, check_fits, check_measurement
from vipaint_pyro.models import DiffusionModel
from vipaint_pyro.models.base import check_model
from vipaint_pyro.priors.prediction import Prediction
from vipaint_pyro.priors.schedules import CLEAN
from vipaint_pyro.randomness import NoiseStreams
from vipaint_pyro.settings import checked, number, switch, whole
from vipaint_pyro.tensors import check_tensor
from vipaint_pyro.wording import counted, shown

__all__ = ["SMC", "run_smc"]


@dataclass(frozen=True)
class SMC:
    """How particles are moved and weighed.

    Args:
        num_particles: S per image, at least 2.
        num_steps: twisted steps from T_s to the clean image, one forward and one backward call each.
        marginal_steps: calls to estimate p(z_{T_e}), where the prior does not know it.
        threshold: particles are resampled (systematically) where the effective sample size falls
            below this fraction of S.
        weigh: False draws the same proposals without weights or resampling.
        proposal: of the steps below T_s.
        clouds: K, of S / K particles each, which are weighed and resampled by themselves.

    Raises:
        ValueError: for fewer than two particles, a threshold outside [0, 1], or clouds of unequal size.
    """

    num_particles: int
    num_steps: int = 50
    marginal_steps: int = 25
    threshold: float = 0.5
    weigh: bool = True
    proposal: Proposal = field(default_factory=Pulled)
    clouds: int = 1

    def __post_init__(self) -> None:
        if not whole(2).check(self.num_particles) or not number(least=0, most=1).check(self.threshold):
            raise ValueError(
                "there are two or more particles and a threshold in [0, 1], "
                f"not {shown(self.num_particles)} and {shown(self.threshold)}"
            )
        checked("num_steps", self.num_steps, whole())
        checked("marginal_steps", self.marginal_steps, whole())
        checked("weigh", self.weigh, switch())
        checked("clouds", self.clouds, whole(1))
        if self.num_particles % self.clouds:
            raise ValueError(f"{self.num_particles} particles are not {self.clouds} clouds of equal size")
        if not isinstance(self.proposal, Proposal):
            raise TypeError(f"proposal is a Proposal, as PosteriorMean(), not {shown(self.proposal)}")


@torch.no_grad()
def run_smc(
    model: DiffusionModel,
    guide: Callable | None,
    measurement: Measurement,
    settings: SMC,
    *,
    start: Tensor | None = None,
    from_prior: bool = False,
    generator: torch.Generator | Sequence[torch.Generator] | NoiseStreams | None = None,
    callback: Callable[[int, int, Tensor, Tensor], Tensor | bool | tuple[Tensor, bool] | None] | None = None,
) -> Particles:
    """Draw images given y, the fitted guide proposing and the model weighing.

    A :class:`~vipaint_pyro.guides.MarkovGuide` is followed level by level; of any other guide whole
    paths are drawn and weighed at T_s.

    Args:
        model: of the guide: its prior, timesteps and eta.
        guide: fitted; None where there is a ``start``.
        measurement: y, and its likelihood at every level; on the clean image, of y given A x.
        settings: of the particles.
        start: z_{T_s} with shape (S, N, C, H, W), drawn already; the guide is then not looked at.
        from_prior: whether ``start`` can be weighed: draws of the prior's p(z_{T_s}), or of each cloud one z_{T_s}.
        generator: one, or a list with one per image; None takes the global state. Of particles that have a ``start``
            also the noise of a run of as many samples as there are clouds.
        callback: called after each move as ``callback(step, t, z, z0)``; latents that it returns take the place of
            the particles, which keep their weights, and after True itself no further move is made. A pair
            ``(latents, True)`` is both.

    Raises:
        TypeError: for a callback that returns anything else.
        ValueError: for too many steps, weights asked for particles that come with none, draws of the prior that are
            not given, noise of particles that have no start, or a measurement of other images than the model's.
        NonFiniteError: where a particle is not finite, or none has a finite weight; names the step and the time.
        OutOfMemory: where the memory does not suffice; names the step.
    """
    check_model(model, DiffusionModel)
    check_measurement(measurement)
    if not isinstance(settings, SMC):
        raise TypeError(f"settings is an SMC(num_particles), not {shown(settings)}")
    checked("from_prior", from_prior, switch())
    if start is None and from_prior:
        raise ValueError("from_prior says what start is, and there is none: give start")
    if start is None and isinstance(generator, NoiseStreams):
        raise ValueError("noise of clouds is for particles that have a start: give start, or a torch.Generator")
    if start is None:
        check_guide(guide, model)
    if callback is not None and not callable(callback):
        raise TypeError(f"callback is to be called after each move, but is {shown(callback)}")
    prior, times, num_steps = model.prior, model.timesteps, settings.num_steps
    check_fits(measurement.operator, prior)
    if measurement.num_images != model.num_images:
        seen = counted(measurement.num_images, "image")
        raise ValueError(f"the measurement is of {seen}, but the model of {model.num_images}")
    if not 1 <= num_steps <= times[-1] + 1:
        raise ValueError(
            f"from T_s = {times[-1]} there are 1 to {times[-1] + 1} steps to the clean image, not {num_steps}"
        )
    if start is not None and settings.weigh and not from_prior:
        raise ValueError(
            "particles that start at T_s come without weights: give weigh=False, or from_prior=True where they are "
            "draws of the prior"
        )
    if start is not None:
        shape = (settings.num_particles, model.num_images, *prior.latent_shape)
        check_tensor("start", start, str(shape), bools=False)
        if tuple(start.shape) != shape or not torch.isfinite(start).all():
            raise ValueError(f"start is finite, with shape {shape}, but came with {tuple(start.shape)}")
    settings.proposal.check(measurement)
    measurement, clouds = measurement.to(prior.device, prior.dtype), settings.clouds
    if isinstance(generator, NoiseStreams):
        streams: NoiseStreams = NoiseOfClouds(generator, clouds)
    else:
        streams = NoiseStreams(generator, model.num_images)
        streams = NoiseOfClouds(streams, clouds) if clouds > 1 else streams
    cloud = Cloud(model, measurement, streams, settings.threshold, settings.weigh, settings.proposal, clouds)
    below = prior.times(times[-1], CLEAN, num_steps)
    begin: Iterator[tuple[Tensor, int, Tensor | float | None]] = (
        _guided(cloud, cast(Callable, guide), settings, cast(Any, generator))
        if start is None
        else iter([(start, times[-1], 0.0)])
    )
    twisted = (_twisted(cloud, t, s) for t, s in zip(below, below[1:]))
    with model.predictions():
        moves, step = chain(begin, twisted), 0
        while True:
            with located("smc", step, memory="lower num_particles: they are one population, moved at once"):
                move = next(moves, None)
                if move is None:
                    break
                z, t, increment = move
                cloud.move(z, t, increment, twist=CLEAN < t <= times[-1])
                cloud.check(t)
            if callback is not None:
                other, last = _answer(callback(step, t, cloud.z, cloud.z0))
                if other is not None:
                    with located("smc", step, t):
                        cloud.put(other)
                        cloud.check(t)
                if last:
                    break
            step += 1
    result = cloud.finish()
    with located("decoding", memory="lower num_particles"):
        result.images = prior.decode(result.images)
    return result


def _answer(answer: Any) -> tuple[Tensor | None, bool]:
    """What a callback returned: latents in place of the particles, if any, and whether this was the last move."""
    z, last = answer if isinstance(answer, tuple) and len(answer) == 2 else (answer, False)
    if z is None or isinstance(z, bool):
        return None, last is True or z is True
    check_tensor("what a callback returns, if not True or None,", z, "(S, N, C, H, W)", bools=False)
    return z, last is True


def _guided(
    cloud: Cloud, guide: Callable, settings: SMC, generator: torch.Generator | Sequence[torch.Generator] | None
) -> Iterator[tuple[Tensor, int, Tensor | float | None]]:
    """The moves down to T_s as (z, t, log p - log q); each is made where the one before has resampled."""
    model, prior, times = cloud.model, cloud.model.prior, cloud.model.timesteps
    num_particles, marginal_steps = settings.num_particles, settings.marginal_steps
    if not isinstance(guide, MarkovGuide):
        path = draw_path(model, guide, num_particles, generator)
        increment: Tensor | float = 0.0
        if cloud.weigh:
            increment = log_path_density(model, path, marginal_steps, cloud.streams) - path.log_q
        yield path.z[times[-1]], times[-1], increment
        return
    q = guide.top()
    z = cloud.draw(q, (num_particles,))
    increment = 0.0
    if cloud.weigh:
        increment = log_marginal(prior, z, times[0], marginal_steps, cloud.streams) - q.log_prob(z)
    yield z, times[0], increment
    for t, s in zip(times, times[1:]):
        with guide.model.predictions({t: (cloud.z, cloud.z0)}):
            q = guide.kernel(cloud.z, t, s)
        z = cloud.draw(q)
        yield z, s, _increment(cloud, q, z, t, s)


def _twisted(cloud: Cloud, t: int, s: int) -> tuple[Tensor, int, Tensor | float | None]:
    """The prior's step from t to s, moved towards y; a network's last one ends at a mean, and z_t has the weight."""
    model, prior = cloud.model, cloud.model.prior
    seen = cloud.measurement
    if s == CLEAN and isinstance(seen.likelihood, Gaussian) and prior.knows_the_clean_image and not prior.is_latent:
        # p(x | z_t, y) itself, so that p / q is p(y | z_t) / p(y | x).
        x, log_seen = cast(Any, prior).complete(cloud.z, t, seen.operator, seen.likelihood.scale, seen.y, cloud.streams)
        clean = seen.likelihood.at(seen.operator, Prediction(prior, x, CLEAN, x))
        return x, s, log_seen - clean.log_prob(seen.y)
    mean, std = cloud.proposal.moments(model, Prediction(prior, cloud.z, t, cloud.z0), cloud.pull, s)
    if s == CLEAN and not std.any():
        return mean, s, None
    q = dist.Normal(mean, std).to_event(3)
    z = cloud.draw(q)
    return z, s, _increment(cloud, q, z, t, s)


def _increment(cloud: Cloud, q: TorchDistributionMixin, z: Tensor, t: int, s: int) -> Tensor | float:
    """log p - log q of the particles' move from t to z at s, where weights are kept."""
    if not cloud.weigh:
        return 0.0
    return cloud.model.prior.transition(cloud.z, t, s, cloud.model.eta, cloud.z0).log_prob(z) - q.log_prob(z)
