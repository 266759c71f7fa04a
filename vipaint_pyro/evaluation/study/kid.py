r"""Kernel distance between the features of two sets of images (KID), and its standard error over images.

Binkowski, Sutherland, Arbel and Gretton 2018, "Demystifying MMD GANs", arXiv:1801.01401, section 4: the unbiased
estimator of the squared maximum mean discrepancy with the kernel :math:`k(x, y) = (x \cdot y / d + 1)^3`.

The samples of one image are not independent of each other, nor of the truth of that image, whose seen pixels they
hold. So the images are what is counted: with :math:`z_i` = (samples of image i, a real image i) and

.. math:: h(z_i, z_j) = \bar k(x_i, x_j) + k(y_i, y_j) - \bar k(x_i, y_j) - \bar k(x_j, y_i),

means over samples under the bars, KID is the mean of h over i != j: eq. 4 of Gretton et al. 2012, "A kernel two-sample
test", JMLR 13, which is unbiased whatever x_i and y_i have to do with each other.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from vipaint_pyro.calibration.checks import check

__all__ = ["all_repeated", "check_features", "kid"]

# Numbers of a block of kernel values held at a time.
_CHUNK = 2**24


@torch.no_grad()
def kid(a: Tensor, b: Tensor, paired: bool = True) -> tuple[float, float]:
    r"""KID of samples to real images, and its standard error over images.

    Args:
        a: features of the samples, (N, S, F), S of each of N images; or (N, F).
        b: features of M real images that are all distinct, (M, F). Real images repeated as often as there are samples
            would count pairs of equal images, and add to the distance.
        paired: whether b's are the true images of a's in the same order, M = N; right for any sets of the same
            number. If not, they are other real images, independent of a's, of any number M.

    Returns:
        The distance (in expectation 0 for two sets of the same distribution, so that it may be negative), and its
        standard error, NaN for fewer than 4 images.

        Of paired sets it is the root of the U-statistic's variance (Hoeffding 1948)
        :math:`(4 (N - 2) \zeta_1 + 2 \zeta_2) / (N (N - 1))`, with unbiased estimates of both :math:`\zeta`, the first
        at least 0; of others the jackknife's over the images of a and the images of b, which is up to
        :math:`\sqrt 2` too wide where the two distributions are one.

    Raises:
        ValueError: for shapes that do not fit, features that are not finite, fewer than two images, paired sets of
            different numbers, or real images that are repeated.
    """
    a, b = check_features(a, b)
    if paired and len(a) != len(b):
        raise ValueError(
            f"a is of {len(a)} images, b of {len(b)}: pairs need their own true images, other ones paired=False"
        )
    xx, yy, xy = _kernels(a, a), _kernels(b, b), _kernels(a, b)
    return _paired(xx + yy - xy - xy.T) if paired else _unpaired(xx, yy, xy)


def _paired(h: Tensor) -> tuple[float, float]:
    """Mean and standard error of the U-statistic with the values h (N, N)."""
    n = len(h)
    h = h - torch.diag(h.diagonal())
    rows, squares, total = h.sum(1), float(h.square().sum()), float(h.sum())
    mean = total / (n * (n - 1))
    if n < 4:
        return mean, math.nan
    # Means over all distinct i, j, k, l of h_ij^2, h_ij h_ik and h_ij h_kl.
    alike = squares / (n * (n - 1))
    shared = (float(rows.square().sum()) - squares) / (n * (n - 1) * (n - 2))
    apart = total**2 - 4 * float(rows.square().sum()) + 2 * squares
    apart = apart / (n * (n - 1) * (n - 2) * (n - 3))
    variance = (4 * (n - 2) * max(shared - apart, 0.0) + 2 * max(alike - apart, 0.0)) / (n * (n - 1))
    return mean, math.sqrt(variance)


def _unpaired(xx: Tensor, yy: Tensor, xy: Tensor) -> tuple[float, float]:
    """Mean and jackknife error of the two-sample statistic with the kernel values of N and M images."""
    (n, m), cross = xy.shape, xy.sum()
    within = [_without_diagonal(k) for k in (xx, yy)]
    sums = [rows.sum() for rows in within]
    mean = float(sums[0] / (n * (n - 1)) + sums[1] / (m * (m - 1)) - 2 * cross / (n * m))
    if min(n, m) < 4:
        return mean, math.nan
    # Without each image of one set, up to what the other set alone adds.
    variance = 0.0
    for rows, total, seen, k, other in ((within[0], sums[0], xy.sum(1), n, m), (within[1], sums[1], xy.sum(0), m, n)):
        left = (total - 2 * rows) / ((k - 1) * (k - 2)) - 2 * (cross - seen) / ((k - 1) * other)
        variance += float((left - left.mean()).square().sum()) * (k - 1) / k
    return mean, math.sqrt(variance)


def _without_diagonal(k: Tensor) -> Tensor:
    """Sums of the rows, the diagonal left out."""
    return k.sum(1) - k.diagonal()


def _kernels(a: Tensor, b: Tensor) -> Tensor:
    """Kernel values between images, (N, M): means over the samples of a (N, S, F) and b (M, T, F)."""
    return torch.cat(list(_blocks(a, b)))


def _blocks(a: Tensor, b: Tensor) -> Iterator[Tensor]:
    flat = b.flatten(0, 1)
    for part in a.split(max(1, _CHUNK // (a.shape[1] * len(flat)))):
        values = (part.flatten(0, 1) @ flat.T / a.shape[2] + 1) ** 3
        yield values.reshape(len(part), a.shape[1], len(b), b.shape[1]).mean((1, 3))


def check_features(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Features of samples as (N, S, F) and of real images as (M, 1, F), float64.

    Raises:
        ValueError: where they are not features of at least two images each, finite and of the same F; or where every
            real image occurs more than once.
    """
    if isinstance(a, Tensor) and a.ndim == 2:
        a = a[:, None]
    check("a", a, "(N, S, F)")
    check("b", b, "(M, F)")
    if a.shape[2] != b.shape[1]:
        raise ValueError(f"a (N, S, F) and b (M, F) differ in F: {tuple(a.shape)} and {tuple(b.shape)}")
    if min(len(a), len(b)) < 2:
        raise ValueError(f"distances of sets take two images of each or more, but there are {len(a)} and {len(b)}")
    if all_repeated(b):
        raise ValueError(
            f"each real image is given once, but b holds {len(b)} of which {len(torch.unique(b, dim=0))} are distinct: "
            "repeated images are no draw of the real ones"
        )
    return a.double(), b.double()[:, None]


def all_repeated(b: Tensor) -> bool:
    """Whether every real image, by its features (M, F), occurs more than once."""
    return bool(torch.unique(b, dim=0, return_counts=True)[1].min() > 1)
