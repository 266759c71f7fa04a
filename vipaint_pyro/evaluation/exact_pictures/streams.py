"""Random streams of a problem's own."""

from __future__ import annotations

import hashlib

import torch

__all__ = ["stream"]


def stream(cell: str, number: int, what: str) -> torch.Generator:
    """A generator by the names of a cell and of what is drawn, and the number of a problem."""
    digest = hashlib.sha256(f"vipaint exact pictures {cell} {number} {what}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:4], "big"))
