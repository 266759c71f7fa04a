"""Finding a prior by name, folder or hub id, checking it, and loading its parts."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from vipaint_pyro.priors.pretrained.folder import _OWN, _models, _part, _read_json, read_labels, resolve

__all__ = ["load_components"]

_HUB_OPTIONS = ("cache_dir", "force_download", "local_files_only", "proxies", "revision", "token", "variant")


def quiet_loading(options: dict) -> dict:
    """Keep diffusers from warning about accelerate where that is not installed."""
    if find_spec("accelerate") is None:
        options.setdefault("low_cpu_mem_usage", False)
    return options


def load_components(name_or_path: str | Path, **options) -> dict:
    """The parts of a prior, by what its own configs say.

    Args:
        name_or_path: as for :func:`resolve`.
        options: ``dtype`` (or ``torch_dtype``) of the parts, by default float32; ``null_class`` and
            ``class_names``, by default those of the folder's model_index.json; ``image_size``; hub options.

    Returns:
        ``scheduler``, ``null_class``, ``class_names``, and of :data:`MODELS` what the folder has.

    Raises:
        ValueError: as :func:`resolve`, and for an unknown option or a scheduler that diffusers
            does not have.
    """
    import diffusers
    import torch

    hub = {k: options.pop(k) for k in _HUB_OPTIONS if k in options}
    dtype = options.pop("dtype", None) or options.pop("torch_dtype", None) or torch.float32
    known = {k: options.pop(k) for k in ("null_class", "class_names", "image_size") if k in options}
    if options.pop("use_safetensors", True) is not True:
        raise ValueError("use_safetensors is always True: pickled weights can run code when opened")
    if options:
        raise ValueError(f"unknown option {next(iter(options))!r} of a prior")
    folder = resolve(name_or_path, **hub)
    for name, value in read_labels(folder).items():
        known.setdefault(name, value)
    config = _read_json(_part(folder, "scheduler") / "scheduler_config.json")
    kind = getattr(diffusers, str(config.get("_class_name")), None)
    if kind is None or not hasattr(kind, "from_config"):
        raise ValueError(f"{folder} names the scheduler {config.get('_class_name')!r}, unknown to diffusers")
    with torch.inference_mode(False):  # weights made in it could take part in no gradient
        parts = {
            name: _load(name, part, quiet_loading({"torch_dtype": dtype, "variant": hub.get("variant")}))
            for name, part in _models(folder).items()
        }
    return {**parts, "scheduler": kind.from_config(config), **known}


def _load(name: str, part: Path, options: dict):
    """One part with weights."""
    import diffusers

    default = "UNet2DModel" if name == "unet" else None
    kind = _read_json(part / "config.json").get("_class_name", default)
    if kind in _OWN:
        model = getattr(import_module(_OWN[kind]), kind)
    else:
        model = getattr(diffusers, kind)
    try:
        return model.from_pretrained(part, use_safetensors=True, **options)
    except (OSError, RuntimeError, ValueError) as error:
        what = "network" if name in ("unet", "transformer") else name
        raise ValueError(f"the {what} in {part} cannot be loaded: {error}") from error
