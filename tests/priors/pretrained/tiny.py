"""Tiny random pipelines of every family, made of diffusers' own classes."""

from __future__ import annotations

import string

import diffusers
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel, VQModel

from tests.conftest import tiny_unet


def autoencoder(latent_channels: int = 4, scale: float = 0.6, **options) -> AutoencoderKL:
    """f = 2, so that 8x8 latents are 16x16 images."""
    torch.manual_seed(1)
    return AutoencoderKL(
        block_out_channels=(4, 8), norm_num_groups=2, latent_channels=latent_channels, sample_size=16,
        down_block_types=("DownEncoderBlock2D",) * 2, up_block_types=("UpDecoderBlock2D",) * 2,
        scaling_factor=scale, **options,
    ).eval()  # fmt: skip


def vq(scale: float = 1.0) -> VQModel:
    torch.manual_seed(1)
    return VQModel(
        block_out_channels=(4, 8), norm_num_groups=2, latent_channels=3, num_vq_embeddings=32, vq_embed_dim=3,
        down_block_types=("DownEncoderBlock2D",) * 2, up_block_types=("UpDecoderBlock2D",) * 2,
        scaling_factor=scale,
    ).eval()  # fmt: skip


def tokenizer():
    from transformers import CLIPTokenizer

    letters = string.ascii_lowercase
    words = ["<|startoftext|>", "<|endoftext|>", *letters, *(c + "</w>" for c in letters)]
    return CLIPTokenizer(vocab={word: i for i, word in enumerate(words)}, merges=[], model_max_length=12)


def clip(projection: bool = False, width: int = 8):
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    torch.manual_seed(2)
    config = CLIPTextConfig(
        vocab_size=54, hidden_size=width, intermediate_size=8, num_hidden_layers=2, num_attention_heads=2,
        max_position_embeddings=12, bos_token_id=0, eos_token_id=1, pad_token_id=1, projection_dim=width,
    )  # fmt: skip
    return (CLIPTextModelWithProjection if projection else CLIPTextModel)(config).eval()


def t5():
    from transformers import T5Config, T5EncoderModel

    torch.manual_seed(3)
    config = T5Config(vocab_size=54, d_model=16, d_kv=4, d_ff=8, num_layers=1, num_heads=2)
    return T5EncoderModel(config).eval()


def conditional_unet(channels: int = 4, **options) -> UNet2DConditionModel:
    torch.manual_seed(0)
    return UNet2DConditionModel(
        sample_size=8, in_channels=channels, out_channels=channels, block_out_channels=(4, 8), layers_per_block=1,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"), up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        norm_num_groups=2, attention_head_dim=2, **options,
    ).eval()  # fmt: skip


def pixel():
    return diffusers.DDPMPipeline(tiny_unet(3), diffusers.DDPMScheduler(clip_sample=False))


def edm():
    """An ImageNet-64 network's interface: class labels, sigma as time, Karras' preconditioning."""
    unet = tiny_unet(3, classes=6, resnet_time_scale_shift="scale_shift")
    return diffusers.DDPMPipeline(unet, diffusers.EDMEulerScheduler())


def latent_kl():
    return diffusers.LDMPipeline(autoencoder(), tiny_unet(4), diffusers.DDIMScheduler(clip_sample=False))


def latent_vq():
    scheduler = diffusers.DDIMScheduler(beta_schedule="scaled_linear", clip_sample=False)
    return diffusers.LDMPipeline(vq(), tiny_unet(3), scheduler)


def dit():
    torch.manual_seed(0)
    transformer = diffusers.DiTTransformer2DModel(
        num_attention_heads=2, attention_head_dim=4, in_channels=4, out_channels=8, num_layers=2, sample_size=8,
        num_embeds_ada_norm=1000, norm_num_groups=2,
    ).eval()  # fmt: skip
    # A fresh DiT's last layer and gates are zero, and its answer with them.
    for parameter in transformer.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return diffusers.DiTPipeline(transformer, autoencoder(), diffusers.DDIMScheduler(clip_sample=False))


def stable_diffusion():
    return diffusers.StableDiffusionPipeline(
        autoencoder(), clip(), tokenizer(), conditional_unet(cross_attention_dim=8),
        diffusers.PNDMScheduler(beta_schedule="scaled_linear", steps_offset=1),
        safety_checker=None, feature_extractor=None, requires_safety_checker=False,
    )  # fmt: skip


def stable_diffusion_xl():
    unet = conditional_unet(
        cross_attention_dim=16, addition_embed_type="text_time", addition_time_embed_dim=4,
        projection_class_embeddings_input_dim=6 * 4 + 8, transformer_layers_per_block=1,
    )  # fmt: skip
    return diffusers.StableDiffusionXLPipeline(
        autoencoder(), clip(), clip(projection=True), tokenizer(), tokenizer(), unet,
        diffusers.EulerDiscreteScheduler(beta_schedule="scaled_linear", steps_offset=1),
    )  # fmt: skip


def stable_diffusion_3():
    torch.manual_seed(0)
    transformer = diffusers.SD3Transformer2DModel(
        sample_size=8, patch_size=2, in_channels=4, num_layers=1, attention_head_dim=4, num_attention_heads=2,
        joint_attention_dim=16, caption_projection_dim=8, pooled_projection_dim=16, out_channels=4,
    ).eval()  # fmt: skip
    return diffusers.StableDiffusion3Pipeline(
        transformer, diffusers.FlowMatchEulerDiscreteScheduler(shift=3.0),
        autoencoder(shift_factor=0.06), clip(projection=True), tokenizer(), clip(projection=True), tokenizer(),
        None, None,
    )  # fmt: skip


def flux(guidance_embeds: bool = True):
    torch.manual_seed(0)
    transformer = diffusers.FluxTransformer2DModel(
        patch_size=1, in_channels=16, num_layers=1, num_single_layers=1, attention_head_dim=8, num_attention_heads=2,
        joint_attention_dim=16, pooled_projection_dim=8, guidance_embeds=guidance_embeds, axes_dims_rope=(2, 2, 4),
    ).eval()  # fmt: skip
    return diffusers.FluxPipeline(
        diffusers.FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True),
        autoencoder(shift_factor=0.1), clip(), tokenizer(), t5(), tokenizer(), transformer,
    )  # fmt: skip


FAMILIES = {
    f.__name__: f
    for f in (pixel, edm, latent_kl, latent_vq, dit, stable_diffusion, stable_diffusion_xl, stable_diffusion_3, flux)
}
TEXT = ("stable_diffusion", "stable_diffusion_xl", "stable_diffusion_3", "flux")
