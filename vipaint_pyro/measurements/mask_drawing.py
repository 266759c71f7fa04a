"""What mask generators are made of: sizes that are checked, random numbers, and the pixels near a line."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from vipaint_pyro.measurements.checks import LARGEST_SIDE
from vipaint_pyro.randomness import drawn_on
from vipaint_pyro.settings import whole
from vipaint_pyro.wording import shown

__all__ = ["checked_size", "near_line", "number_between", "whole_between"]


def checked_size(size: Sequence[int], least: int = 1) -> tuple[int, int]:
    """(H, W), whole numbers of at least ``least``; ValueError for anything else."""
    kind = whole(least, LARGEST_SIDE)
    if not isinstance(size, Sequence) or len(size) != 2 or not all(kind.check(n) for n in size):
        raise ValueError(f"size is (H, W) of at most {LARGEST_SIDE}, each at least {least}, but is {shown(size)}")
    return size[0], size[1]


def whole_between(low: int, high: int, generator: torch.Generator | None) -> int:
    """A whole number, uniform on low ... high, both included."""
    return int(torch.randint(low, high + 1, (), generator=generator, device=drawn_on(generator)))


def number_between(low: float, high: float, generator: torch.Generator | None) -> float:
    """A number, uniform on [low, high)."""
    u = torch.rand((), generator=generator, dtype=torch.float64, device=drawn_on(generator))
    return low + (high - low) * float(u)


def near_line(size: tuple[int, int], corners: Sequence[tuple[float, float]], radius: float) -> Tensor:
    """Which pixels (H, W) have their centre within ``radius`` of a polyline through (x, y) points."""
    y = torch.arange(size[0], dtype=torch.float64, device="cpu")[:, None]
    x = torch.arange(size[1], dtype=torch.float64, device="cpu")[None]
    near = torch.zeros(size, dtype=torch.bool, device="cpu")
    for (x0, y0), (x1, y1) in zip(corners, corners[1:]):
        dx, dy = x1 - x0, y1 - y0
        along = ((x - x0) * dx + (y - y0) * dy) / max(dx * dx + dy * dy, 1e-12)
        along = along.clamp(0, 1)
        near |= (x - x0 - along * dx) ** 2 + (y - y0 - along * dy) ** 2 <= radius**2
    return near
