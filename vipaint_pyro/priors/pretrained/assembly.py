"""From a diffusers network, its scheduler and its autoencoder to the parts of a prior.

What a family of models is follows from its parts, never from a flag: which network, with an autoencoder or
without, with labels, text or neither.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any

import torch
from torch import nn

from vipaint_pyro.networks.calls import NETWORKS, check_network, patch_size
from vipaint_pyro.networks.kinds import config_of, kind_of, unwrapped
from vipaint_pyro.priors.codecs import codec_for
from vipaint_pyro.priors.conditioning import Conditioning
from vipaint_pyro.priors.denoisers import denoiser_for
from vipaint_pyro.priors.pretrained.configs import check_parts_config, constructor, judged
from vipaint_pyro.priors.pretrained.index import check_class_names, check_null_class
from vipaint_pyro.priors.schedules import NoiseSchedule, family_of
from vipaint_pyro.settings import whole
from vipaint_pyro.wording import counted

__all__ = ["Components", "assemble", "text_inputs"]

#: The tensors that a text-conditional network takes beside z and its time.
_TEXT = {
    "UNet2DConditionModel": ("encoder_hidden_states",),
    "SD3Transformer2DModel": ("encoder_hidden_states", "pooled_projections"),
    "FluxTransformer2DModel": ("encoder_hidden_states", "pooled_projections"),
}


def text_inputs(network: nn.Module) -> tuple[str, ...]:
    """The names of the tensors that a network takes from text; empty for a network without."""
    config = unwrapped(network).config
    names = _TEXT.get(kind_of(network, _TEXT) or "", ())
    if config.get("addition_embed_type", None) == "text_time":  # Stable Diffusion XL
        names += ("text_embeds", "time_ids")
    return names


@dataclass(frozen=True)
class Components:
    """What a diffusion model is put together from.

    Args:
        unet: ``UNet2DModel`` or ``UNet2DConditionModel``.
        scheduler: the scheduler that the network was trained with.
        null_class: the class that stands for "no label", where there is one. A
            ``DiTTransformer2DModel`` has its own.
        class_names: a name per class, for people.
        transformer: in place of a U-Net: ``DiTTransformer2DModel``, ``SD3Transformer2DModel`` or
            ``FluxTransformer2DModel``.
        vae, vqvae: the autoencoder of a latent model, under either name.
        class_embedder: labels (B,) -> (B, 1, D), where a ``UNet2DConditionModel`` attends to a class.
        image_size: side, or (height, width), of the images, for a network that takes other sizes than
            the one in its config.

    Raises:
        ValueError: where they do not describe one diffusion model.
    """

    unet: nn.Module | None = None
    scheduler: object = None
    null_class: int | None = None
    class_names: Sequence[str] | None = None
    _: KW_ONLY
    transformer: nn.Module | None = None
    vae: nn.Module | None = None
    vqvae: nn.Module | None = None
    class_embedder: nn.Module | None = None
    image_size: int | Sequence[int] | None = None

    def __post_init__(self) -> None:
        if (self.unet is None) == (self.transformer is None):
            raise ValueError("a prior has one network: give either unet or transformer")
        if self.scheduler is None:
            raise ValueError("a prior needs the scheduler that its network was trained with")
        if self.vae is not None and self.vqvae is not None:
            raise ValueError("a prior has one autoencoder: give either vae or vqvae")

    @property
    def network(self) -> Any:
        """The one network."""
        return self.transformer if self.unet is None else self.unet

    @property
    def autoencoder(self) -> nn.Module | None:
        """The one autoencoder, where there is one."""
        return self.vqvae if self.vae is None else self.vae


def assemble(parts: Components) -> dict:
    """The arguments of a :class:`~vipaint_pyro.DiffusionPrior`.

    Raises:
        ValueError: where the parts do not fit each other, or the null class is none of the network's.
        TypeError: for a network without a config.
    """
    network, autoencoder, class_embedder = parts.network, parts.autoencoder, parts.class_embedder
    config = config_of(network, "network", NETWORKS)
    check_network(network)
    _check_configs(parts)
    codec = codec_for(autoencoder)
    shape = _latent_shape(network, autoencoder, codec.factor, parts.image_size)
    needs = () if class_embedder is not None else text_inputs(network)
    classes, null_class = _classes(network, parts.null_class, class_embedder)
    _check_names(parts.class_names, classes, null_class)
    _, height, width = shape
    side = patch_size(network)
    schedule = NoiseSchedule.from_scheduler(parts.scheduler, (height // side) * (width // side))
    unit = family_of(parts.scheduler) == "ScoreSdeVe" and autoencoder is None
    if unit:  # its images lie in [0, 1], as its pipeline in diffusers ends with: ours have twice their length
        times = torch.arange(schedule.num_timesteps, device="cpu")
        schedule = NoiseSchedule(schedule.alpha(times), 2 * schedule.sigma(times), 2 * schedule.terminal_std)
    return {
        "schedule": schedule,
        "denoiser": denoiser_for(network, parts.scheduler, schedule, unit),
        "latent_shape": shape,
        "codec": codec,
        "conditioning": Conditioning(
            classes, null_class, parts.class_names, class_embedder, needs, bool(config.get("guidance_embeds", False))
        ),
    }


def _check_configs(parts: Components) -> None:
    """Raise ValueError for a field of a config that can be neither honoured nor left aside; a user's own classes may
    be of any config."""
    named = {
        "network": parts.network, "scheduler": parts.scheduler, "autoencoder": parts.autoencoder,
        "class embedder": parts.class_embedder,
    }  # fmt: skip
    for what, part in named.items():
        inner: Any = unwrapped(part) if isinstance(part, nn.Module) else part
        if inner is not None and hasattr(inner, "config_name") and isinstance(inner.config, Mapping):
            kind = judged(type(inner))
            known = constructor(kind)
            config = {name: value for name, value in inner.config.items() if name in known}
            check_parts_config(config, kind, f"the {what}'s config")


def _check_names(names: Sequence[str] | None, classes: int | None, null_class: int | None) -> None:
    """Raise ValueError where class names are none, or of other classes than the network's."""
    check_class_names(names)
    counts = {classes, None if null_class is None or classes is None else classes + 1} - {None}
    if names is not None and len(names) not in counts:
        besides = f" (null_class is {null_class})" if classes else ""
        raise ValueError(f"class_names are {len(names)}, but the network has {classes or 'no'} classes{besides}")


