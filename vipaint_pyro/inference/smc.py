r"""Sequential Monte Carlo from T_e to the image: the guide proposes, the model weighs.

Targets are :math:`\pi_t(z_{T_e}, \dots, z_t) \propto p(z_{T_e}) \prod p(z_s | z_t)\, p(y | z_t)`, at T_e and
the guide's timesteps proposed by the guide's own kernels, below T_s by the prior's step twisted towards
the measurement, :math:`N(m + \varsigma^2 \nabla_{z_t} \log p(y | z_t), \varsigma^2)` (TDS; Wu et al.,
arXiv:2306.17775, algorithm 1). The last target is the posterior of the image, and the product of the
mean weights an unbiased estimate of p(y).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import chain

import pyro.distributions as dist
import torch
from torch import Tensor

from vipaint_pyro.guides import MarkovGuide
from vipaint_pyro.inference.particles import Particles, _Cloud
from vipaint_pyro.inference.weights import draw_path, log_marginal, log_path_density
from vipaint_pyro.measurements.likelihoods import Gaussian, likelihood_at
from vipaint_pyro.models import DiffusionModel
from vipaint_pyro.priors.schedules import CLEAN
from vipaint_pyro.randomness import NoiseStreams

__all__ = ["run_smc"]


@torch.no_grad()
def run_smc(
    model: DiffusionModel,
    guide: Callable,
    y: Tensor,
    num_particles: int,
    *,
    num_steps: int = 50,
    marginal_steps: int = 25,
    threshold: float = 0.5,
    likelihood: Callable | None = None,
    weigh: bool = True,
    start: Tensor | None = None,
    generator: torch.Generator | Sequence[torch.Generator] | None = None,
    callback: Callable[[int, int, Tensor], None] | None = None,
) -> Particles:
    """Draw images given y, the fitted guide proposing and the model weighing.

    A :class:`~vipaint_pyro.guides.MarkovGuide` is followed level by level; of any other guide whole
    paths are drawn and weighed at T_s.

    Args:
        model: of the guide: its prior, operator, timesteps and eta.
        guide: fitted.
        y: (N, C', H', W'), 0 where not observed.
        num_particles: S per image.
        num_steps: twisted steps from T_s to the clean image, one forward and one backward call each.
        marginal_steps: calls to estimate p(z_{T_e}), where the prior does not know it.
        threshold: particles are resampled (systematically) where the effective sample size falls
            below this fraction of S.
        likelihood: at every level, by default the model's; on the clean image, of y given A x.
        weigh: False draws the same proposals without weights or resampling.
        start: z_{T_s} with shape (S, N, C, H, W), drawn already; the guide is then not looked at.
        generator: one, or a list with one per image; None takes the global state.
        callback: called after each move as ``callback(step, t, z)``.

    Raises:
        ValueError: for fewer than two particles, a threshold outside [0, 1], too many steps, or weights
            asked for particles that come with none.
        FloatingPointError: where no particle has a finite weight.
    """
    prior, times = model.prior, model.timesteps
    if num_particles < 2 or not 0 <= threshold <= 1:
        raise ValueError(f"there are two or more particles and a threshold in [0, 1], not {num_particles} and {threshold}")
    if not 1 <= num_steps <= times[-1] + 1:
        raise ValueError(f"from T_s = {times[-1]} there are 1 to {times[-1] + 1} steps to the clean image, not {num_steps}")
    if start is not None and weigh:
        raise ValueError("particles that start at T_s come without weights: give weigh=False")
    y = y.to(prior.device, prior.dtype)
    streams = NoiseStreams(generator, model.num_images)
    cloud = _Cloud(model, y, likelihood or model.likelihood, streams, threshold, weigh)
    below = prior.times(times[-1], CLEAN, num_steps)
    guided = _guided(cloud, guide, num_particles, marginal_steps, generator)
    if start is not None:
        guided = iter([(start, times[-1], 0.0)])
    twisted = (_twisted(cloud, t, s) for t, s in zip(below, below[1:]))
    for step, (z, t, increment) in enumerate(chain(guided, twisted)):
        cloud.move(z, t, increment, twist=CLEAN < t <= times[-1])
        _check(cloud, step, t)
        if callback is not None:
            callback(step, t, cloud.z)
    model.forget()
    result = cloud.finish()
    result.images = prior.decode(result.images)
    return result


def _guided(cloud, guide, num_particles, marginal_steps, generator) -> Iterator[tuple[Tensor, int, Tensor | float]]:
    """The moves down to T_s as (z, t, log p - log q); each is made where the one before has resampled."""
    model, prior, times = cloud.model, cloud.model.prior, cloud.model.timesteps
    if not isinstance(guide, MarkovGuide):
        path = draw_path(model, guide, num_particles, generator)
        increment = 0.0
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
        model.remember(cloud.z, t, cloud.z0)
        q = guide.kernel(cloud.z, t, s)
        z = cloud.draw(q)
        increment = model.transition(cloud.z, t, s).log_prob(z) - q.log_prob(z) if cloud.weigh else 0.0
        yield z, s, increment


def _twisted(cloud: _Cloud, t: int, s: int) -> tuple[Tensor, int, Tensor | float]:
    """The prior's step from t to s, moved towards the measurement."""
    model, prior = cloud.model, cloud.model.prior
    if s == CLEAN and isinstance(cloud.likelihood, Gaussian) and prior.knows_the_clean_image:
        # p(x | z_t, y) itself, so that p / q is p(y | z_t) / p(y | x).
        x, log_seen = prior.complete(cloud.z, t, model.operator, cloud.likelihood.scale, cloud.y, cloud.streams)
        clean = likelihood_at(cloud.likelihood, prior, model.operator, x, CLEAN, x)
        return x, s, log_seen - clean.log_prob(cloud.y)
    mean, std = prior.reverse(cloud.z, t, s, model.eta, cloud.z0)
    if s == CLEAN and not std.any():
        return mean, s, 0.0
    q = dist.Normal(mean + std**2 * cloud.pull, std).to_event(3)
    z = cloud.draw(q)
    if not cloud.weigh:
        return z, s, 0.0
    return z, s, prior.transition(cloud.z, t, s, model.eta, cloud.z0).log_prob(z) - q.log_prob(z)


def _check(cloud: _Cloud, step: int, t: int) -> None:
    """Raise where a particle, what is known of it, or all the weights of an image stop being finite."""
    known = [getattr(cloud, name) for name in ("z", "z0", "pull") if hasattr(cloud, name)]
    if not all(torch.isfinite(v).all() for v in known):
        raise FloatingPointError(
            f"a particle is no longer finite at step {step} (time {t}): where the noise in y is small a plug-in likelihood "
            "pulls too hard, take MomentMatched; or take more steps"
        )
    if cloud.weigh and not torch.isfinite(cloud.log_weights.logsumexp(0)).all():
        raise FloatingPointError(
            f"no particle has a finite weight at step {step} (time {t}): the guide does not reach the posterior there; "
            "fit it longer, or use more particles"
        )
