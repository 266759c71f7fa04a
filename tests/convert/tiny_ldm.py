"""Both latent diffusion models at a tiny size: settings for the conversion, and original networks of the same sizes."""

import torch

from tests.convert.common import randomise
from tests.convert.ldm_autoencoder import KL, VQ
from tests.convert.ldm_unet import UNet

LEVELS = {"down_block_types": ("DownEncoderBlock2D",) * 2, "up_block_types": ("UpDecoderBlock2D",) * 2}
CHURCHES = {
    "unet": {
        "sample_size": 8,
        "layers_per_block": 1,
        "block_out_channels": (32, 64, 64),
        "down_block_types": ("AttnDownBlock2D", "AttnDownBlock2D", "ResnetDownsampleBlock2D"),
        "up_block_types": ("ResnetUpsampleBlock2D", "AttnUpBlock2D", "AttnUpBlock2D"),
    },
    "autoencoder": {"block_out_channels": (32, 64), "layers_per_block": 1, **LEVELS},
}
IMAGENET = {
    "unet": {
        "sample_size": 8,
        "layers_per_block": 1,
        "block_out_channels": (32, 64, 96),
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        "cross_attention_dim": 24,
    },
    "autoencoder": {"block_out_channels": (32, 64), "layers_per_block": 1, "num_vq_embeddings": 50, **LEVELS},
}


def churches_original():
    unet = UNet(4, [(32, True), (64, True), (64, False)], 1, heads=8, scale_shift=True, resblock_updown=True)
    return randomise(unet), randomise(KL((32, 64), 1, 4))


def imagenet_original():
    unet = UNet(3, [(32, False), (64, True), (96, True)], 1, heads=1, context=24)
    return randomise(unet), randomise(VQ((32, 64), 1, 3, 50)), randomise(torch.nn.Embedding(1001, 24))


def state_of(unet, autoencoder, embedding=None):
    state = {f"model.diffusion_model.{k}": v for k, v in unet.state_dict().items()}
    state |= {f"first_stage_model.{k}": v for k, v in autoencoder.state_dict().items()}
    if embedding is not None:
        state["cond_stage_model.embedding.weight"] = embedding.weight
    return state
