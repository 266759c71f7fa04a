"""What the released latent diffusion checkpoints are: their networks' settings and their schedules."""

from __future__ import annotations

from dataclasses import dataclass

from diffusers import AutoencoderKL, UNet2DConditionModel, VQModel
from torch import nn

from vipaint_pyro.networks.openai_unet import OpenAIUNet2DModel

__all__ = ["KINDS", "Kind"]


@dataclass(frozen=True)
class Kind:
    """What one released checkpoint is: its networks' classes and settings, and its schedule.

    Attributes:
        unet, autoencoder: class and settings.
        beta_end: the last beta; the first is 0.0015.
        averaged: whether the original samples with the running averages of the weights, kept apart.
        scaled: whether its latents were scaled to unit variance, by a factor in the checkpoint.
        num_classes: rows of the class embedding, the last one the null class; 0 where there are none.
        pipeline: name of a diffusers pipeline that can run it.
    """

    unet: tuple[type[nn.Module], dict]
    autoencoder: tuple[type[nn.Module], dict]
    beta_end: float
    averaged: bool
    scaled: bool
    num_classes: int
    pipeline: str


def _levels(n: int) -> dict:
    """The autoencoders have plain levels, and attention in the middle alone."""
    return {"down_block_types": ("DownEncoderBlock2D",) * n, "up_block_types": ("UpDecoderBlock2D",) * n}


KINDS: dict[str, Kind] = {
    # configs/latent-diffusion/lsun_churches-ldm-kl-8.yaml
    "churches-kl-f8": Kind(
        unet=(
            OpenAIUNet2DModel,
            {
                "sample_size": 32,
                "in_channels": 4,
                "out_channels": 4,
                "layers_per_block": 2,
                "block_out_channels": (192, 384, 384, 768, 768),
                "down_block_types": (*["AttnDownBlock2D"] * 4, "ResnetDownsampleBlock2D"),
                "up_block_types": ("ResnetUpsampleBlock2D", *["AttnUpBlock2D"] * 4),
                "downsample_type": "resnet",
                "upsample_type": "resnet",
                "resnet_time_scale_shift": "scale_shift",
                "attention_head_dim": None,
                "num_attention_heads": 8,
                # With scale_shift, diffusers leaves the norm out of the middle attention unless it is asked for.
                "attn_norm_num_groups": 32,
            },
        ),
        autoencoder=(
            AutoencoderKL,
            {
                "sample_size": 256,
                "latent_channels": 4,
                "layers_per_block": 2,
                "block_out_channels": (128, 256, 512, 512),
                **_levels(4),
            },
        ),
        beta_end=0.0155,
        averaged=True,
        scaled=True,
        num_classes=0,
        pipeline="LDMPipeline",
    ),
    # configs/latent-diffusion/cin256-v2.yaml
    "imagenet-vq-f4": Kind(
        unet=(
            UNet2DConditionModel,
            {
                "sample_size": 64,
                "in_channels": 3,
                "out_channels": 3,
                "layers_per_block": 2,
                "block_out_channels": (192, 384, 576, 960),
                "down_block_types": ("DownBlock2D", *["CrossAttnDownBlock2D"] * 3),
                "up_block_types": (*["CrossAttnUpBlock2D"] * 3, "UpBlock2D"),
                "cross_attention_dim": 512,
                "attention_head_dim": 1,  # diffusers' name for the number of heads
            },
        ),
        autoencoder=(
            VQModel,
            {
                "sample_size": 256,
                "latent_channels": 3,
                "layers_per_block": 2,
                "block_out_channels": (128, 256, 512),
                "num_vq_embeddings": 8192,
                "vq_embed_dim": 3,
                **_levels(3),
            },
        ),
        beta_end=0.0195,
        averaged=False,
        scaled=False,
        num_classes=1001,
        pipeline="VIPaintPipeline",
    ),
}
