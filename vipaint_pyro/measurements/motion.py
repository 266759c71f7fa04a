r"""The kernel of a straight motion."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from vipaint_pyro.measurements.checks import LARGEST_KERNEL
from vipaint_pyro.settings import number
from vipaint_pyro.wording import shown

__all__ = ["segment"]


def segment(length: float, angle: float, kernel_size: int | None = None) -> Tensor:
    r"""The kernel of a uniform motion along a line segment, centred, its ends blended into their neighbours.

    .. math:: k_{ij} = \frac1L \int_{-L/2}^{L/2} \Lambda(i + s \sin\theta)\, \Lambda(j - s \cos\theta)\, ds,
              \quad \Lambda(u) = \max(0, 1 - |u|)

    for row i (downwards) and column j: the mean over the path of the image, interpolated bilinearly. It adds up
    to 1, and is computed exactly: between the crossings of rows and columns the integrand is a quadratic.

    Args:
        length: L > 0, in pixels.
        angle: theta in degrees, counter-clockwise from the rows' direction; theta and theta + 180 are one.
        kernel_size: odd; by default the smallest that holds the segment at any angle, 2 ceil(L / 2) + 1.

    Returns:
        float64 with shape (kernel_size, kernel_size).

    Raises:
        ValueError: for a length that is not positive, an angle that is not finite, or a kernel that is too small.
    """
    if not number(above=0).check(length):
        raise ValueError(f"length is a positive number of pixels, but is {shown(length)}")
    if length >= LARGEST_KERNEL:
        raise ValueError(f"length is a number of pixels below {LARGEST_KERNEL}, but is {length:g}")
    if not number().check(angle):
        raise ValueError(f"angle is a finite number of degrees, but is {shown(angle)}")
    least = 2 * math.ceil(length / 2) + 1
    size = least if kernel_size is None else kernel_size
    if size < least:
        raise ValueError(f"a motion over {length:g} pixels needs a kernel_size of at least {least}, but has {size}")
    half = length / 2
    radians = math.radians(angle)
    direction = torch.tensor([-math.sin(radians), math.cos(radians)], dtype=torch.float64, device="cpu")
    lines = torch.arange(-(size // 2), size // 2 + 1, dtype=torch.float64, device="cpu")
    steep = direction[direction.abs() > 1e-12]
    crossings = (lines[:, None] / steep).flatten()
    ends = torch.tensor([-half, half], dtype=torch.float64, device="cpu")
    s = torch.cat([crossings[crossings.abs() < half], ends]).sort().values
    # Gauss-Legendre's two points on each piece, exact up to cubics.
    middle, reach = (s[1:] + s[:-1]) / 2, (s[1:] - s[:-1]) / 2
    points = torch.cat([middle - reach / 3**0.5, middle + reach / 3**0.5])
    weights = torch.cat([reach, reach]) / length
    rows, columns = ((1 - (lines[:, None] - d * points).abs()).clamp_min(0) for d in direction)
    return (rows * weights) @ columns.mT
