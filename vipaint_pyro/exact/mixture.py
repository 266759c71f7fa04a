r"""Mixtures of Gaussians that stay closed under noising, reverse steps and linear measurements.

Every covariance is kept by its eigenvalues and eigenvectors: noising by alpha and sigma turns the
eigenvalues :math:`\lambda` into :math:`\alpha^2\lambda + \sigma^2` and leaves the vectors alone, so that
no matrix is ever inverted. Vectors "in the basis" are :math:`U^T x`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from vipaint_pyro.distributions import ImageDistribution
from vipaint_pyro.exact.components import Components
from vipaint_pyro.measurements.checks import check_shape
from vipaint_pyro.randomness import NoiseStreams

__all__ = ["GaussianMixture"]


class GaussianMixture(ImageDistribution):
    r"""A mixture of K Gaussians over z, each an affine image of a component.

    .. math:: p(z) = \sum_k w_k\, N(z;\; c\,\mu_k + d,\; v) \quad \text{in the basis of each component}

    Args:
        components: the :math:`\mu_k` and the bases.
        log_weights: log w_k, normalised, with shape (*, K).
        scale, shift, variance: c, d and v with shape (*, D) in the shared basis, or (*, K, D) where
            every component has its own.
        event_shape: (C, H, W) of z, with D entries.
    """

    def __init__(
        self,
        components: Components,
        log_weights: Tensor,
        scale: Tensor,
        shift: Tensor,
        variance: Tensor,
        event_shape: Sequence[int],
    ) -> None:
        self.components, self.log_weights = components, log_weights
        self.scale, self.shift, self.variance_ = scale, shift, variance
        # Scale, shift and variance of a distribution at one time have no batch axes of their own.
        batch = torch.broadcast_shapes(log_weights.shape[:-1], shift.shape[: -1 if components.shared else -2])
        super().__init__(batch, torch.Size(event_shape), validate_args=False)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        weights = self.log_weights.expand(*batch_shape, -1)
        return GaussianMixture(
            self.components, weights, self.scale, self.shift, self.variance_, self.event_shape
        )

    # -- densities ----------------------------------------------------------------------------------

    def component_log_prob(self, z: Tensor) -> Tensor:
        """log N(z; component k) with shape (*, K)."""
        check_shape("z", z, self.event_shape)
        c = self.components
        x = c.rotate(z.flatten(-3))
        std = self.variance_.sqrt()
        if c.shared:
            e, g = (x - self.shift) / std, self.scale / std
            square = (e**2).sum(-1, keepdim=True) - 2 * (e * g) @ c.means.T + (g**2) @ c.squares.T
            log_det = std.log().sum(-1, keepdim=True)
        else:
            square = (((x - self.shift - self.scale * c.means) / std) ** 2).sum(-1)
            log_det = std.log().sum(-1)
        return -0.5 * square - log_det - 0.5 * x.shape[-1] * torch.log(2 * x.new_tensor(torch.pi))

    def log_prob(self, value: Tensor) -> Tensor:
        return (self.log_weights + self.component_log_prob(value)).logsumexp(-1)

    def log_responsibilities(self, z: Tensor) -> Tensor:
        r"""log p(k | z) with shape (*, K)."""
        return (self.log_weights + self.component_log_prob(z)).log_softmax(-1)

    # -- moments ------------------------------------------------------------------------------------

    @property
    def mean(self) -> Tensor:
        r""":math:`\sum_k w_k (c\,\mu_k + d)`, with shape (*, C, H, W)."""
        c, w = self.components, self.log_weights.exp()
        if c.shared:
            mean = c.unrotate(self.scale * (w @ c.means) + self.shift)
        else:
            own = self.scale * c.means + self.shift
            mean = torch.einsum("...k,...kd->...d", w, self._back(own))
        return mean.reshape(*mean.shape[:-1], *self.event_shape)

    @property
    def variance(self) -> Tensor:
        """Of every entry of z, with shape (*, C, H, W)."""
        c, w = self.components, self.log_weights.exp()
        if c.shared and c.basis is None:
            variance = self.variance_ + self.scale**2 * (w @ c.squares - (w @ c.means) ** 2).clamp_min(0)
        else:
            variance = self.covariance.diagonal(dim1=-2, dim2=-1)
        return variance.reshape(*variance.shape[:-1], *self.event_shape)

    @property
    def covariance(self) -> Tensor:
        """Of z, with shape (*, D, D): for small D."""
        c, w = self.components, self.log_weights.exp()
        if c.shared:
            # Between the components, in the basis; d is common to all.
            mean = w @ c.means
            second = torch.einsum("...k,kd,ke->...de", w, c.means, c.means) - mean[..., :, None] * mean[..., None, :]
            full = self.scale[..., :, None] * second * self.scale[..., None, :] + torch.diag_embed(self.variance_)
            return full if c.basis is None else c.basis @ full @ c.basis.T
        means = self._back(self.scale * c.means + self.shift)
        mean = torch.einsum("...k,...kd->...d", w, means)
        basis = torch.eye(mean.shape[-1], dtype=mean.dtype, device=mean.device) if c.basis is None else c.basis
        bases = basis.expand(len(c), -1, -1)
        within = torch.einsum("kde,...ke,kfe->...kdf", bases, self.variance_, bases)
        spread = means - mean[..., None, :]
        return torch.einsum("...k,...kdf->...df", w, within + spread[..., :, None] * spread[..., None, :])

    def _back(self, own: Tensor) -> Tensor:
        """(*, K, D) from every component's basis."""
        basis = self.components.basis
        return own if basis is None else torch.einsum("kde,...ke->...kd", basis, own)

    # -- draws --------------------------------------------------------------------------------------

    @torch.no_grad()
    def sample(self, sample_shape: Any = torch.Size()) -> Tensor:
        x, k = self.sample_in_basis(torch.Size(sample_shape))
        x = self.components.unrotate(x, k)
        return x.reshape(*x.shape[:-1], *self.event_shape)

    def sample_in_basis(
        self, sample_shape: Any = torch.Size(), streams: NoiseStreams | None = None
    ) -> tuple[Tensor, Tensor]:
        """Draws (*, D), each in the basis of its component, and the components k (*)."""
        c, streams = self.components, streams or NoiseStreams(None, 1)
        shape = torch.Size(sample_shape) + self.batch_shape
        u = torch.special.ndtr(streams.normal(shape, len(shape) - 1, c.means))
        k = self._component(u)
        noise = streams.normal((*shape, c.means.shape[1]), len(shape) - 1, c.means)
        scale, shift, variance = self.of(k)
        return scale * c.means[k] + shift + variance.sqrt() * noise, k

    def _component(self, u: Tensor) -> Tensor:
        """Components k by the inverse of their distribution function, for uniform u (*, batch)."""
        steps = self.log_weights.exp().cumsum(-1).expand(*self.batch_shape, -1).contiguous()
        u_below_one = u.clamp_max(1 - torch.finfo(u.dtype).eps)
        own = u_below_one.reshape(-1, *self.batch_shape).movedim(0, -1) * steps[..., -1:]
        k = torch.searchsorted(steps, own.contiguous(), right=True).clamp_max(len(self.components) - 1)
        return k.movedim(-1, 0).reshape(u.shape)

    def of(self, k: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Scale, shift and variance of component k (*), each broadcasting against (*, D)."""
        if self.components.shared:
            return self.scale, self.shift, self.variance_
        index = k[..., None, None].expand(*k.shape, 1, self.components.means.shape[1])
        scale, shift, variance = (
            v.expand(*k.shape, *v.shape[-2:]).gather(-2, index)[..., 0, :]
            for v in (self.scale, self.shift, self.variance_)
        )
        return scale, shift, variance
