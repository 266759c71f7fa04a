"""Finding a prior by name, folder or hub id, checking it, and loading its parts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from vipaint_pyro.priors.pretrained.configs import FAILURES, blamed, made
from vipaint_pyro.priors.pretrained.folder import class_of, model_parts, part_of, read_json, read_labels, resolve
from vipaint_pyro.priors.pretrained.trial import tried
from vipaint_pyro.priors.pretrained.weights import check_shapes, some, variant_of
from vipaint_pyro.priors.schedulers import check_prediction
from vipaint_pyro.priors.schedules import NoiseSchedule
from vipaint_pyro.tensors import check_device
from vipaint_pyro.wording import did_you_mean

__all__ = [
    "HUB_OPTIONS", "check_safe", "dtype_asked", "load_components", "load_part", "load_scheduler", "quiet_loading",
]  # fmt: skip

#: What says how a hub id is fetched.
HUB_OPTIONS = ("cache_dir", "force_download", "local_files_only", "proxies", "revision", "token", "variant")

#: Classes and configs whose first call went well, in this process.
_TRIED: set[tuple[Any, str]] = set()

#: diffusers' old and new name for the precision of the parts.
_DTYPES = ("dtype", "torch_dtype")

#: What a folder says of a prior itself.
_KNOWN = ("null_class", "class_names", "image_size")


def quiet_loading(options: dict) -> dict:
    """Keep diffusers from warning about accelerate where that is not installed."""
    if find_spec("accelerate") is None:
        options.setdefault("low_cpu_mem_usage", False)
    return options


def check_safe(options: dict) -> None:
    """Take ``use_safetensors`` out of the options; ValueError where it is anything but True."""
    if options.pop("use_safetensors", True) is not True:
        raise ValueError("use_safetensors is always True: pickled weights can run code when opened")


def dtype_asked(options: Mapping) -> Any:
    """The precision of the parts that the options ask for, float32 where they ask for none.

    Raises:
        TypeError: where it is no ``torch.dtype`` of floating-point numbers, of which diffusers would make float32, or
            is given under both names.
    """
    import torch

    given = {name: options[name] for name in _DTYPES if options.get(name) is not None}
    if len(given) > 1:
        raise TypeError("dtype and torch_dtype are the same: give one")
    for name, value in given.items():
        if not isinstance(value, torch.dtype) or not value.is_floating_point:
            raise TypeError(f"{name} is a torch.dtype of floating-point numbers, like torch.float16, not {value!r}")
    return next(iter(given.values()), torch.float32)


def load_components(name_or_path: str | Path, **options: Any) -> dict:
    """The parts of a prior, by what its own configs say.

    Args:
        name_or_path: as for :func:`resolve`.
        options: ``dtype`` (or ``torch_dtype``) of the parts, by default float32; ``null_class`` and
            ``class_names``, by default those of the folder's model_index.json; ``image_size``; ``variant`` of the
            weights (``"fp16"``); ``device`` that they are brought to, by default the CPU; ``revision`` and other hub
            options.

    Returns:
        ``scheduler``, ``null_class``, ``class_names``, and of :data:`MODELS` what the folder has.

    Raises:
        ValueError: as :func:`resolve`, for an unknown option, and for a device that is none.
        TypeError: as :func:`dtype_asked`.
    """
    import torch

    check_safe(options)
    hub = {k: options.pop(k) for k in HUB_OPTIONS if k in options}
    dtype = dtype_asked(options)
    options = {name: value for name, value in options.items() if name not in _DTYPES}
    known = {k: options.pop(k) for k in _KNOWN if k in options}
    device = options.pop("device", None)
    check_device(device)
    if options:
        name, takes = next(iter(options)), (*_DTYPES, "device", *_KNOWN, *HUB_OPTIONS)
        raise ValueError(f"unknown option {name!r} of a prior. {did_you_mean(name, takes)}It takes {', '.join(takes)}")
    folder = resolve(name_or_path, **hub)
    for name, value in read_labels(folder).items():
        known.setdefault(name, value)
    scheduler = load_scheduler(folder)
    with torch.inference_mode(False):  # weights made in it could take part in no gradient
        parts = {
            name: load_part(name, part, quiet_loading({"torch_dtype": dtype, "variant": hub.get("variant")})).to(device)
            for name, part in model_parts(folder).items()
        }
    return {**parts, "scheduler": scheduler, **known}


def load_scheduler(folder: Path) -> Any:
    """The scheduler of a folder that was checked.

    Raises:
        ValueError: where diffusers can make none of its config, or it has no noise levels; names the field.
    """
    path = part_of(folder, "scheduler") / "scheduler_config.json"
    config = read_json(path)
    kind = class_of(config["_class_name"])
    scheduler = made(lambda c: kind.from_config(c), config, kind, str(path))
    try:
        check_prediction(scheduler, NoiseSchedule.from_scheduler(scheduler, 1))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    return scheduler


def load_part(name: str, part: Path, options: dict) -> Any:
    """One part with weights, all of them from its files.

    Args:
        name: of the part, one of :data:`~vipaint_pyro.priors.pretrained.folder.MODELS`.
        part: its folder.
        options: of diffusers' own ``from_pretrained``.

    Raises:
        ValueError: where weights are missing, too many, of another shape, not numbers or not finite; names them.
    """
    config = read_json(part / "config.json")
    kind = class_of(config.get("_class_name", "UNet2DModel" if name == "unet" else None))
    if kind.__name__ == "Transformer2DModel":
        kind = class_of("DiTTransformer2DModel")
    what = "network" if name in ("unet", "transformer") else name
    variant = variant_of(part, options.get("variant"))
    known = {key: value for key, value in config.items() if not key.startswith("_")}
    network = made(lambda c: _on_meta(kind, c), known, kind, str(part / "config.json"))
    try:
        check_shapes(network, part, variant, what)
    except ValueError as error:
        fields = blamed(lambda c: check_shapes(_on_meta(kind, c), part, variant, what), known, kind)
        raise ValueError(f"{error} (they would without {fields})" if fields else str(error)) from error
    try:
        loaded = kind.from_pretrained(part, use_safetensors=True, **{**options, "variant": variant})
    except (*FAILURES, OSError) as error:
        raise ValueError(f"the {what} in {part} cannot be loaded: {error}") from error
    broken = [key for key, value in loaded.named_parameters() if not value.isfinite().all()]
    if broken:
        raise ValueError(f"the {what} in {part} has weights that are not finite: {some(broken)}")
    return loaded


def _on_meta(kind: Any, config: Mapping) -> Any:
    """The network of a config, without memory for its weights, and called once: in a process every config once."""
    import torch

    with torch.device("meta"):
        network = kind.from_config(dict(config))
    key = kind, json.dumps(dict(config), sort_keys=True, default=repr)
    if key not in _TRIED:
        tried(network)
        _TRIED.add(key)
    return network
