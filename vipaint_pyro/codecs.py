"""Codecs: between latents z_0 and images x in [-1, 1]."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor

__all__ = ["Codec", "IdentityCodec"]


class Codec(Protocol):
    """The contract: ``encode`` maps images (B, C, H, W) in [-1, 1] to latents, ``decode`` back."""

    def encode(self, x: Tensor) -> Tensor: ...

    def decode(self, z: Tensor) -> Tensor: ...


class IdentityCodec:
    """A pixel-space prior: the latents are the image."""

    def encode(self, x: Tensor) -> Tensor:
        return x

    def decode(self, z: Tensor) -> Tensor:
        return z
