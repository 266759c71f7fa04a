"""Two models of patches without a network, to be compared with: a Gaussian, and a mixture of Gaussians.

Not a script of its own. Both live in an orthonormal basis: the cosine transform of type II over the patch, and over the
colours the principal axes of a pixel. White noise stays white there.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor


def cosines(n: int) -> Tensor:
    """The orthonormal cosine transform of type II: (frequency, place), double precision."""
    k, i = torch.arange(n).double()[:, None], torch.arange(n).double()
    return torch.cos(math.pi * (i + 0.5) * k / n) * torch.where(k == 0, 1 / n, 2 / n).sqrt()


class CosineBasis:
    """To coefficients and back; fitted to patches (N, 3, S, S), whose colour axes it takes."""

    def __init__(self, patches: Tensor) -> None:
        pixels = patches.double().transpose(0, 1).flatten(1)
        self.colours = torch.linalg.eigh(torch.cov(pixels))[1].T
        self.rows, self.columns = (cosines(n) for n in patches.shape[-2:])

    def to(self, x: Tensor) -> Tensor:
        """(N, 3, S, S) -> coefficients of the same shape, in double precision."""
        x = torch.einsum("kc,ncij->nkij", self.colours, x.double())
        return self.rows @ x @ self.columns.T

    def back(self, c: Tensor) -> Tensor:
        x = self.rows.T @ c @ self.columns
        return torch.einsum("kc,nkij->ncij", self.colours, x).float()


class CosineGaussian:
    """The Gaussian with the patches' own mean and full covariance.

    Patches are as often mirrored as not: even and odd horizontal frequencies are uncorrelated, so that the covariance
    is two blocks of half the size.
    """

    def __init__(self, patches: Tensor) -> None:
        self.basis = CosineBasis(patches)
        self.means, self.covariances = [], []
        for parity in (0, 1):
            rows = torch.cat([self.basis.to(part)[..., parity::2].flatten(1) for part in patches.split(1000)])
            # The mirrored patch has the opposite odd coefficients: their mean is zero.
            mean = rows.mean(0) if parity == 0 else torch.zeros_like(rows[0])
            rows = rows.sub_(mean)
            self.means.append(mean)
            self.covariances.append(rows.T @ rows / len(rows))

    def denoise(self, z: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor:
        """E[x given z] for z = alpha x + sigma noise, (N, 3, S, S)."""
        alpha, sigma = float(alpha), float(sigma)
        c = self.basis.to(z)
        for parity, (mean, cov) in enumerate(zip(self.means, self.covariances)):
            part = c[..., parity::2]
            noised = alpha**2 * cov + sigma**2 * torch.eye(len(cov), dtype=cov.dtype)
            rest = (part.flatten(1) - alpha * mean).T
            solved = torch.cholesky_solve(rest, torch.linalg.cholesky(noised))
            c[..., parity::2] = (mean + alpha * (cov @ solved).T).unflatten(1, part.shape[1:])
        return self.basis.back(c)


class CosineMixture:
    """A mixture of Gaussians with independent coefficients, fitted by expectation maximisation.

    Args:
        patches: (N, 3, S, S).
        components: how many.
        generator: of the first responsibilities.
        rounds: of expectation maximisation.
        floor: the least variance of a coefficient, in image units squared.
    """

    def __init__(
        self, patches: Tensor, components: int, generator: torch.Generator, rounds: int = 30, floor: float = 1e-5
    ) -> None:
        self.basis = CosineBasis(patches)
        parts = [self.basis.to(part).flatten(1).float() for part in patches.split(1000)]
        # Begun by how much structure a patch has, since that is how patches differ most.
        busy = (patches - patches.mean((2, 3), keepdim=True)).pow(2).mean((1, 2, 3))
        busy = busy * (1 + 0.1 * torch.rand(len(busy), generator=generator))
        own = busy.argsort().argsort() * components // len(busy)
        shares = torch.nn.functional.one_hot(own, components).double().split(1000)
        self.bounds = []
        for _ in range(rounds):
            self._maximise(parts, shares, floor)
            joints = [self._joint(rows.double(), self.means, self.variances) for rows in parts]
            self.bounds.append(torch.cat(joints).logsumexp(1).mean().item())
            shares = [joint.softmax(1) for joint in joints]

    def _maximise(self, parts, shares, floor: float) -> None:
        weight = sum(r.sum(0) for r in shares).clamp(min=1e-6)
        first = sum(r.T @ rows.double() for r, rows in zip(shares, parts)) / weight[:, None]
        second = sum(r.T @ rows.double() ** 2 for r, rows in zip(shares, parts)) / weight[:, None]
        self.weights, self.means = weight / weight.sum(), first
        self.variances = (second - first**2).clamp(min=0) + floor

    def _joint(self, rows: Tensor, means: Tensor, variances: Tensor) -> Tensor:
        """log of weight times density (N, K), up to a constant."""
        precisions = 1 / variances
        squares = rows**2 @ precisions.T - 2 * rows @ (means * precisions).T + (means**2 * precisions).sum(1)
        return self.weights.log() - 0.5 * (squares - precisions.log().sum(1))

    def denoise(self, z: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor:
        """E[x given z] for z = alpha x + sigma noise, (N, 3, S, S)."""
        alpha, sigma = float(alpha), float(sigma)
        c = self.basis.to(z)
        rows = c.flatten(1)
        noised = alpha**2 * self.variances + sigma**2
        r = self._joint(rows, alpha * self.means, noised).softmax(1)
        gain = alpha * self.variances / noised
        # sum_k r_k (mean_k + gain_k (z - alpha mean_k))
        x = r @ (self.means - alpha * gain * self.means) + (r @ gain) * rows
        return self.basis.back(x.view_as(c))
