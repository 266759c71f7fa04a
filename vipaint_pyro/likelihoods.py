"""Likelihoods of the observed pixels, p(y | A x), as Pyro distributions."""

from __future__ import annotations

from dataclasses import dataclass

import pyro.distributions as dist
from torch import Tensor

__all__ = ["Gaussian", "Laplace"]


@dataclass(frozen=True)
class Laplace:
    """Independent Laplace noise: the paper's L1 reconstruction term is its negative logarithm.

    Args:
        scale: b > 0, in units of images in [-1, 1]. The default 1 makes the term the plain sum of
            absolute errors, the weight that the paper's coefficients amount to on a pixel model.
    """

    scale: float = 1.0

    def __call__(self, loc: Tensor) -> dist.Distribution:
        return dist.Laplace(loc, self.scale)


@dataclass(frozen=True)
class Gaussian:
    """Independent Gaussian noise.

    Args:
        scale: its standard deviation > 0, in units of images in [-1, 1].
    """

    scale: float = 0.1

    def __call__(self, loc: Tensor) -> dist.Distribution:
        return dist.Normal(loc, self.scale)
