"""A network's or an autoencoder's first call, on the ``meta`` device: shapes alone, nothing is computed."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from vipaint_pyro.networks.calls import NETWORKS, call_network, patch_size

__all__ = ["tried"]


def tried(model: nn.Module) -> nn.Module:
    """The model, which can be called.

    Args:
        model: on the ``meta`` device.

    Raises:
        ValueError: where what it returns has another shape than what it was given.
        Exception: what its own forward pass raises.
    """
    name = type(model).__name__
    try:
        with torch.no_grad(), torch.device("meta"):
            if name in NETWORKS:
                _network(model.eval())
            elif name in ("AutoencoderKL", "VQModel"):
                _autoencoder(model.eval())
    except NotImplementedError:  # an operation without shapes of its own
        pass
    return model


def _zeros(*shape: int, dtype: torch.dtype | None = None) -> Tensor:
    return torch.zeros(shape, dtype=dtype, device="meta")


def _network(network: Any) -> None:
    config = network.config
    channels, size = config["in_channels"], config.get("sample_size", None) or 64
    if type(network).__name__ == "FluxTransformer2DModel":
        channels, size = channels // 4, 8
    height, width = [size] * 2 if isinstance(size, int) else size
    condition = _condition(network)
    if condition is None:
        return
    z = _zeros(1, channels, height, width)
    got = tuple(call_network(network, z, _zeros(1), condition).shape)
    side = patch_size(network)
    if got[2:] != (height, width) or got[1] not in (channels, 2 * channels) or height % side or width % side:
        raise ValueError(f"it gives {got} for latents of shape {tuple(z.shape)}: it is no denoiser")


def _condition(network: Any) -> dict | None:
    """What a network takes beside z and its time; None where that cannot be read off its config."""
    config, kind = network.config, type(network).__name__
    if kind == "DiTTransformer2DModel" or config.get("num_class_embeds", None) is not None:
        return {"class_labels": _zeros(1, dtype=torch.long)}
    if kind in ("UNet2DModel", "OpenAIUNet2DModel"):
        return {}
    if kind == "UNet2DConditionModel":
        width = config["encoder_hid_dim"] or config["cross_attention_dim"]
        if not isinstance(width, int):
            return None
        given = {"encoder_hidden_states": _zeros(1, 2, width)}
        if config["addition_embed_type"] == "text_time":
            pooled = config["projection_class_embeddings_input_dim"] - 6 * config["addition_time_embed_dim"]
            given |= {"text_embeds": _zeros(1, pooled), "time_ids": _zeros(1, 6)}
        return given
    given = {
        "encoder_hidden_states": _zeros(1, 2, config["joint_attention_dim"]),
        "pooled_projections": _zeros(1, config["pooled_projection_dim"]),
    }
    return {**given, "guidance": _zeros(1)} if config.get("guidance_embeds", False) else given


def _autoencoder(network: Any) -> None:
    config = network.config
    factor = 2 ** (len(config["block_out_channels"]) - 1)
    x = _zeros(1, config["in_channels"], 2 * factor, 2 * factor)
    encoded = network.encode(x)
    z = encoded.latents if type(network).__name__ == "VQModel" else encoded.latent_dist.mean
    wanted = (1, config["latent_channels"], 2, 2)
    if tuple(z.shape) != wanted:
        raise ValueError(f"it encodes images of shape {tuple(x.shape)} as {tuple(z.shape)}, not as {wanted}")
    got = tuple(network.decode(z).sample.shape)
    if got != tuple(x.shape):
        raise ValueError(f"images of shape {tuple(x.shape)} are decoded with shape {got}")
