"""Frechet distance between the features of two sets of images (FID).

Heusel et al. 2017, "GANs trained by a two time-scale update rule converge to a local Nash equilibrium",
arXiv:1706.08500, eq. 6: both sets of features are taken as Gaussians.
"""

from __future__ import annotations

import torch
from torch import Tensor

from vipaint_pyro.evaluation.study.kid import check_features

__all__ = ["enough_for_fid", "fid", "frechet"]


def enough_for_fid(images: int, dimension: int) -> bool:
    """Whether so many images have a covariance of so many features: more images than features."""
    return images > dimension


@torch.no_grad()
def fid(a: Tensor, b: Tensor) -> float:
    """Frechet distance of samples to real images: at least 0, and biased upwards, by less the more images there are.

    Compare it between sets of the same numbers only. It has no standard error here: :func:`kid` is the unbiased one.

    Args:
        a: features of the samples, (N, S, F), S of each of N images, pooled; or (N, F).
        b: features of M distinct real images, (M, F).

    Raises:
        ValueError: as :func:`~vipaint_pyro.evaluation.study.kid.kid`; and where N or M is not above F: the covariance
            of so few images is singular, and what comes out is the number of images. Samples of one image do
            not count as images.
    """
    a, b = check_features(a, b)
    for name, images in (("samples", len(a)), ("real images", len(b))):
        if not enough_for_fid(images, a.shape[2]):
            raise ValueError(
                f"FID on {a.shape[2]} features takes more than {a.shape[2]} images, but there are {name} of {images}: "
                "take KID, which is unbiased for any number, or features of fewer dimensions"
            )
    x, y = a.flatten(0, 1), b[:, 0]
    return frechet(x.mean(0), torch.cov(x.T).reshape(x.shape[1], -1), y.mean(0), torch.cov(y.T).reshape(x.shape[1], -1))


def frechet(mean_a: Tensor, covariance_a: Tensor, mean_b: Tensor, covariance_b: Tensor) -> float:
    """Squared 2-Wasserstein distance of two Gaussians: |m - m'|^2 + tr(C + C' - 2 (C C')^(1/2)).

    Args:
        mean_a: (F,).
        covariance_a: (F, F), symmetric and positive semidefinite.
        mean_b: (F,).
        covariance_b: (F, F).
    """
    values, vectors = torch.linalg.eigh(covariance_a)
    root = vectors * values.clamp_min(0).sqrt() @ vectors.T
    cross = torch.linalg.eigvalsh(root @ covariance_b @ root).clamp_min(0).sqrt().sum()
    trace = covariance_a.trace() + covariance_b.trace() - 2 * cross
    return max(0.0, ((mean_a - mean_b).square().sum() + trace).item())
