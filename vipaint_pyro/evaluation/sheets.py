"""Sheets of pictures: truth, what was measured of it, and samples."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import PIL.Image
from torch import Tensor

from vipaint_pyro.images import from_model, to_output
from vipaint_pyro.plots import grid

__all__ = ["sheet"]

_MOST = 5  # samples of an image


def sheet(
    truth: Tensor, given: Mapping[str, Callable[[int], PIL.Image.Image]], drawn: Tensor, rows: int = 8
) -> PIL.Image.Image:
    """Truth, what was given, and up to five samples of the first images.

    Args:
        truth: (N, C, H, W) in [-1, 1].
        given: heading -> picture of an image by its number.
        drawn: samples (S, n, C, H, W) of the first n images, in [-1, 1].
        rows: how many images at most.
    """
    lines = []
    for i in range(min(rows, drawn.shape[1])):
        shown = [picture(i) for picture in given.values()]
        lines.append([*_pictures(truth[i : i + 1]), *shown, *_pictures(drawn[:_MOST, i])])
    labels = ["truth", *given, *[f"sample {k}" for k in range(min(_MOST, len(drawn)))]]
    return grid(lines, labels, side=84 if truth.shape[-1] < 64 else 128)


def _pictures(x: Tensor) -> list[PIL.Image.Image]:
    """Images (N, C, H, W) in [-1, 1]."""
    return to_output(from_model(x), "pil")
