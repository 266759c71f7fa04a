"""CompVis' latent diffusion models as diffusers folders."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from diffusers import DDIMScheduler
from torch import Tensor

from vipaint_pyro.convert.checkpoint import collect, read_state_dict
from vipaint_pyro.convert.compvis_kinds import KINDS
from vipaint_pyro.convert.folder import check_free, on_meta, write
from vipaint_pyro.convert.names import Source, autoencoder_sources, unet_sources
from vipaint_pyro.networks.class_embedder import ClassEmbedder

__all__ = ["convert_ldm", "ldm_networks"]

_UNET, _AUTOENCODER, _CLASSES = "model.diffusion_model.", "first_stage_model.", "cond_stage_model."


def ldm_networks(
    kind: str, unet: Mapping | None = None, autoencoder: Mapping | None = None, averaged: bool = False
) -> tuple[dict[str, Any], dict[str, dict[str, Source]]]:
    """The networks of a checkpoint, on the ``meta`` device, and where their parameters lie in it.

    Args:
        kind, unet, autoencoder: as for :func:`convert_ldm`.
        averaged: whether the UNet's running averages are meant.
    """
    if kind not in KINDS:
        raise ValueError(f"unknown kind {kind!r} of checkpoint; known are {', '.join(KINDS)}")
    known = KINDS[kind]
    networks = {
        "unet": on_meta(known.unet[0], {**known.unet[1], **(unet or {})}),
        "vqvae": on_meta(known.autoencoder[0], {**known.autoencoder[1], **(autoencoder or {})}),
    }
    sources = {
        "unet": unet_sources(networks["unet"], _UNET),
        "vqvae": autoencoder_sources(networks["vqvae"], _AUTOENCODER),
    }
    if averaged:
        sources["unet"] = {
            name: source._replace(name="model_ema." + source.name.removeprefix("model.").replace(".", ""))
            for name, source in sources["unet"].items()
        }
    if known.num_classes:
        dim = networks["unet"].config.cross_attention_dim
        networks["class_embedder"] = on_meta(ClassEmbedder, {"num_classes": known.num_classes, "dim": dim})
        sources["class_embedder"] = {"embedding.weight": Source(f"{_CLASSES}embedding.weight")}
    return networks, sources


def _scheduler(kind: str, state: Mapping[str, Tensor]) -> DDIMScheduler:
    """That of the original's sampler; the checkpoint's own betas must agree with it."""
    scheduler = DDIMScheduler(
        beta_start=0.0015,
        beta_end=KINDS[kind].beta_end,
        beta_schedule="scaled_linear",
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
    )
    betas = state.get("betas")
    if betas is not None and (
        betas.shape != scheduler.betas.shape or not torch.allclose(betas.float(), scheduler.betas, rtol=1e-3, atol=0)
    ):
        raise ValueError(f"the file is no {kind} checkpoint: its betas are those of another schedule")
    return scheduler


def _scale(kind: str, state: Mapping[str, Tensor]) -> float:
    """What the latents are multiplied by: stored where it was measured, else 1."""
    scale = state.get("scale_factor")
    if KINDS[kind].scaled:
        if scale is None:
            raise ValueError(f"the file is no {kind} checkpoint: it has no scale_factor")
        return float(scale)
    if scale is not None and float(scale) != 1:
        raise ValueError(f"the file is no {kind} checkpoint: its latents are scaled by {float(scale):g}")
    return 1.0


def convert_ldm(
    path: str | Path,
    out: str | Path,
    kind: str,
    *,
    unet: Mapping | None = None,
    autoencoder: Mapping | None = None,
) -> Path:
    """Convert a latent diffusion model of Rombach et al. (arXiv:2112.10752).

    The checkpoints are those of https://github.com/CompVis/latent-diffusion:

    - ``churches-kl-f8``: LSUN churches, unconditional; latents 4x32x32 of a KL autoencoder, scaled by the
      checkpoint's own ``scale_factor``. The UNet's running averages are taken where the file has them.
    - ``imagenet-vq-f4``: ``cin256-v2``, ImageNet with 1000 classes and the null class 1000; latents 3x64x64 of a
      VQ autoencoder with 8192 codes, unscaled. The UNet attends to a class embedding with shape (B, 1, 512).

    Args:
        path: the checkpoint: a ``.ckpt`` or ``.safetensors``.
        out: the folder to be written: ``unet``, ``vqvae``, ``scheduler``, model_index.json and, for ImageNet,
            ``class_embedder``.
        kind: which checkpoint.
        unet: settings of the UNet's class (see :data:`KINDS`) that differ, for a model of other sizes.
        autoencoder: the same for the autoencoder.

    Returns:
        The folder.

    Raises:
        ValueError: where the file cannot be read as tensors alone, or does not hold that model's tensors with
            their names and shapes, or has another noise schedule or latent scale; nothing is written.
        FileExistsError: where ``out`` is there already, and not empty.
    """
    networks, sources = ldm_networks(kind, unet, autoencoder)
    out = check_free(out)
    state = read_state_dict(path)
    # Buffers of the schedule have no dot in their names; the autoencoder's loss had a network of its own.
    tensors = {name: tensor for name, tensor in state.items() if "." in name}
    ignored: tuple[str, ...] = (f"{_AUTOENCODER}loss.", "model_ema.")
    if KINDS[kind].averaged and any(name.startswith("model_ema.") for name in state):
        networks, sources = ldm_networks(kind, unet, autoencoder, averaged=True)
        ignored = (f"{_AUTOENCODER}loss.", "model_ema.decay", "model_ema.num_updates", _UNET)
    heads = networks["unet"].config.get("num_attention_heads") or 1
    weights = collect(networks, sources, tensors, f"{kind} checkpoint", groups=heads, ignored=ignored)
    scheduler = _scheduler(kind, state)
    networks["vqvae"].register_to_config(scaling_factor=_scale(kind, state))
    classes = KINDS[kind].num_classes
    entries = {"null_class": classes - 1} if classes else {}
    return write(out, KINDS[kind].pipeline, networks, weights, scheduler, **entries)
