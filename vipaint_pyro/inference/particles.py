r"""A cloud of weighted particles: their place, prediction, likelihood and weights."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import pyro.distributions as dist
import torch
from pyro.distributions.torch_distribution import TorchDistributionMixin
from torch import Tensor

from vipaint_pyro.distributions import FromNoise
from vipaint_pyro.faults import NonFiniteError
from vipaint_pyro.inference.clouds import apart, joined
from vipaint_pyro.inference.proposals import Proposal, Pulled
from vipaint_pyro.measurements.measurement import Measurement
from vipaint_pyro.models.diffusion import DiffusionModel
from vipaint_pyro.priors.prediction import Prediction
from vipaint_pyro.priors.schedules import CLEAN
from vipaint_pyro.randomness import NoiseStreams

__all__ = ["Cloud", "Particles", "effective_sample_size", "systematic"]


@dataclass
class Particles:
    """What a run leaves behind. Of K clouds, where it says (N,), every cloud's own: (K, N).

    Attributes:
        images: (S, N, C, H, W), equally weighted (of several clouds in each of them), about [-1, 1].
        log_evidence: the estimate of log p(y), (N,); None where the weights were not used.
        ess: effective sample size, of a cloud's particles, after each step that weighs, before resampling: (steps, N).
        resampled: which steps resampled, (steps, N); the last one where weights were left.
        ancestors: how many different draws of z_{T_e} the images go back to, (N,).
    """

    images: Tensor
    log_evidence: Tensor | None
    ess: Tensor
    resampled: Tensor
    ancestors: Tensor


def effective_sample_size(log_weights: Tensor) -> Tensor:
    r""":math:`(\sum w)^2 / \sum w^2` over the first axis of (S, N), from 1 to S: as many draws count."""
    return (2 * log_weights.logsumexp(0) - (2 * log_weights).logsumexp(0)).exp()


def systematic(log_weights: Tensor, u: Tensor, num: int | None = None) -> Tensor:
    """Indices (num, N) of systematic resampling of (S, N), by default S of them; u (N,) is uniform on [0, 1)."""
    num = num or len(log_weights)
    edges = log_weights.softmax(0).cumsum(0)
    points = (torch.arange(num, device=edges.device, dtype=edges.dtype)[:, None] + u) / num
    index = torch.searchsorted(edges.T.contiguous(), points.T.contiguous(), right=True).T
    return index.clamp_max(len(log_weights) - 1)


class Cloud:
    """S particles per image: their place, prediction, likelihood (and its pull), and weights.

    Args:
        model: of the guide.
        measurement: what is seen of the images, under the likelihood of every level.
        streams: noise of each image.
        threshold: resample where the effective sample size falls below this fraction of S.
        weigh: whether there are weights at all.
        proposal: of the steps below T_s.
        clouds: K, of S / K particles each, side by side in S: each is weighed and resampled by itself.
    """

    def __init__(
        self,
        model: DiffusionModel,
        measurement: Measurement,
        streams: NoiseStreams,
        threshold: float,
        weigh: bool,
        proposal: Proposal = Pulled(),
        clouds: int = 1,
    ) -> None:
        self.model, self.measurement, self.streams = model, measurement, streams
        self.proposal, self.clouds = proposal, clouds
        self.threshold, self.weigh = threshold, weigh
        self.ess: list[Tensor] = []
        self.resampled: list[Tensor] = []
        nothing: Any = None  # before the first move
        self.z: Tensor = nothing
        self.z0: Tensor = nothing
        self.log_likelihood: Tensor = nothing
        self.pull: Tensor = nothing
        self.log_weights: Tensor = nothing
        self.log_evidence: Tensor = nothing
        self.origin: Tensor = nothing

    def move(self, z: Tensor, t: int, increment: Tensor | float | None, twist: bool) -> None:
        """Put the particles at z_t; ``increment`` is log p - log q of the move, without the likelihood.

        None leaves the weights as they are, the likelihood's part too.
        """
        before = 0.0 if self.log_likelihood is None else self.log_likelihood
        self._look(z, t, twist)
        if not self.weigh or increment is None:
            return
        if self.log_weights is None:
            self.log_weights = torch.zeros_like(self.log_likelihood)
            self.log_evidence = torch.zeros_like(apart(self.log_likelihood, self.clouds)[0])
            self.origin = torch.arange(len(z), device=z.device)[:, None].expand(z.shape[:2])
        self.log_weights = self.log_weights + increment + self.log_likelihood - before
        self._resample()

    def _look(self, z: Tensor, t: int, twist: bool) -> None:
        prior, seen, self.t, self.twist = self.model.prior, self.measurement, t, twist
        with torch.set_grad_enabled(twist):
            z = z.detach().requires_grad_(twist)
            z0 = z if t == CLEAN else prior.denoise(z, t)
            prediction = Prediction(prior, z, t, z0)
            log_likelihood = seen.likelihood.at(seen.operator, prediction).log_prob(seen.y)
            if twist:
                self.pull = self.proposal.towards(seen, prediction, log_likelihood).detach()
        self.z, self.z0, self.log_likelihood = z.detach(), z0.detach(), log_likelihood.detach()

    def put(self, z: Tensor) -> None:
        """Put the particles elsewhere at their time, with the weights that they have.

        Raises:
            ValueError: for latents of another shape.
        """
        if z.shape != self.z.shape:
            raise ValueError(f"latents in place of others have their shape {tuple(self.z.shape)}, not {tuple(z.shape)}")
        self._look(z.to(self.z), self.t, self.twist)

    def draw(self, q: TorchDistributionMixin, sample_shape: tuple = ()) -> Tensor:
        """A draw of q; of a Gaussian, or what is made of one, from each image's own stream."""
        normal = q.base_dist if isinstance(q, dist.Independent) else q
        if isinstance(normal, dist.Normal):
            shape = (*sample_shape, *normal.loc.shape)
            return normal.loc + normal.scale * self.streams.normal(shape, len(shape) - 4, normal.loc)
        if isinstance(q, FromNoise):
            wide = q.expand((*sample_shape, *q.batch_shape))
            images = len(wide.batch_shape) - 1
            return wide.from_noise(lambda shape, like: self.streams.normal(shape, images, like))
        return q.sample(torch.Size(sample_shape))

    def check(self, t: int) -> None:
        """Raise NonFiniteError where a particle, what is known of it, or an image's weights stop being finite."""
        known = [v for v in (self.z, self.z0, self.pull) if v is not None]
        if not all(torch.isfinite(v).all() for v in known):
            advice = "a plug-in likelihood pulls too hard where y has little noise: take MomentMatched, or more steps"
            raise NonFiniteError("a particle", time=t, advice=advice)
        if self.weigh and not torch.isfinite(apart(self.log_weights, self.clouds).logsumexp(0)).all():
            advice = "the guide does not reach the posterior there; fit it longer, or use more particles"
            raise NonFiniteError("the weight of every particle", time=t, advice=advice)

    def _resample(self) -> None:
        """Resample the clouds whose effective sample size is low."""
        size = len(self.z) // self.clouds
        ess = effective_sample_size(apart(self.log_weights, self.clouds))
        self.ess.append(ess)
        self.resampled.append(ess < self.threshold * size)
        self._replace(self.resampled[-1])

    def _replace(self, chosen: Tensor) -> None:
        """Put the mean of the chosen clouds' weights into the evidence, and draw their particles anew."""
        u, clouds = self.streams.uniform(self.log_weights), self.clouds
        if not chosen.any():  # u is drawn all the same: no stream may depend on the neighbours
            return
        weights = apart(self.log_weights, clouds)
        index = systematic(weights, u)
        index = torch.where(chosen, index, torch.arange(len(index), device=index.device)[:, None])
        mean = weights.logsumexp(0) - math.log(len(weights))
        self.log_evidence = self.log_evidence + torch.where(chosen, mean, 0)
        self.log_weights = joined(torch.where(chosen, 0, weights), clouds)
        columns = torch.arange(index.shape[1], device=index.device)
        for name in ("z", "z0", "log_likelihood", "pull", "origin"):
            value = vars(self)[name]
            if value is not None:
                setattr(self, name, joined(apart(value, clouds)[index, columns], clouds))

    def finish(self) -> Particles:
        n, size = self.z.shape[1] * self.clouds, len(self.z) // self.clouds
        if not self.weigh:
            none = self._each(torch.zeros(0, n, dtype=self.z.dtype, device="cpu"))
            return Particles(self.z, None, none, none.bool(), self._each(torch.full((n,), size, device="cpu")))
        left = apart(self.log_weights != 0, self.clouds).any(0)
        self._replace(left)
        self.resampled[-1] = self.resampled[-1] | left
        origins = apart(self.origin, self.clouds).T
        ancestors = torch.tensor([len(column.unique()) for column in origins], device="cpu")
        figures = self.log_evidence, torch.stack(self.ess), torch.stack(self.resampled), ancestors
        return Particles(self.z, *map(self._each, figures))

    def _each(self, figures: Tensor) -> Tensor:
        """Figures (*, K N) as (*, K, N), of one cloud as (*, N)."""
        return figures if self.clouds == 1 else figures.unflatten(-1, (self.clouds, -1))
