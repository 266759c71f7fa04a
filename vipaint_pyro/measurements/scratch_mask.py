"""A scratch: the thin crooked hole of an old photograph, a wire or a hair."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from vipaint_pyro.measurements.mask_drawing import checked_size, near_line, number_between
from vipaint_pyro.randomness import one_generator

__all__ = ["scratch_mask"]

#: The lengths below are pixels of an image with this shorter side.
_SIDE = 64
_WIDTH, _LENGTH = (2.0, 4.0), (30.0, 50.0)
#: How far the line's direction swings to both sides, in radians, and how often over its length.
_SWING, _PERIODS = (0.2, 0.8), (0.5, 1.5)


def scratch_mask(size: tuple[int, int], generator: torch.Generator | None = None) -> Tensor:
    r"""A thin crooked line inside of the image, at a random place, in a random direction.

    Its direction is :math:`\theta + a \sin(2 \pi f s + \phi)` at the share s of its length, with everything drawn at
    random: :math:`\theta` and :math:`\phi` of all angles, a of 0.2 to 0.8 radians, f of 0.5 to 1.5 periods. For 64x64
    pixels it is 30 to 50 long, before its round ends, and 2 to 4 wide; lengths go with the shorter side, and the width
    is one pixel at least. It keeps a sixteenth of the image's height and width from the border.

    Args:
        size: (H, W), each at least 16.
        generator: of everything; None takes the global random state.

    Returns:
        A bool tensor (1, H, W), True where observed.

    Raises:
        ValueError: for another size.
    """
    height, width = checked_size(size, least=16)
    generator = one_generator(generator)

    def drawn(bounds: tuple[float, float]) -> float:
        return number_between(*bounds, generator)

    scale = min(height, width) / _SIDE
    radius = max(drawn(_WIDTH) * scale, 1.0) / 2
    length, theta, phi = drawn(_LENGTH) * scale, drawn((0.0, 2 * math.pi)), drawn((0.0, 2 * math.pi))
    swing, periods = drawn(_SWING), drawn(_PERIODS)
    pieces = math.ceil(length)
    xs, ys = [0.0], [0.0]
    for i in range(pieces):
        heading = theta + swing * math.sin(2 * math.pi * periods * (i + 0.5) / pieces + phi)
        xs.append(xs[-1] + length / pieces * math.cos(heading))
        ys.append(ys[-1] + length / pieces * math.sin(heading))
    # A pixel's centre is at whole numbers: what is hidden of column 0 lies within radius of x = 0.
    left, top = (
        drawn((n // 16 + radius - min(v), n - 1 - n // 16 - radius - max(v))) for v, n in ((xs, width), (ys, height))
    )
    corners = [(left + x, top + y) for x, y in zip(xs, ys, strict=True)]
    return ~near_line((height, width), corners, radius)[None]
