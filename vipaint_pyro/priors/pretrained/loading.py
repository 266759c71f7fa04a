"""Finding a prior by name, folder or hub id, checking it, and loading its parts."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from vipaint_pyro.priors.pretrained.folder import OWN, model_parts, part_of, read_json, read_labels, resolve

__all__ = ["load_components", "load_part"]

_HUB_OPTIONS = ("cache_dir", "force_download", "local_files_only", "proxies", "revision", "token", "variant")
#: safetensors' names of whole numbers.
_WHOLE = ("I8", "U8", "I16", "U16", "I32", "U32", "I64", "U64", "BOOL")


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
    config = read_json(part_of(folder, "scheduler") / "scheduler_config.json")
    kind = getattr(diffusers, str(config.get("_class_name")), None)
    if kind is None or not hasattr(kind, "from_config"):
        raise ValueError(f"{folder} names the scheduler {config.get('_class_name')!r}, unknown to diffusers")
    with torch.inference_mode(False):  # weights made in it could take part in no gradient
        parts = {
            name: load_part(name, part, quiet_loading({"torch_dtype": dtype, "variant": hub.get("variant")}))
            for name, part in model_parts(folder).items()
        }
    return {**parts, "scheduler": kind.from_config(config), **known}


def load_part(name: str, part: Path, options: dict):
    """One part with weights, all of them from its files.

    Args:
        name: of the part, one of :data:`~vipaint_pyro.priors.pretrained.folder.MODELS`.
        part: its folder.
        options: of diffusers' own ``from_pretrained``.

    Raises:
        ValueError: where weights are missing, too many, of another shape, not numbers or not finite; names them.
    """
    import diffusers

    default = "UNet2DModel" if name == "unet" else None
    kind = read_json(part / "config.json").get("_class_name", default)
    what = "network" if name in ("unet", "transformer") else name
    model = getattr(import_module(OWN[kind]), kind) if kind in OWN else getattr(diffusers, kind)
    _check_whole_numbers(part, what)
    try:
        loaded, found = model.from_pretrained(part, use_safetensors=True, output_loading_info=True, **options)
    except (OSError, RuntimeError, ValueError) as error:
        raise ValueError(f"the {what} in {part} cannot be loaded: {error}") from error
    for key, said in (("missing_keys", "lacks"), ("unexpected_keys", "has weights that are none of its network's:")):
        if found[key]:
            names = _some(found[key])
            raise ValueError(f"the {what} in {part} {said} {names}; weights and config.json do not belong together")
    broken = [key for key, value in loaded.named_parameters() if not value.isfinite().all()]
    if broken:
        raise ValueError(f"the {what} in {part} has weights that are not finite: {_some(broken)}")
    return loaded


def _check_whole_numbers(part: Path, what: str) -> None:
    """Raise ValueError where weights are whole numbers: loading would make other ones of them without a word."""
    from safetensors import SafetensorError, safe_open

    for path in sorted(part.glob("*.safetensors")):
        try:
            with safe_open(path, "pt") as file:
                wrong = [key for key in file.keys() if file.get_slice(key).get_dtype() in _WHOLE]
        except (SafetensorError, OSError) as error:
            raise ValueError(f"the {what} in {part} cannot be loaded: {path.name} is damaged ({error})") from error
        if wrong:
            raise ValueError(f"the {what} in {part} has weights that are whole numbers (quantised?): {_some(wrong)}")


def _some(names) -> str:
    """Names, the first few of many."""
    names = sorted(names)
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
