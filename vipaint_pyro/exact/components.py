r"""Means and covariances of a mixture, every covariance by its eigenvalues and eigenvectors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from vipaint_pyro.tensors import check_tensor
from vipaint_pyro.wording import shown

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


def numbers(name: str, given: object, like: Tensor) -> Tensor:
    """Numbers, nested lists of them or a tensor, where ``like`` is and in its precision; a TypeError for others."""
    try:
        array = given if isinstance(given, Tensor) else np.asarray(given)
    except ValueError:
        array = None
    if array is None or (not isinstance(array, Tensor) and array.dtype.kind not in "fiu"):
        raise TypeError(f"{name} are numbers, or a tensor of them, not {shown(given)}")
    array = array if isinstance(array, Tensor) else torch.as_tensor(array, device=like.device)
    check_tensor(name, array, "as the docstring says", bools=False)
    return array.to(like.device, like.dtype)


def positive_weights(given: object, means: Tensor) -> Tensor:
    """Weights (K,) or (N, K) of K means; a ValueError that names the first that is not positive."""
    weights, k = numbers("weights", given, means), len(means)
    if weights.ndim not in (1, 2) or weights.shape[-1] != k or not weights.numel():
        raise ValueError(f"weights have shape ({k},) or (N, {k}), but came with {tuple(weights.shape)}")
    wrong = ~(torch.isfinite(weights) & (weights > 0))
    if wrong.any():
        at = wrong.nonzero()[0].tolist()
        raise ValueError(
            f"weights are positive and finite, but weights{at} is {float(weights[tuple(at)]):g}: leave a component "
            "without weight out"
        )
    return weights


def _decompose(
    means: Tensor, variances: Tensor | float | Sequence | None, covariances: Tensor | None
) -> tuple[Tensor, Tensor | None]:
    """Eigenvalues and basis, as :class:`Components` takes them."""
    k, d = means.shape
    if (variances is None) == (covariances is None):
        raise ValueError("give variances, for independent entries, or covariances, for full matrices")
    if variances is not None:
        v = numbers("variances", variances, means)
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
        c = numbers("covariances", covariances, means)
        if c.shape not in ((d, d), (k, d, d)):
            raise ValueError(f"covariances have shape {(d, d)} or {(k, d, d)}, but came with {tuple(c.shape)}")
        if not c.isfinite().all() or not torch.allclose(c, c.mT):
            raise ValueError("covariances are symmetric matrices")
        c = c[0] if c.ndim == 3 and k == 1 else c
        values, basis = torch.linalg.eigh(c)
    if not (values > 0).all() or not values.isfinite().all():
        raise ValueError("every variance (or eigenvalue of a covariance) must be positive and finite")
    return values.contiguous(), basis
