"""Image metrics, each per sample: LPIPS, PSNR, error where observed, diversity where hidden."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["diversity", "observed_error", "psnr"]


def psnr(x: Tensor, truth: Tensor) -> Tensor:
    """Peak signal-to-noise ratio in dB of images (*, C, H, W) in [-1, 1] (peak 2), shape (*)."""
    return 10 * torch.log10(4 / (x - truth).pow(2).mean((-3, -2, -1)))


def observed_error(x: Tensor, truth: Tensor, observed: Tensor) -> Tensor:
    """Mean absolute error over the observed pixels, in units of [-1, 1]; shape (*)."""
    mask = observed.expand(truth.shape)
    total = torch.where(mask, (x - truth).abs(), 0).sum((-3, -2, -1))
    return total / mask.sum((-3, -2, -1))


def diversity(x: Tensor, observed: Tensor) -> Tensor:
    """Standard deviation over samples of the hidden pixels, root mean square; x is (S, N, C, H, W).

    Returns a tensor of shape (N,), in units of [-1, 1].
    """
    variance = x.var(0, unbiased=True)
    hidden = (~observed).expand(variance.shape)
    return (torch.where(hidden, variance, 0).sum((-3, -2, -1)) / hidden.sum((-3, -2, -1))).sqrt()
