"""Where each parameter of a diffusers network lies in an original checkpoint."""

from __future__ import annotations

from typing import Any, NamedTuple

__all__ = ["Source", "autoencoder_sources", "unet_sources"]


class Source(NamedTuple):
    """A tensor of the original, or the part of it that holds the queries, keys or values.

    Attributes:
        name: its key in the checkpoint.
        part: 0, 1, 2 for q, k, v out of one fused tensor; None for all of the tensor.
        pointwise: a 1x1 convolution in the original, a linear map in diffusers.
    """

    name: str
    part: int | None = None
    pointwise: bool = False


_UNET_ENDS = {
    "conv_in": "input_blocks.0.0",
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "class_embedding": "label_emb",
    "conv_norm_out": "out.0",
    "conv_out": "out.2",
}
_RESNET = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}
_FUSED_ATTENTION = {
    "group_norm": Source("norm"),
    "to_q": Source("qkv", 0, True),
    "to_k": Source("qkv", 1, True),
    "to_v": Source("qkv", 2, True),
    "to_out.0": Source("proj_out", None, True),
}
_PLAIN_ATTENTION = {
    "group_norm": Source("norm"),
    "to_q": Source("q", None, True),
    "to_k": Source("k", None, True),
    "to_v": Source("v", None, True),
    "to_out.0": Source("proj_out", None, True),
}


def _unet_place(unet: Any, words: list[str]) -> str:
    """The original's module for ``down_blocks.1.attentions.0`` and the like."""
    if words[0] == "mid_block":
        return "middle_block." + ("1" if words[1] == "attentions" else str(2 * int(words[2])))
    block, what, layer = int(words[1]), words[2], int(words[3])
    per_block = unet.config.layers_per_block + 1
    if words[0] == "down_blocks":
        number = per_block * block + (per_block if what == "downsamplers" else 1 + layer)
        return f"input_blocks.{number}.{int(what == 'attentions')}"
    number = per_block * block + (per_block - 1 if what == "upsamplers" else layer)
    attends = hasattr(unet.up_blocks[block], "attentions")
    return f"output_blocks.{number}.{ {'resnets': 0, 'attentions': 1}.get(what, 1 + attends) }"


def unet_sources(unet: Any, prefix: str = "") -> dict[str, Source]:
    """The sources of the parameters of a ``UNet2DModel`` or a ``UNet2DConditionModel``.

    The original is OpenAI's ``UNetModel`` (guided-diffusion, arXiv:2105.05233), which counts all blocks of the
    way down as ``input_blocks``, its resamplers among them, and those of the way up as ``output_blocks``; or
    CompVis' copy of it, which may have transformers for attention blocks.
    """
    sources = {}
    for name in unet.state_dict():
        path, kind = name.rsplit(".", 1)
        if path in _UNET_ENDS:
            sources[name] = Source(f"{prefix}{_UNET_ENDS[path]}.{kind}")
            continue
        words = path.split(".")
        cut = 3 if words[0] == "mid_block" else 4
        rest = ".".join(words[cut:])
        if words[cut - 2] == "attentions":
            inner = _FUSED_ATTENTION.get(rest, Source(rest))  # a transformer keeps its names
        elif rest == "conv":
            inner = Source("op" if words[0] == "down_blocks" else "conv")
        else:
            inner = Source(_RESNET[rest])
        sources[name] = inner._replace(name=f"{prefix}{_unet_place(unet, words)}.{inner.name}.{kind}")
    return sources


def autoencoder_sources(autoencoder: Any, prefix: str = "") -> dict[str, Source]:
    """The sources of the parameters of an ``AutoencoderKL`` or a ``VQModel``.

    The original is the autoencoder of CompVis' latent diffusion and taming-transformers (Esser et al.,
    arXiv:2012.09841), which counts the decoder's levels from the finest.
    """
    levels = len(autoencoder.config.block_out_channels)
    sources = {}
    for name in autoencoder.state_dict():
        path, kind = name.rsplit(".", 1)
        words = path.split(".")
        if len(words) < 4:
            inner = Source(path.replace("conv_norm_out", "norm_out"))
        elif words[1] == "mid_block" and words[2] == "attentions":
            inner = _PLAIN_ATTENTION[".".join(words[4:])]
            inner = inner._replace(name=f"{words[0]}.mid.attn_1.{inner.name}")
        elif words[1] == "mid_block":
            inner = Source(f"{words[0]}.mid.block_{int(words[3]) + 1}.{words[4]}")
        else:
            way, level = ("down", int(words[2])) if words[1] == "down_blocks" else ("up", levels - 1 - int(words[2]))
            last = words[5].replace("conv_shortcut", "nin_shortcut")
            layer = f"block.{words[4]}" if words[3] == "resnets" else f"{way}sample"
            inner = Source(f"{words[0]}.{way}.{level}.{layer}.{last}")
        sources[name] = inner._replace(name=f"{prefix}{inner.name}.{kind}")
    return sources
