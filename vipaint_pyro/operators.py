"""Measurement operators: y = A x + noise, where observed."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

__all__ = ["Inpainting", "Operator"]


class Operator(Protocol):
    """The contract of a linear measurement.

    ``observed`` is a bool tensor (N, C', H', W') that says which entries of y are known: the others
    are marginalised. ``operator(x)`` is A x for images (*, N, C, H, W) and ``adjoint(y)`` is A^T y.
    """

    observed: Tensor

    def __call__(self, x: Tensor) -> Tensor: ...

    def adjoint(self, y: Tensor) -> Tensor: ...


class Inpainting:
    """Pixels seen through a mask: A x = observed * x.

    Args:
        observed: bool, with shape (N, C, H, W), True where the pixel is known; C may be 1.

    Raises:
        TypeError: where observed is not a bool tensor.
        ValueError: where it has another rank.
    """

    def __init__(self, observed: Tensor) -> None:
        if observed.dtype != torch.bool:
            raise TypeError(
                f"observed is a bool tensor, True where a pixel is known, but has dtype {observed.dtype}; "
                "write e.g. mask < 0.5"
            )
        if observed.ndim != 4:
            raise ValueError(f"observed has shape (N, C, H, W), but came with {tuple(observed.shape)}")
        self.observed = observed

    def __call__(self, x: Tensor) -> Tensor:
        return x * self.observed

    def adjoint(self, y: Tensor) -> Tensor:
        return y * self.observed
