"""OpenAI's EDM network of the consistency models paper, on ImageNet at 64x64, as a diffusers folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from diffusers import EDMEulerScheduler

from vipaint_pyro.convert.checkpoint import collect, read_state_dict
from vipaint_pyro.convert.folder import check_free, on_meta, write
from vipaint_pyro.convert.names import unet_sources
from vipaint_pyro.networks.openai_unet import OpenAIUNet2DModel

__all__ = ["KINDS", "adm_unet", "convert_adm"]

#: Settings of each checkpoint's network, as ``OpenAIUNet2DModel`` takes them.
KINDS: dict[str, dict] = {
    "edm-imagenet64": {
        "sample_size": 64,
        "in_channels": 3,
        "out_channels": 3,
        "layers_per_block": 3,
        "block_out_channels": (192, 384, 576, 768),
        "down_block_types": ("ResnetDownsampleBlock2D", *["AttnDownBlock2D"] * 3),
        "up_block_types": (*["AttnUpBlock2D"] * 3, "ResnetUpsampleBlock2D"),
        "downsample_type": "resnet",
        "upsample_type": "resnet",
        "resnet_time_scale_shift": "scale_shift",
        "attention_head_dim": 64,
        # With scale_shift, diffusers leaves the norm out of the middle attention unless it is asked for.
        "attn_norm_num_groups": 32,
        "num_class_embeds": 1000,
        "timestep_scale": 1000.0,
    }
}


def adm_unet(kind: str, unet: Mapping | None = None) -> OpenAIUNet2DModel:
    """The network of a checkpoint, on the ``meta`` device; arguments as for :func:`convert_adm`."""
    if kind not in KINDS:
        raise ValueError(f"unknown kind {kind!r} of checkpoint; known are {', '.join(KINDS)}")
    return on_meta(OpenAIUNet2DModel, {**KINDS[kind], **(unet or {})})


def convert_adm(
    path: str | Path, out: str | Path, kind: str = "edm-imagenet64", *, unet: Mapping | None = None
) -> Path:
    """Convert an ADM network with EDM preconditioning.

    ``edm-imagenet64`` is ``edm_imagenet64_ema.pt`` of https://github.com/openai/consistency_models (Song et al.,
    arXiv:2303.01469): the network of Dhariwal and Nichol (arXiv:2105.05233) for 3x64x64 images of 1000 classes,
    trained as Karras et al. (arXiv:2206.00364) with sigma_data = 1/2 and sigma from 0.002 to 80. There is no
    null class. Its time is 250 ln(sigma), and its attention has all queries first, then keys, then values.

    Args:
        path: the checkpoint: a ``.pt`` of tensors alone, or ``.safetensors``.
        out: the folder to be written: ``unet``, ``scheduler`` and model_index.json.
        kind: which checkpoint.
        unet: settings of ``OpenAIUNet2DModel`` that differ, for a network of other sizes.

    Returns:
        The folder.

    Raises:
        ValueError: where the file cannot be read as tensors alone, or does not hold that network's tensors with
            their names and shapes; nothing is written.
        FileExistsError: where ``out`` is there already, and not empty.
    """
    network = adm_unet(kind, unet)
    out = check_free(out)
    networks = {"unet": network}
    weights = collect(networks, {"unet": unet_sources(network)}, read_state_dict(path), f"{kind} checkpoint")
    scheduler = EDMEulerScheduler(sigma_min=0.002, sigma_max=80.0, sigma_data=0.5, rho=7.0)
    return write(out, "VIPaintPipeline", networks, weights, scheduler, null_class=None)
