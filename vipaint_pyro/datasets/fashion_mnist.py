"""Reading the image data sets that the built-in priors were trained on."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import torch
from torch import Tensor

from vipaint_pyro.images import from_bytes

__all__ = ["FASHION_MNIST_FOLDER", "fashion_mnist"]

#: Where Debian's package ``dataset-fashion-mnist`` puts its four files.
FASHION_MNIST_FOLDER = Path("/usr/share/datasets/fashion-mnist")


def _read_idx(path: Path) -> Tensor:
    """One gzipped IDX file of unsigned bytes, in the shape that its header states."""
    if not path.is_file():
        raise FileNotFoundError(
            f"{path} not found: install Debian's package dataset-fashion-mnist, or give the "
            "folder that holds the four *-ubyte.gz files of Fashion-MNIST"
        )
    raw = gzip.decompress(path.read_bytes())
    zeros, kind, rank = struct.unpack(">HBB", raw[:4])
    if zeros != 0 or kind != 8:
        raise ValueError(f"{path} is not an IDX file of unsigned bytes")
    shape = struct.unpack(f">{rank}I", raw[4 : 4 + 4 * rank])
    return torch.frombuffer(bytearray(raw[4 + 4 * rank :]), dtype=torch.uint8).reshape(shape)


def fashion_mnist(
    split: str, folder: str | Path = FASHION_MNIST_FOLDER
) -> tuple[Tensor, Tensor]:
    """Images and labels of Fashion-MNIST (Xiao et al., 2017, arXiv:1708.07747; MIT licence).

    Args:
        split: ``"train"`` (60,000 images) or ``"test"`` (10,000 images).
        folder: the folder that holds the four ``*-ubyte.gz`` files.

    Returns:
        Images of shape (N, 1, 28, 28), float32 in [-1, 1], and labels of shape (N,), int64.

    Raises:
        ValueError: for another split or a file of another format.
        FileNotFoundError: where a file is missing.
    """
    names = {"train": "train", "test": "t10k"}
    if split not in names:
        raise ValueError(f"split is 'train' or 'test', not {split!r}")
    images = _read_idx(Path(folder) / f"{names[split]}-images-idx3-ubyte.gz")
    labels = _read_idx(Path(folder) / f"{names[split]}-labels-idx1-ubyte.gz")
    return from_bytes(images[:, None]), labels.long()
