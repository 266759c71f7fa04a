"""How far samples are from the exact posterior, where that can be drawn from."""

from __future__ import annotations

import torch
from torch import Tensor

from vipaint_pyro.measurements.measurement import Measurement

__all__ = ["energy_distance", "exact_draws"]


def exact_draws(
    source: str, image: int, measurement: Measurement, num: int, generator: torch.Generator
) -> Tensor | None:
    """Draws (num, 1, C, H, W) of the exact posterior of an image, or None where it is not known."""
    return None


def energy_distance(x: Tensor, y: Tensor) -> float:
    r"""The energy distance :math:`2 E|X - Y| - E|X - X'| - E|Y - Y'|` of draws (S, ...) and (T, ...)."""
    x, y = (v.flatten(1).double() for v in (x, y))

    def within(v: Tensor) -> Tensor:
        return torch.cdist(v, v).sum() / max(len(v) * (len(v) - 1), 1)

    return float(2 * torch.cdist(x, y).mean() - within(x) - within(y))
