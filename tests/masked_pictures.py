"""Pictures with masks of their own, and what LPIPS says of them by hand."""

import torch

from vipaint_pyro.measurements.inpainting import Inpainting

__all__ = ["by_hand", "problem"]


def problem(n=3, channels=1, size=8, samples=2):
    """(operator, y, x) with masks of their own."""
    observed = torch.rand(n, 1, size, size) < 0.6
    y = (2 * torch.rand(n, channels, size, size).double() - 1) * observed
    x = 2 * torch.rand(samples, n, channels, size, size).double() - 1
    return Inpainting(observed), y, x


def by_hand(lpips, operator, y, x):
    m = operator.observed
    return lpips(m * operator(x), m * y).double()
