"""What a network's own sampler does to its predictions: clipping, or dynamic thresholding."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["Dynamic", "Fixed", "clipping_of"]


@dataclass(frozen=True)
class Fixed:
    """Clipped to [-limit, limit] (``clip_sample`` and ``clip_sample_range`` of a scheduler)."""

    limit: float = 1.0

    def __call__(self, z0: Tensor) -> Tensor:
        return z0.clamp(-self.limit, self.limit)


@dataclass(frozen=True)
class Dynamic:
    r"""Dynamic thresholding: clipped to [-s, s] and divided by s, s a quantile of the image's own :math:`|\hat z_0|`.

    Saharia et al., "Photorealistic Text-to-Image Diffusion Models with Deep Language Understanding",
    arXiv:2205.11487, section 2.3 (``thresholding`` of a scheduler).

    Args:
        ratio: which quantile, ``dynamic_thresholding_ratio``.
        largest: s lies in [1, largest], ``sample_max_value``.
    """

    ratio: float = 0.995
    largest: float = 1.0

    def __call__(self, z0: Tensor) -> Tensor:
        s = torch.quantile(z0.abs().flatten(1), self.ratio, dim=1).clamp(1, max(self.largest, 1.0))
        s = s[:, None, None, None]
        return torch.minimum(torch.maximum(z0, -s), s) / s


def clipping_of(config: Mapping, unclipped: bool = False) -> Callable[[Tensor], Tensor] | None:
    """What a scheduler's config asks for; thresholding takes the place of clipping, as in diffusers' own steps.

    Args:
        config: of the scheduler.
        unclipped: whether the network's own pipeline turns clipping (but not thresholding) off.
    """
    if config.get("thresholding", False):
        ratio, largest = config.get("dynamic_thresholding_ratio", 0.995), config.get("sample_max_value", 1.0)
        return Dynamic(float(ratio), float(largest))
    if config.get("clip_sample", False) and not unclipped:
        return Fixed(float(config.get("clip_sample_range", 1.0)))
    return None
