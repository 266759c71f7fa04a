"""What a user sees of samples: clipped, with the seen pixels put back."""

from __future__ import annotations

import torch
from torch import Tensor

from vipaint_pyro.measurements.inpainting import Inpainting
from vipaint_pyro.measurements.measurement import Measurement

__all__ = ["composites", "widened"]


def composites(images: Tensor, measurement: Measurement) -> Tensor:
    """Samples (S, N, C, H, W) clipped to [-1, 1], with the seen pixels put back as they were seen.

    A restoration has no pixel that is known: its samples are only clipped. Where y is noisy, so is what is put back.
    At least in float32.
    """
    x = widened(images)
    if isinstance(measurement.operator, Inpainting):
        seen = measurement.to(x.device, x.dtype)
        x = torch.where(seen.operator.observed, seen.y, x)
    return x.clamp(-1, 1)


def widened(x: Tensor) -> Tensor:
    """In float32 at least: half precision rounds away what is measured here."""
    return x.detach().to(torch.promote_types(x.dtype, torch.float32))
