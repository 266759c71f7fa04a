"""Codecs: between latents z_0 and images x in [-1, 1]."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import Tensor, nn

from vipaint_pyro.networks.frozen import weights_kept
from vipaint_pyro.networks.kinds import config_of, kind_of, offering, unwrapped
from vipaint_pyro.networks.placement import dtype_of

__all__ = ["Codec", "IdentityCodec", "KLCodec", "VQCodec", "codec_for", "latent_mask"]


class Codec(ABC):
    """The contract: ``encode`` maps images (B, C, H, W) in [-1, 1] to latents, ``decode`` back.

    Attributes:
        factor: f, an image has f times the height and the width of its latent.
        channels: of the images, None where they are the latent's own.
        network: the autoencoder, where there is one.
    """

    factor: int = 1
    channels: int | None = None
    network: Any = None

    @abstractmethod
    def encode(self, x: Tensor) -> Tensor: ...

    @abstractmethod
    def decode(self, z: Tensor) -> Tensor: ...


class IdentityCodec(Codec):
    """A pixel-space prior: the latents are the image."""

    def encode(self, x: Tensor) -> Tensor:
        return x

    def decode(self, z: Tensor) -> Tensor:
        return z


class _Autoencoder(Codec):
    """Shared by the codecs of a diffusers autoencoder.

    Args:
        network: the autoencoder, left as it is, called in evaluation mode and without gradients for its weights;
            what it was told to do in slices or in tiles, it does. One that says ``force_upcast`` and came in half
            precision computes in float32 from here on.
    """

    def __init__(self, network: nn.Module) -> None:
        self.network = offering(network, "encode", "decode")
        config = unwrapped(network).config
        if config.get("force_upcast", False) and dtype_of(network) == torch.float16:
            nn.Module.to(network, torch.float32)  # the network's own speaks of modules that should stay in float32
        self.factor = 2 ** (len(config.block_out_channels) - 1)
        self.channels = config.out_channels
        self._scale, self._shift = _affine(config)

    def decode(self, z: Tensor) -> Tensor:
        latent = (z / self._scale.to(z) + self._shift.to(z)).to(dtype_of(self.network))
        with weights_kept(self.network):
            return self.network.decode(latent).sample.to(z.dtype)

    def encode(self, x: Tensor) -> Tensor:
        with weights_kept(self.network):
            latent = self._encoded(self.network.encode(x.to(dtype_of(self.network))))
        return (latent.to(x.dtype) - self._shift.to(x)) * self._scale.to(x)

    @staticmethod
    @abstractmethod
    def _encoded(output: Any) -> Tensor:
        """The latent that the autoencoder's own output holds."""


def _affine(config: Any) -> tuple[Tensor, Tensor]:
    """Scale and shift of z_0 = (latent - shift) scale: numbers, or (C, 1, 1) where each channel has its own.

    ``latents_mean`` and ``latents_std`` standardise each channel first, as the pipeline of Stable Diffusion XL does;
    one without the other is not looked at there, and refused here.
    """
    mean, std = config.get("latents_mean", None), config.get("latents_std", None)
    scale = torch.tensor(float(config.scaling_factor), dtype=torch.float64, device="cpu")
    shift = torch.tensor(float(config.get("shift_factor", None) or 0.0), dtype=torch.float64, device="cpu")
    if not 0 < scale < math.inf:
        raise ValueError(f"the autoencoder's scaling_factor is a positive number, but is {config.scaling_factor}")
    if (mean is None) != (std is None):
        raise ValueError("the autoencoder's config has one of latents_mean and latents_std: give both, or neither")
    if mean is None:
        return scale, shift
    if shift != 0:
        raise ValueError("the autoencoder's config has shift_factor and latents_mean: it is not known which is meant")
    mean, std = (torch.tensor(v, dtype=torch.float64, device="cpu").reshape(-1, 1, 1) for v in (mean, std))
    count = config.latent_channels
    if not len(mean) == len(std) == count or not (std > 0).all():
        raise ValueError(f"latents_mean and latents_std are a number, and a positive one, for each of {count} channels")
    return scale / std, mean


class KLCodec(_Autoencoder):
    r"""``AutoencoderKL``: :math:`z_0 = (\mu(x) - \mathrm{shift}) \cdot \mathrm{scale}`, decoded by the inverse.

    Encoded by the mean of its Gaussian posterior, without a draw: the guide has its own spread. Scale and
    shift are ``scaling_factor`` and ``shift_factor`` of its config (Rombach et al., arXiv:2112.10752, D.1), or, where
    it has ``latents_mean`` and ``latents_std``, those of each channel.
    """

    @staticmethod
    def _encoded(output: Any) -> Tensor:
        return output.latent_dist.mean


class VQCodec(_Autoencoder):
    r"""``VQModel``: encoded without quantisation, quantised to the nearest code when decoded.

    The gradient passes the quantisation straight through (van den Oord et al., arXiv:1711.00937, section
    3.2), as latent diffusion's VQ interface has it: diffusion lives on the unquantised latents.
    """

    @staticmethod
    def _encoded(output: Any) -> Tensor:
        return output.latents


def codec_for(autoencoder: nn.Module | None) -> Codec:
    """The codec of a diffusers autoencoder, wrapped or derived; the identity without one.

    Raises:
        ValueError: for an autoencoder of another kind.
        TypeError: for one without a config.
    """
    if autoencoder is None:
        return IdentityCodec()
    known = ("AutoencoderKL", "VQModel")
    config, kind = config_of(autoencoder, "autoencoder", known), kind_of(autoencoder, known)
    if kind == "AutoencoderKL":
        return KLCodec(autoencoder)
    if kind == "VQModel":
        if config.get("lookup_from_codebook", False) or config.norm_type != "group":
            raise ValueError("this VQModel decodes indices of its codebook, not latents: it has no gradient")
        if not {"_hf_hook", "_diffusers_hook"}.isdisjoint(vars(unwrapped(autoencoder).quantize.embedding)):
            raise ValueError(
                "a VQModel reads its codebook without a call that offloading or casting layer by layer could prepare: "
                "leave the autoencoder out of it (enable_model_cpu_offload moves it as a whole)"
            )
        return VQCodec(autoencoder)
    name = type(unwrapped(autoencoder)).__name__
    raise ValueError(f"an autoencoder of the class {name} is not known here; known are AutoencoderKL and VQModel")


def latent_mask(observed: Tensor, factor: int) -> Tensor:
    """Which latent pixels are known: those all of whose ``factor`` x ``factor`` image pixels are (min-pooling).

    The receptive field of an encoder is larger, so that known latents next to a hole still hear of it.

    Args:
        observed: bool (N, C, H, W); a latent pixel is known where every channel is.
        factor: f of the codec.

    Returns:
        bool (N, 1, H / f, W / f).
    """
    hidden = (~observed).any(1, keepdim=True).float()
    return nn.functional.max_pool2d(hidden, factor) == 0
