r"""A cloud of weighted particles: their place, prediction, likelihood and weights."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pyro.distributions as dist
import torch
from torch import Tensor

from vipaint_pyro.measurements.likelihoods import likelihood_at
from vipaint_pyro.priors.schedules import CLEAN

__all__ = ["Particles", "effective_sample_size", "systematic"]


@dataclass
class Particles:
    """What a run leaves behind.

    Attributes:
        images: (S, N, C, H, W), equally weighted, about [-1, 1].
        log_evidence: the estimate of log p(y), (N,); None where the weights were not used.
        ess: effective sample size over S after each step, before resampling, (steps, N).
        resampled: which steps resampled, (steps, N); the last one where weights were left.
        ancestors: how many different draws of z_{T_e} the images go back to, (N,).
    """

    images: Tensor
    log_evidence: Tensor | None
    ess: Tensor
    resampled: Tensor
    ancestors: Tensor


def effective_sample_size(log_weights: Tensor) -> Tensor:
    r""":math:`(\sum w)^2 / \sum w^2` over the first axis of (S, N)."""
    return (2 * log_weights.logsumexp(0) - (2 * log_weights).logsumexp(0)).exp()


def systematic(log_weights: Tensor, u: Tensor, num: int | None = None) -> Tensor:
    """Indices (num, N) of systematic resampling of (S, N), by default S of them; u (N,) is uniform on [0, 1)."""
    num = num or len(log_weights)
    edges = log_weights.softmax(0).cumsum(0)
    points = (torch.arange(num, device=edges.device, dtype=edges.dtype)[:, None] + u) / num
    index = torch.searchsorted(edges.T.contiguous(), points.T.contiguous(), right=True).T
    return index.clamp_max(len(log_weights) - 1)


class _Cloud:
    """S particles per image: their place, prediction, likelihood (and its pull), and weights."""

    def __init__(self, model, y, likelihood, streams, threshold, weigh) -> None:
        self.model, self.y, self.likelihood, self.streams = model, y, likelihood, streams
        self.threshold, self.weigh = threshold, weigh
        self.ess, self.resampled = [], []

    def move(self, z: Tensor, t: int, increment: Tensor | float, twist: bool) -> None:
        """Put the particles at z_t; ``increment`` is log p - log q of the move, without the likelihood."""
        before = getattr(self, "log_likelihood", 0.0)
        self._look(z, t, twist)
        if not self.weigh:
            return
        if not hasattr(self, "log_weights"):
            self.log_weights = torch.zeros_like(self.log_likelihood)
            self.log_evidence = torch.zeros_like(self.log_likelihood[0])
            self.origin = torch.arange(len(z), device=z.device)[:, None].expand(z.shape[:2])
        self.log_weights = self.log_weights + increment + self.log_likelihood - before
        self._resample()

    def _look(self, z: Tensor, t: int, twist: bool) -> None:
        model, self.t = self.model, t
        with torch.set_grad_enabled(twist):
            z = z.detach().requires_grad_(twist)
            z0 = z if t == CLEAN else model.prior.denoise(z, t)
            seen = likelihood_at(self.likelihood, model.prior, model.operator, z, t, z0)
            log_likelihood = seen.log_prob(self.y)
            if twist:
                (self.pull,) = torch.autograd.grad(log_likelihood.sum(), z)
        self.z, self.z0, self.log_likelihood = z.detach(), z0.detach(), log_likelihood.detach()

    def draw(self, q: dist.Distribution, sample_shape: tuple = ()) -> Tensor:
        """A draw of q; of a Gaussian from each image's own stream."""
        normal = getattr(q, "base_dist", q)
        if isinstance(normal, dist.Normal):
            shape = (*sample_shape, *normal.loc.shape)
            return normal.loc + normal.scale * self.streams.normal(shape, len(shape) - 4, normal.loc)
        return q.sample(torch.Size(sample_shape))

    def _resample(self) -> None:
        """Resample the images whose effective sample size is low."""
        size = len(self.z)
        ess = effective_sample_size(self.log_weights)
        self.ess.append(ess / size)
        self.resampled.append(ess < self.threshold * size)
        self._replace(self.resampled[-1])

    def _replace(self, chosen: Tensor) -> None:
        """Put the mean of the chosen images' weights into the evidence, and draw their particles anew."""
        u, size = self.streams.uniform(self.log_weights), len(self.z)
        if not chosen.any():  # u is drawn all the same: no stream may depend on the neighbours
            return
        index = systematic(self.log_weights, u)
        index = torch.where(chosen, index, torch.arange(size, device=index.device)[:, None])
        mean = self.log_weights.logsumexp(0) - math.log(size)
        self.log_evidence = self.log_evidence + torch.where(chosen, mean, 0)
        self.log_weights = torch.where(chosen, 0, self.log_weights)
        columns = torch.arange(index.shape[1], device=index.device)
        for name in ("z", "z0", "log_likelihood", "pull", "origin"):
            if hasattr(self, name):
                setattr(self, name, getattr(self, name)[index, columns])

    def finish(self) -> Particles:
        n = self.z.shape[1]
        if not self.weigh:
            none = torch.zeros(0, n)
            return Particles(self.z, None, none, none.bool(), torch.full((n,), len(self.z)))
        left = (self.log_weights != 0).any(0)
        self._replace(left)
        self.resampled[-1] = self.resampled[-1] | left
        ancestors = torch.tensor([len(column.unique()) for column in self.origin.T])
        return Particles(self.z, self.log_evidence, torch.stack(self.ess), torch.stack(self.resampled), ancestors)
