r"""A Gaussian mixture seen through a linear operator: y = A x + noise, all in closed form.

For component k of p(x), with mean m_k and covariance C_k:

.. math:: p(y) = \sum_k w_k N(y;\; A m_k,\; S_k), \qquad S_k = A C_k A^T + \sigma^2 I
.. math:: p(x | y) = \sum_k \tilde w_k N\big(x;\; m_k + C_k A^T S_k^{-1}(y - A m_k),\;
          C_k - C_k A^T S_k^{-1} A C_k\big), \quad \tilde w_k \propto w_k N(y; A m_k, S_k)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from vipaint_pyro.distributions import ImageDistribution
from vipaint_pyro.exact.mixture import GaussianMixture
from vipaint_pyro.measurements.matrix import as_matrix
from vipaint_pyro.measurements.operator import Operator

__all__ = ["GaussianEvidence", "MixtureEvidence"]


class GaussianEvidence:
    """The operator's matrix and the noise, ready to be applied to mixtures.

    Args:
        operator: a linear measurement of N images.
        scale: sigma of the Gaussian noise, one number or a tensor that broadcasts against the
            measurements (N, C', H', W').
        image_shape: (C, H, W).
        like: a tensor that names the precision and the device.
    """

    def __init__(self, operator: Operator, scale: Tensor | float, image_shape: Sequence[int], like: Tensor) -> None:
        matrix = as_matrix(operator, image_shape, like)
        channels = matrix.shape[1] // operator.observed[0, 0].numel()
        self.observed = operator.observed.expand(-1, channels, -1, -1)  # a mask of one channel is that of all
        scale = torch.as_tensor(scale, dtype=like.dtype, device=like.device)
        # An entry that is not observed has A = 0 and y = 0; this variance makes its density 1.
        unseen = torch.full((), 1 / (2 * math.pi), dtype=like.dtype, device=like.device)
        self.noise = torch.where(self.observed, scale**2, unseen).flatten(1)
        self.matrix = matrix.expand(len(self.noise), -1, -1)

    def __call__(self, mixture: GaussianMixture) -> MixtureEvidence:
        """The distribution of y for x distributed as ``mixture``, with batch shape (*, N)."""
        return MixtureEvidence(self, mixture)


class MixtureEvidence(ImageDistribution):
    """p(y) for y = A x + noise and x a Gaussian mixture, with event shape (C', H', W')."""

    def __init__(self, measurement: GaussianEvidence, mixture: GaussianMixture) -> None:
        self.measurement, self.mixture = measurement, mixture
        c, A = mixture.components, measurement.matrix
        if c.shared:
            B = A if c.basis is None else A @ c.basis
            own = (mixture.scale * c.means) @ B.mT  # (N, K, d_y)
            self._locs: tuple[Tensor, Tensor | None] = own, (B @ mixture.shift[..., None])[..., 0]
        else:
            B = A[:, None].expand(-1, len(c), -1, -1) if c.basis is None else A[:, None] @ c.basis
            self._locs = (B @ (mixture.scale * c.means + mixture.shift)[..., None])[..., 0], None
        self.projected = B
        S = (B * mixture.variance_[..., None, :]) @ B.mT
        noise = measurement.noise if c.shared else measurement.noise[:, None]
        self.covariance = S + torch.diag_embed(noise)
        self.cholesky = torch.linalg.cholesky(self.covariance)
        batch = torch.broadcast_shapes(mixture.batch_shape, (len(A),))
        super().__init__(batch, measurement.observed.shape[1:], validate_args=False)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        return self if self.batch_shape == torch.Size(batch_shape) else MixtureEvidence(
            self.measurement, self.mixture.expand(batch_shape)
        )  # fmt: skip

    @property
    def locs(self) -> Tensor:
        """A m_k, with shape (*, N, K, d_y)."""
        own, common = self._locs
        return own if common is None else own + common[..., None, :]

    def component_log_prob(self, y: Tensor) -> Tensor:
        """log N(y; A m_k, S_k) with shape (*, N, K)."""
        y = self._flat(y)
        log_det = self.cholesky.diagonal(dim1=-2, dim2=-1).log().sum(-1)
        own, common = self._locs
        if common is None:
            e = torch.linalg.solve_triangular(self.cholesky, (y[..., None, :] - own)[..., None], upper=False)[..., 0]
            square = (e**2).sum(-1)
        else:
            u = torch.linalg.solve_triangular(self.cholesky, (y - common)[..., None], upper=False)[..., 0]
            w = torch.linalg.solve_triangular(self.cholesky, own.mT, upper=False)  # (N, d_y, K)
            square = (u**2).sum(-1, keepdim=True) - 2 * (u[..., None, :] @ w)[..., 0, :] + (w**2).sum(-2)
            log_det = log_det[..., None]
        return -0.5 * square - log_det - 0.5 * y.shape[-1] * math.log(2 * math.pi)

    def log_prob(self, value: Tensor) -> Tensor:
        return (self.mixture.log_weights + self.component_log_prob(value)).logsumexp(-1)

    def log_responsibilities(self, y: Tensor) -> Tensor:
        """log p(k | y) with shape (*, N, K)."""
        return (self.mixture.log_weights + self.component_log_prob(y)).log_softmax(-1)

    @torch.no_grad()
    def sample(self, sample_shape: Any = torch.Size()) -> Tensor:
        x = self.mixture.expand(self.batch_shape).sample(sample_shape)
        y = (self.measurement.matrix @ x.flatten(-3)[..., None])[..., 0]
        y = y + self.measurement.noise.sqrt() * torch.randn_like(y)
        y = torch.where(self.measurement.observed.flatten(1), y, 0)
        return y.reshape(*y.shape[:-1], *self.event_shape)

    def moment_matched(self) -> tuple[Tensor, Tensor]:
        """Mean (*, N, d_y) and covariance (*, N, d_y, d_y) of y."""
        w = self.mixture.log_weights.exp()
        own, common = self._locs
        mean = (w[..., None, :] @ own)[..., 0, :]
        spread = own - mean[..., None, :]
        between = spread.mT @ (w[..., None] * spread)
        within = self.covariance if common is not None else (w[..., None, None] * self.covariance).sum(-3)
        return mean if common is None else mean + common, within + between

    def _flat(self, y: Tensor) -> Tensor:
        return torch.where(self.measurement.observed, y, 0).flatten(-3)
