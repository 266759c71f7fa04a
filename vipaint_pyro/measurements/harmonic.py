r"""The smoothest picture that goes on with what is seen: the harmonic continuation into the holes.

A hidden pixel is the mean of its neighbours, :math:`\Delta x = 0` in the hole and x = y around it: the simplest fill of
Bertalmio et al., "Image Inpainting", SIGGRAPH 2000, without its transport, and what Poisson editing does without
a guidance field (Perez et al., "Poisson Image Editing", SIGGRAPH 2003, equation 2).
"""

from __future__ import annotations

import torch
from torch import Tensor

from vipaint_pyro.measurements.least_squares import least_squares
from vipaint_pyro.measurements.operator import LinearOperator

__all__ = ["continued"]


class _Slopes(LinearOperator):
    """Differences between neighbours of pictures that are 0 where not hidden: to the right, then downwards."""

    def __init__(self, hidden: Tensor) -> None:
        self.hidden = hidden
        self.observed = torch.ones_like(hidden[:, :1, :1, :1])

    def __call__(self, x: Tensor) -> Tensor:
        return _slopes(torch.where(self.hidden, x, 0))

    def adjoint(self, y: Tensor) -> Tensor:
        right, down = y.chunk(2, -3)
        x = -right - down
        x[..., 1:] += right[..., :-1]
        x[..., 1:, :] += down[..., :-1, :]
        return torch.where(self.hidden, x, 0)


def _slopes(x: Tensor) -> Tensor:
    """(*, N, 2 C, H, W); 0 from the last column and the last row on, where a picture ends."""
    right = torch.diff(x, dim=-1, append=x[..., -1:])
    down = torch.diff(x, dim=-2, append=x[..., -1:, :])
    return torch.cat([right, down], -3)


def continued(y: Tensor, observed: Tensor) -> Tensor:
    r"""y where observed, and in the holes the x of the least :math:`\sum (x_i - x_j)^2` over neighbours.

    Its only loose end is a picture's border, over which nothing is known: slopes across it are 0.

    Args:
        y: pictures (*, N, C, H, W).
        observed: bool (N, C, H, W), True where a pixel is known; C may be 1.

    Returns:
        As y, in its precision; 0, mid-grey, in a channel of which nothing is seen.
    """
    known = torch.where(observed, y, 0)
    # Conjugate gradients cross a hole one pixel a step; what is smooth takes a few crossings.
    num_steps = max(200, 2 * sum(y.shape[-2:]))
    return known + least_squares(_Slopes(~observed), -_slopes(known), num_steps)
