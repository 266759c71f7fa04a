"""Means over images with their standard errors, and paired differences: the one place where they are taken."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Mean", "mean_of", "paired"]


@dataclass(frozen=True)
class Mean:
    """Over images.

    Attributes:
        mean: NaN for no images, and where these have none.
        error: its standard error; NaN for fewer than two images.
        images: how many.
    """

    mean: float
    error: float
    images: int


def mean_of(values: Sequence[float]) -> Mean:
    """Mean and standard error; of any order of the values the same."""
    n = len(values)
    if not n or any(map(math.isinf, values)):
        return Mean(sum(values) / n if n else math.nan, math.nan, n)
    mean = math.fsum(values) / n
    squares = math.fsum((v - mean) ** 2 for v in values)
    return Mean(mean, math.sqrt(squares / (n - 1) / n) if n > 1 else math.nan, n)


def paired(a: Sequence[float], b: Sequence[float]) -> Mean:
    """Mean of a - b image by image, and its standard error: two methods on the same images.

    Raises:
        ValueError: for different numbers of images.
    """
    return mean_of([x - y for x, y in zip(a, b, strict=True)])
