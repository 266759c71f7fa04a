r"""Structural similarity (SSIM) of images.

Wang, Bovik, Sheikh and Simoncelli 2004, "Image quality assessment: from error visibility to structural similarity",
IEEE Transactions on Image Processing 13(4), eq. 13, averaged over the windows that lie within the image (eq. 17).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import conv2d

from vipaint_pyro.images import from_model

__all__ = ["SSIM_WINDOW", "ssim"]

#: Width and height of the window, in pixels; images below have no SSIM.
SSIM_WINDOW = 11

_SIGMA, _K1, _K2 = 1.5, 0.01, 0.03


def ssim(x: Tensor, truth: Tensor) -> Tensor:
    r"""SSIM of images to their truth: at most 1, which is reached by the truth alone; may be negative.

    Window of 11 x 11 pixels, Gaussian with a standard deviation of 1.5; :math:`K_1 = 0.01`, :math:`K_2 = 0.03`; of
    intensities in [0, 1], with L = 1: SSIM compares mean intensities as well, so that it is another number where
    mid-grey is 0. In colour it is the mean over the channels. The numbers are those of scikit-image's
    ``structural_similarity(gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=1)``.

    Args:
        x: (*, C, H, W) in [-1, 1]; what lies beyond is cut off.
        truth: the same shape, or one that broadcasts to it.

    Returns:
        float64, with shape (*).

    Raises:
        ValueError: for images with less than 11 pixels on a side: no window lies within them.
    """
    if min(x.shape[-2:]) < SSIM_WINDOW:
        height, width = x.shape[-2:]
        raise ValueError(
            f"SSIM looks at windows of {SSIM_WINDOW} x {SSIM_WINDOW} pixels, but the images are {width} x {height}"
        )
    truth = truth.expand(x.shape)
    a, b = (from_model(v.double()).reshape(-1, 1, *x.shape[-2:]) for v in (x, truth))
    mean_a, mean_b = _windowed(a), _windowed(b)
    var_a = _windowed(a * a) - mean_a**2
    var_b = _windowed(b * b) - mean_b**2
    covariance = _windowed(a * b) - mean_a * mean_b
    c1, c2 = _K1**2, _K2**2
    similar = (2 * mean_a * mean_b + c1) * (2 * covariance + c2)
    similar = similar / ((mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2))
    return similar.mean((1, 2, 3)).reshape(x.shape[:-2]).mean(-1)


def _windowed(x: Tensor) -> Tensor:
    """Weighted means over every window of x (B, 1, H, W), (B, 1, H - 10, W - 10)."""
    offset = torch.arange(SSIM_WINDOW, dtype=x.dtype, device=x.device) - SSIM_WINDOW // 2
    weights = torch.exp(-(offset**2) / (2 * _SIGMA**2))
    weights = weights / weights.sum()
    return conv2d(conv2d(x, weights.reshape(1, 1, -1, 1)), weights.reshape(1, 1, 1, -1))
