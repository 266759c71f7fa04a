"""Patches of photographs under free licences, 64x64 in colour, which no built-in prior was trained on.

They come with the package; the README beside them names every photograph, with its author and licence.
"""

from __future__ import annotations

import csv
import io
from importlib.resources import files

import numpy as np
import PIL.Image
import torch
from torch import Tensor

from vipaint_pyro.images import from_bytes

__all__ = ["COLUMNS", "SPLITS", "photos"]

#: Of the table of patches; "class" is one of :data:`~vipaint_pyro.datasets.shares.SHARES`.
COLUMNS = (
    "name", "class", "author", "licence", "scale", "left", "top", "mirrored", "package", "path", "source",
)  # fmt: skip
#: 40 patches of as many photographs, and two each of 18 others to choose settings on.
SPLITS = ("test", "validation")
_SIDE = 64


def photos(split: str) -> tuple[Tensor, list[dict[str, str]]]:
    """Patches of photographs, and what is known of each.

    Args:
        split: "test" (40 patches) or "validation" (36).

    Returns:
        Images of shape (N, 3, 64, 64), float32 in [-1, 1], and N rows of a table, by :data:`COLUMNS`.

    Raises:
        ValueError: for another split.
    """
    if split not in SPLITS:
        raise ValueError(f"split is 'test' or 'validation', not {split!r}")
    folder = files("vipaint_pyro") / "assets" / "photos"
    rows = [*csv.DictReader(io.StringIO((folder / f"{split}.csv").read_text(encoding="utf-8")))]
    with (folder / f"{split}.png").open("rb") as file, PIL.Image.open(file) as sheet:
        pixels = torch.from_numpy(np.array(sheet))
    tiles = pixels.unfold(0, _SIDE, _SIDE).unfold(1, _SIDE, _SIDE)  # (rows, columns, C, H, W)
    return from_bytes(tiles.flatten(0, 1)[: len(rows)]), rows
