"""The exact posterior of a Gaussian mixture prior under a linear measurement with Gaussian noise."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from vipaint_pyro.exact.evidence import GaussianEvidence, MixtureEvidence
from vipaint_pyro.exact.mixture import GaussianMixture
from vipaint_pyro.measurements.checks import check_shape
from vipaint_pyro.measurements.likelihoods import Gaussian, check_noise, check_scale
from vipaint_pyro.measurements.measurement import check_fits, check_operator, check_shape_of_y
from vipaint_pyro.measurements.operator import Operator
from vipaint_pyro.priors.diffusion import DiffusionPrior
from vipaint_pyro.priors.schedules import CLEAN
from vipaint_pyro.randomness import NoiseStreams
from vipaint_pyro.settings import checked, number, whole
from vipaint_pyro.tensors import check_tensor
from vipaint_pyro.wording import shown

__all__ = ["ExactPosterior", "exact_posterior"]


class ExactPosterior:
    r"""p(x | y) for x distributed as a Gaussian mixture; see :mod:`vipaint_pyro.exact.evidence`.

    Args:
        seen: the distribution of y.
        y: the measurements (N, C', H', W').
    """

    def __init__(self, seen: MixtureEvidence, y: Tensor) -> None:
        self.seen, self.y = seen, y
        self.prior: GaussianMixture = seen.mixture

    @property
    def log_evidence(self) -> Tensor:
        """log p(y) with shape (*, N)."""
        return self.seen.log_prob(self.y)

    @property
    def weights(self) -> Tensor:
        r""":math:`\tilde w_k` with shape (*, N, K)."""
        return self.seen.log_responsibilities(self.y).exp()

    @property
    def means(self) -> Tensor:
        """Of the components, (*, N, K, D)."""
        m, gain = self._means(), self._gains()
        return m + (gain @ (self.seen._flat(self.y)[..., None, :] - self.seen.locs)[..., None])[..., 0]

    @property
    def covariances(self) -> Tensor:
        """Of the components, (N, K, D, D), or (N, 1, D, D) where they share one: for small D."""
        gain, A = self._gains(), self.seen.measurement.matrix[:, None]
        C = self._covariances()
        return C - gain @ A @ C

    @property
    def mean(self) -> Tensor:
        """E[x | y] with shape (*, N, C, H, W)."""
        mean = (self.weights[..., None, :] @ self.means)[..., 0, :]
        return mean.reshape(*mean.shape[:-1], *self.prior.event_shape)

    @property
    def variance(self) -> Tensor:
        """Of every entry, given y, with shape (*, N, C, H, W)."""
        w, means = self.weights[..., None], self.means
        spread = means - (w * means).sum(-2, keepdim=True)
        variance = (w * (self.covariances.diagonal(dim1=-2, dim2=-1) + spread**2)).sum(-2)
        return variance.reshape(*variance.shape[:-1], *self.prior.event_shape)

    def log_prob(self, x: Tensor) -> Tensor:
        """log p(x | y) for x (*, N, C, H, W): prior times likelihood over evidence.

        Raises:
            TypeError: for an x that is no tensor.
            ValueError: for images of another shape.
        """
        check_shape("x", x, self.prior.event_shape)
        x, measurement = x.to(self.y), self.seen.measurement
        residual = self.seen._flat(self.y) - (measurement.matrix @ x.flatten(-3)[..., None])[..., 0]
        noise = torch.distributions.Normal(torch.zeros_like(residual), measurement.noise.sqrt())
        return self.prior.log_prob(x) + noise.log_prob(residual).sum(-1) - self.log_evidence

    def log_responsibilities(self, x: Tensor) -> Tensor:
        """log p(k | x) with shape (*, N, K): to which mode does an image belong?"""
        return self.prior.log_responsibilities(x)

    @torch.no_grad()
    def sample(
        self,
        num_samples: int,
        generator: torch.Generator | Sequence[torch.Generator] | NoiseStreams | None = None,
        chunk: int = 4096,
    ) -> Tensor:
        r"""Draws (S, *, N, C, H, W), each a draw of its component bent to the measurement.

        :math:`x = x' + C_k A^T S_k^{-1}(y - A x' - e)` with x' from component k and e from the noise
        has the posterior's distribution (Matheron's rule), without a D x D matrix.

        Args:
            num_samples: S.
            generator: one, or a list with one per image; None takes the global state.
            chunk: how many draws are made at a time.

        Raises:
            ValueError: for fewer than one draw.
        """
        checked("num_samples", num_samples, whole())
        checked("chunk", chunk, whole())
        streams = generator if isinstance(generator, NoiseStreams) else NoiseStreams(generator, len(self.y))
        return torch.cat([self._sample(min(chunk, num_samples - i), streams) for i in range(0, num_samples, chunk)])

    def _sample(self, num_samples: int, streams: NoiseStreams) -> Tensor:
        seen, c = self.seen, self.prior.components
        weights = seen.log_responsibilities(self.y)
        chosen = GaussianMixture(
            c, weights, self.prior.scale, self.prior.shift, self.prior.variance_, self.prior.event_shape
        )
        x, k = chosen.sample_in_basis((num_samples,), streams)
        noise = seen.measurement.noise
        e = noise.sqrt() * streams.normal((*x.shape[:-1], noise.shape[-1]), x.ndim - 2, x)
        _, _, variance = self.prior.of(k)
        if c.shared:
            B, L = seen.projected, seen.cholesky
        else:
            rows = torch.arange(len(noise), device=k.device).expand_as(k)
            B, L = seen.projected[rows, k], seen.cholesky[rows, k]
        residual = seen._flat(self.y) - (B @ x[..., None])[..., 0] - e
        x = x + variance * (B.mT @ torch.cholesky_solve(residual[..., None], L))[..., 0]
        x = c.unrotate(x, k)
        return x.reshape(*x.shape[:-1], *self.prior.event_shape)

    # -- in the coordinates of x, for small D -----------------------------------------------------------

    def _means(self) -> Tensor:
        c, p = self.prior.components, self.prior
        own = p.scale * c.means + (p.shift[..., None, :] if c.shared else p.shift)
        if c.basis is None:
            return own
        return own @ c.basis.T if c.shared else torch.einsum("kde,...ke->...kd", c.basis, own)

    def _covariances(self) -> Tensor:
        """(K, D, D), or (1, D, D)."""
        c, v = self.prior.components, self.prior.variance_
        v = v[None] if c.shared else v
        if c.basis is None:
            return torch.diag_embed(v)
        return (c.basis * v[..., None, :]) @ c.basis.mT

    def _gains(self) -> Tensor:
        """C_k A^T S_k^{-1} with shape (N, K or 1, D, d_y)."""
        S = self.seen.covariance
        S = S[:, None] if self.prior.components.shared else S
        A = self.seen.measurement.matrix[:, None]
        return torch.linalg.solve(S, A @ self._covariances()).mT


def exact_posterior(
    prior: DiffusionPrior, operator: Operator, y: Tensor, scale: Tensor | float | Gaussian
) -> ExactPosterior:
    """p(x | y) under a prior of :mod:`vipaint_pyro.exact` and a linear measurement.

    Args:
        prior: a Gaussian, Gaussian mixture or data set prior.
        operator: any linear operator of N images.
        y: (N, C', H', W'), in any precision: brought to the prior's; what is not observed is not looked at.
        scale: sigma of the Gaussian noise, one number or a tensor that broadcasts against y; or that likelihood.

    Raises:
        TypeError: for a prior that is not a Gaussian mixture.
        ValueError: for a y that the operator does not measure, or a scale that is none or does not broadcast.
    """
    from vipaint_pyro.exact.mixture_prior import GaussianMixturePrior  # which draws from posteriors itself

    if not isinstance(prior, GaussianMixturePrior):
        raise TypeError(f"the posterior is known under Gaussian mixtures, not under {type(prior).__name__}")
    check_operator(operator)
    check_fits(operator, prior)
    scale = scale.scale if isinstance(scale, Gaussian) else scale
    if not isinstance(scale, Tensor) and not number(above=0).check(scale):
        raise ValueError(
            f"scale is sigma of the Gaussian noise, positive and finite, but is {shown(scale)}; y without noise has a "
            "posterior here by a small one"
        )
    check_noise("the Gaussian noise", scale)
    check_tensor("y", y, "(N, C', H', W')", bools=False)
    observed = operator.observed
    check_shape_of_y(observed, y)
    check_scale("the Gaussian noise", scale, y)
    if not torch.where(observed.to(y.device), torch.isfinite(y), True).all():
        raise ValueError("y holds values that are not finite where it is observed")
    y = y.to(prior.device, prior.dtype)
    clean = prior.mixture(CLEAN).expand((y.shape[0],))
    return ExactPosterior(GaussianEvidence(operator, scale, prior.latent_shape, y)(clean), y)
