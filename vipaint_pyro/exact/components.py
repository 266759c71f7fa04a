r"""Means and covariances of a mixture, every covariance by its eigenvalues and eigenvectors."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

__all__ = ["Components"]


class Components:
    r"""K means and their covariances :math:`\Sigma_k = U_k\,\mathrm{diag}(\lambda_k)\,U_k^T`.

    Args:
        means: (K, D).
        eigenvalues: (D,) where all components share one covariance, else (K, D); positive.
        basis: None for U = identity, or (D, D), or (K, D, D) with one per component.
    """

    def __init__(self, means: Tensor, eigenvalues: Tensor, basis: Tensor | None = None) -> None:
        self.shared = eigenvalues.ndim == 1
        self.eigenvalues, self.basis = eigenvalues, basis
        self.original = means
        if basis is None:
            self.means = means
        else:
            self.means = means @ basis if self.shared else torch.einsum("kd,kde->ke", means, basis)
        # A shared covariance needs only sums over D, by matrix products: no (*, K, D) is ever made.
        self.squares = self.means**2

    def __len__(self) -> int:
        return len(self.means)

    def rotate(self, x: Tensor) -> Tensor:
        """U^T x: (*, D) -> (*, D), or (*, K, D) where every component has a covariance of its own."""
        if self.shared:
            return x if self.basis is None else x @ self.basis
        x = x[..., None, :]
        return x.expand(*x.shape[:-2], *self.means.shape) if self.basis is None else (
            torch.einsum("...jd,kde->...ke", x, self.basis)
        )  # fmt: skip

    def unrotate(self, x: Tensor, k: Tensor | None = None) -> Tensor:
        """U x of vectors (*, D); ``k`` (*) says of which component, where they differ."""
        if self.basis is None:
            return x
        return x @ self.basis.T if self.shared else (self.basis[k] @ x[..., None])[..., 0]


def _decompose(
    means: Tensor, variances: Tensor | float | Sequence | None, covariances: Tensor | None
) -> tuple[Tensor, Tensor | None]:
    """Eigenvalues and basis, as :class:`Components` takes them."""
    k, d = means.shape
    if (variances is None) == (covariances is None):
        raise ValueError("give variances, for independent entries, or covariances, for full matrices")
    if variances is not None:
        v = torch.as_tensor(variances, dtype=means.dtype, device=means.device)
        if v.numel() == 1:
            values, basis = v.reshape(1).expand(d), None
        elif v.numel() == d and (v.ndim != 2 or v.shape != (k, d)):
            values, basis = v.reshape(d), None
        elif v.numel() == k * d:
            values, basis = v.reshape(k, d), None
        else:
            raise ValueError(f"variances are 1, {d} or {k} x {d} numbers, but have shape {tuple(v.shape)}")
        values = values[0] if values.ndim == 2 and k == 1 else values
    else:
        c = torch.as_tensor(covariances, dtype=means.dtype, device=means.device)
        if c.shape not in ((d, d), (k, d, d)):
            raise ValueError(f"covariances have shape {(d, d)} or {(k, d, d)}, but came with {tuple(c.shape)}")
        if not torch.allclose(c, c.mT):
            raise ValueError("covariances are symmetric matrices")
        c = c[0] if c.ndim == 3 and k == 1 else c
        values, basis = torch.linalg.eigh(c)
    if not (values > 0).all():
        raise ValueError("every variance (or eigenvalue of a covariance) must be positive")
    return values.contiguous(), basis
