"""Distributions that several folders share."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import pyro.distributions as dist
import torch
from pyro.distributions import constraints
from pyro.distributions.score_parts import ScoreParts
from pyro.distributions.torch_distribution import TorchDistributionMixin
from pyro.ops.provenance import get_provenance, track_provenance
from torch import Tensor

from vipaint_pyro.wording import shown

__all__ = [
    "Estimated", "Factored", "FlatGaussian", "FromNoise", "ImageDistribution", "NormalMixture", "Seen",
    "Unscored", "check_distribution",
]  # fmt: skip


def check_distribution(what: str, given: object, example: str) -> None:
    """Raise TypeError where something is no distribution of Pyro.

    Args:
        what: gave it, for the message.
        given: the would-be distribution.
        example: of what it should have been.
    """
    if not isinstance(given, TorchDistributionMixin):
        theirs = isinstance(given, torch.distributions.Distribution)
        but = f"torch's own {type(given).__name__}" if theirs else shown(given)
        raise TypeError(f"{what} gives a distribution of pyro.distributions, such as {example}, but gave {but}")


class ImageDistribution(dist.TorchDistribution):
    """Over images or latents: real numbers with event shape (C, H, W); parameters are not checked by Pyro."""

    arg_constraints: ClassVar[dict] = {}
    support = constraints.independent(constraints.real, 3)
    has_rsample = False


class Estimated(ImageDistribution):
    """With a density that is estimated by noise.

    Attributes:
        streams: of that noise (:class:`~vipaint_pyro.randomness.NoiseStreams`), which handlers of effects set; None
            for the global state.
    """

    streams: Any = None


class FromNoise(ImageDistribution):
    """Draws that are a function of standard normal noise, which each image may take from its own stream."""

    has_rsample = True

    @abstractmethod
    def from_noise(self, normal: Callable[[Sequence[int], Tensor], Tensor]) -> Tensor:
        """One draw of the batch.

        Args:
            normal: noise of a shape whose first axes are the batch's, in the precision of a tensor and where it is.
        """

    def rsample(self, sample_shape: Any = torch.Size()) -> Tensor:
        wide = self.expand(torch.Size(sample_shape) + self.batch_shape)
        return wide.from_noise(lambda shape, like: torch.randn(tuple(shape), dtype=like.dtype, device=like.device))


class Factored(dist.TorchDistribution):
    """A density of y times a positive function of y: no longer normalised, and not to be drawn from.

    Args:
        base_dist: the density.
        log_factor: y -> the logarithm of the factor, of the batch shape.
    """

    arg_constraints: ClassVar[dict] = {}

    def __init__(self, base_dist: TorchDistributionMixin, log_factor: Callable[[Tensor], Tensor]) -> None:
        self.base_dist, self.log_factor = base_dist, log_factor
        super().__init__(base_dist.batch_shape, base_dist.event_shape, validate_args=False)

    def log_prob(self, y: Tensor) -> Tensor:
        return self.base_dist.log_prob(y) + self.log_factor(y)


class Seen(dist.MaskedDistribution):
    """Of every entry of y, where it is observed: the others count for nothing, and are 0 in draws, as in any y."""

    _mask: Any

    def sample(self, sample_shape: Any = torch.Size()) -> Tensor:
        return torch.where(self._mask, super().sample(sample_shape), 0)

    def rsample(self, sample_shape: Any = torch.Size()) -> Tensor:
        return torch.where(self._mask, super().rsample(sample_shape), 0)


class Unscored(dist.MaskedDistribution):
    """What a site is drawn from whose density stands elsewhere in a program, or in none: its own is 0.

    Pyro's pictures of a program take its edges from densities, which would show no edge to such a site.

    Attributes:
        parents: the values that it is drawn from.
    """

    parents: tuple[Tensor, ...] = ()

    @classmethod
    def given(cls, base_dist: TorchDistributionMixin, *parents: Tensor) -> Unscored:
        """The distribution, drawn from these values."""
        made = cls(base_dist, False)
        made.parents = parents
        return made

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        wide = super().expand(batch_shape, _instance)
        wide.parents = self.parents
        return wide

    def log_prob(self, value: Tensor) -> Tensor:
        return track_provenance(super().log_prob(value), get_provenance(self.parents))


class FlatGaussian(dist.MultivariateNormal):
    """A Gaussian over y flattened, with event shape (C', H', W'); what is not observed is not looked at."""

    def __init__(self, mean: Tensor, covariance: Tensor, observed: Tensor) -> None:
        super().__init__(mean, covariance, validate_args=False)
        self.observed = observed
        self._event_shape = observed.shape[1:]

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        size = self.loc.shape[-1]
        mean, covariance = self.loc.expand(*batch_shape, size), self.covariance_matrix.expand(*batch_shape, size, size)
        return FlatGaussian(mean, covariance, self.observed)

    @property
    def mean(self) -> Tensor:
        return self.loc.reshape(*self.loc.shape[:-1], *self.event_shape)

    @property
    def variance(self) -> Tensor:
        return self.covariance_matrix.diagonal(dim1=-2, dim2=-1).reshape(self.mean.shape)

    def log_prob(self, value: Tensor) -> Tensor:
        L = self._unbroadcasted_scale_tril
        y = torch.where(self.observed, value, 0).flatten(-3)
        e = torch.linalg.solve_triangular(L, (y - self.loc)[..., None], upper=False)[..., 0]
        log_det = L.diagonal(dim1=-2, dim2=-1).log().sum(-1)
        return -0.5 * (e**2).sum(-1) - log_det - 0.5 * e.shape[-1] * math.log(2 * math.pi)

    def rsample(self, sample_shape: Any = torch.Size()) -> Tensor:
        shape = torch.Size(sample_shape) + self.loc.shape
        noise = torch.randn(shape, dtype=self.loc.dtype, device=self.loc.device)
        flat = self.loc + (self._unbroadcasted_scale_tril @ noise[..., None])[..., 0]
        return torch.where(self.observed, flat.reshape(*flat.shape[:-1], *self.event_shape), 0)


class NormalMixture(FromNoise):
    r"""A mixture of M Gaussians with independent entries, over z with event shape (C, H, W).

    Its gradient estimators suit modes that lie far apart in many dimensions, where those of
    :class:`pyro.distributions.MixtureOfDiagNormals` lose every digit. With the responsibilities
    :math:`r_m(z) = p(m | z)`:

    - means and widths move with the draw,
      :math:`dz = \sum_m r_m(z)\,(d\mu_m + \varepsilon_m\, d\tau_m)`, :math:`\varepsilon_m = (z - \mu_m) / \tau_m`,
      the flow of probability that leaves the weights alone (Jankowiak and Karaletsos, "Pathwise
      Derivatives for Multivariate Distributions", arXiv:1806.01856);
    - the weights have the score function, :math:`\nabla_w \log q(z) = \sum_m r_m(z) \nabla \log w_m`, since no
      draw crosses from mode to mode. Its baseline is the mean of the other chains (Kool et al., "Buy 4
      REINFORCE Samples, Get a Baseline for Free!", 2019), so fit with two chains or more.

    ``Trace_ELBO`` combines the two; ``TraceMeanField_ELBO`` refuses the second.

    Args:
        logits: log weights up to a constant, with shape (M, *).
        loc: means, with shape (M, *, C, H, W).
        scale: standard deviations, of the same shape, positive.
    """

    def __init__(self, logits: Tensor, loc: Tensor, scale: Tensor) -> None:
        self.log_weights, self.loc, self.scale = logits.log_softmax(0), loc, scale
        super().__init__(loc.shape[1:-3], loc.shape[-3:], validate_args=False)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        batch, event = torch.Size(batch_shape), self.event_shape
        axes = (1,) * (len(batch) - len(self.batch_shape))

        def wide(value: Tensor, event: Sequence[int]) -> Tensor:
            return value.reshape(len(value), *axes, *value.shape[1:]).expand(len(value), *batch, *event)

        return NormalMixture(wide(self.log_weights, ()), wide(self.loc, event), wide(self.scale, event))

    def log_responsibilities(self, z: Tensor) -> Tensor:
        """log p(m | z) with shape (M, *), for z with shape (*, C, H, W)."""
        return self._joint(z).log_softmax(0)

    def log_prob(self, value: Tensor) -> Tensor:
        return self._joint(value).logsumexp(0)

    def _joint(self, z: Tensor) -> Tensor:
        """log p(m, z)."""
        wide = self.expand(torch.broadcast_shapes(self.batch_shape, z.shape[:-3]))
        return wide.log_weights + dist.Normal(wide.loc, wide.scale).log_prob(z).sum((-3, -2, -1))

    def from_noise(self, normal: Callable[[Sequence[int], Tensor], Tensor]) -> Tensor:
        with torch.no_grad():
            u = torch.special.ndtr(normal(self.batch_shape, self.log_weights))
            edges = self.log_weights.exp().cumsum(0)[:-1]
            m = (u >= edges).sum(0)
            m = m[None, ..., None, None, None].expand(1, *self.loc.shape[1:])
            loc, scale = self.loc.gather(0, m)[0], self.scale.gather(0, m)[0]
            z = loc + scale * normal(loc.shape, loc)
            noise = (z - self.loc) / self.scale
            r = self.log_responsibilities(z).exp()[..., None, None, None]
        # Equal to z: each summand is r_m z, with the gradient of component m.
        return (r * (self.loc + self.scale * noise)).sum(0)

    def score_parts(self, x: Tensor, *args: Any, **kwargs: Any) -> ScoreParts:
        log_prob = self.log_prob(x)
        r = self.log_responsibilities(x).exp().detach()
        score = (r * self.log_weights).sum(0)
        # Centring the score over the chains is the same as taking the other chains' mean off the bound.
        chains = self.batch_shape[:-1].numel()
        if chains > 1:
            axes = tuple(range(len(self.batch_shape) - 1))
            score = (score - score.mean(axes, keepdim=True)) * (chains / (chains - 1))
        return ScoreParts(log_prob, score, log_prob)
