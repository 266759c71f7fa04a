"""Tensors that a study has kept, read back."""

from __future__ import annotations

from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

__all__ = ["kept_tensor"]


def kept_tensor(path: Path, name: str, cure: str) -> Tensor:
    """A tensor of a safetensors file.

    Raises:
        ValueError: where the file is damaged, by its name and with what mends it.
    """
    try:
        return load_file(path)[name]
    except (SafetensorError, KeyError) as error:
        raise ValueError(f"{path} is damaged ({error}){cure}") from error
