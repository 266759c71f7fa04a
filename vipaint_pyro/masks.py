"""Mask generators. Every mask is a bool tensor with shape (1, H, W), True where observed."""

from __future__ import annotations

import math

import torch
from torch import Tensor

__all__ = ["rotated_window"]


def rotated_window(
    size: tuple[int, int],
    generator: torch.Generator | None = None,
    angle: float | None = None,
) -> Tensor:
    """Half of the image hidden: one side of a line through the centre at a random whole angle.

    The paper's "rotated window" (methods of VIPaint, arXiv:2411.18929, section 5): a half-plane
    turned about the centre by an angle uniform on 0 ... 359 degrees. A pixel is hidden if its
    centre lies strictly below the line, or on it and to its left.

    Args:
        size: (H, W).
        generator: of the angle; None takes the global random state.
        angle: in degrees, instead of a random one; 0 hides the lower half, 90 the left one.

    Returns:
        A bool tensor (1, H, W), True where observed.
    """
    height, width = size
    if angle is None:
        angle = torch.randint(360, (), generator=generator).item()
    angle = math.radians(angle)
    rows = torch.arange(height, dtype=torch.float64)[:, None] - (height - 1) / 2
    columns = torch.arange(width, dtype=torch.float64)[None] - (width - 1) / 2
    across = rows * math.cos(angle) - columns * math.sin(angle)
    along = rows * math.sin(angle) + columns * math.cos(angle)
    on_line = across.abs() < 1e-9
    hidden = torch.where(on_line, along < 0, across > 0)
    return ~hidden[None]