def _latent_shape(
    network: nn.Module, autoencoder: nn.Module | None, factor: int, image_size: int | Sequence[int] | None
) -> tuple[int, int, int]:
    config = unwrapped(network).config
    channels, size = config.in_channels, config.get("sample_size", None)
    if kind_of(network, NETWORKS) == "FluxTransformer2DModel":
        if channels % 4 or config.out_channels not in (channels, None):
            raise ValueError(
                f"a Flux network's in_channels are four times a latent's, and its out_channels the same, but they are "
                f"{channels} and {config.out_channels}"
            )
        channels //= 4  # tokens of 2x2
        # Its config names no size: the images are those its autoencoder was trained on.
        size = None if autoencoder is None else unwrapped(autoencoder).config.sample_size // factor
    elif config.get("out_channels", None) not in (channels, 2 * channels, None):
        raise ValueError(
            f"a network from {channels} to {counted(config.out_channels, 'channel')} is no "
            "denoiser: it must give as many channels as it takes (or twice, with variances). A checkpoint for "
            "inpainting takes the mask besides z: give the base model it was made from"
        )
    if image_size is not None:
        size = list(image_size) if isinstance(image_size, (list, tuple)) else [image_size] * 2
        step = factor * patch_size(network)
        if len(size) != 2 or not all(whole(step, 2**15).check(n) and n % step == 0 for n in size):
            raise ValueError(
                f"image_size is a side, or (height, width), in multiples of {step} up to {2**15}, not {image_size}"
            )
        size = [n // factor for n in size]
    if size is None:
        raise ValueError(
            "the network's config has no sample_size, so the size of its images is unknown; "
            "write it into unet/config.json, or give image_size"
        )
    height, width = (size, size) if isinstance(size, int) else size
    latent = channels if autoencoder is None else unwrapped(autoencoder).config.latent_channels
    if latent != channels:
        raise ValueError(
            f"the network takes {counted(channels, 'channel')}, but the autoencoder has "
            f"{counted(latent, 'latent channel')}: they are not of one model (in_channels, latent_channels)"
        )
    most = config.get("pos_embed_max_size", None)
    if most is not None and max(height, width) > most * patch_size(network):
        raise ValueError(
            f"the network's positions (pos_embed_max_size {most}) end at latents of {most * patch_size(network)} "
            f"pixels, but image_size asks for {height} x {width}"
        )
    return channels, height, width


def _classes(network: nn.Module, null_class: int | None, class_embedder: Any) -> tuple[int | None, int | None]:
    """How many classes there are, the null class not counted, and the null class."""
    check_null_class(null_class)
    config, name = unwrapped(network).config, kind_of(network, NETWORKS)
    if name == "DiTTransformer2DModel":
        # Its table has one row more, the label that is dropped to (Peebles and Xie, arXiv:2212.09748, appendix A).
        count = config.num_embeds_ada_norm
        if null_class is not None and null_class > count:
            raise ValueError(f"null_class {null_class} is none of the network's {count} classes, nor {count}")
        return count, count if null_class is None else null_class
    if class_embedder is not None:
        classes = config_of(class_embedder, "class embedder", ("ClassEmbedder",)).num_classes
    else:
        classes = config.get("num_class_embeds", None)
        if classes is not None and classes < 1:
            raise ValueError(f"num_class_embeds is at least 1, or null for a network without classes, but is {classes}")
    if null_class is not None:
        if not classes or not 0 <= null_class < classes:
            raise ValueError(f"null_class {null_class} is none of the network's {classes} classes")
        classes -= 1
    return classes, null_class
