"""Finding a prior by name, folder or hub id, checking it, and loading its parts."""

from __future__ import annotations

import json
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

__all__ = ["BUILT_IN", "load_components", "resolve"]

#: Priors that ship with the package: name -> one line about it.
BUILT_IN = {"fashion-mnist": "28x28 greyscale pictures of clothes, 10 classes and none; pixel space"}

_PICKLES = (".bin", ".ckpt", ".pt", ".pth", ".pkl")
_HUB_OPTIONS = ("cache_dir", "force_download", "local_files_only", "proxies", "revision", "token", "variant")


def resolve(name_or_path: str | Path, **hub_options) -> Path:
    """The folder of a prior, checked to hold a pixel-space diffusion model in safetensors.

    Args:
        name_or_path: a name of :data:`BUILT_IN`, a folder, or a hub id ``owner/name``.
        hub_options: ``revision``, ``cache_dir``, ``local_files_only`` ... for a hub id.

    Raises:
        ValueError: for a name that is none of these, or a folder that is no such prior; the
            message says what is missing and how to mend it.
        OSError: where the hub cannot be reached or does not know the id.
    """
    name = str(name_or_path)
    if name in BUILT_IN:
        return Path(str(files("vipaint_pyro") / "assets" / name))
    folder = Path(name)
    if folder.is_dir():
        _check(folder)
        return folder
    if folder.exists():
        raise ValueError(
            f"prior {name!r} is a file; give the folder that holds model_index.json, or unet/ and scheduler/"
        )
    if name.count("/") != 1 or name.startswith((".", "/", "~")) or name.endswith("/"):
        raise ValueError(
            f"unknown prior {name!r}: it is neither built in ({', '.join(BUILT_IN)}), nor a folder, "
            "nor a hub id like owner/name"
        )
    from diffusers import DiffusionPipeline

    try:
        folder = Path(DiffusionPipeline.download(name, use_safetensors=True, **hub_options))
    except Exception as error:  # the hub's own errors are many, and some are not exported
        raise OSError(
            f"prior {name!r} is no built-in prior ({', '.join(BUILT_IN)}) and no folder here, and the "
            f"hub did not give it: {str(error).splitlines()[0] if str(error) else type(error).__name__}"
        ) from error
    _check(folder)
    return folder


def _read_json(path: Path) -> dict:
    try:
        value = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise ValueError(f"{path} cannot be read as JSON: {error}") from error
    if not isinstance(value, dict):
        raise ValueError(f"{path} holds no JSON object")
    return value


def _part(folder: Path, name: str) -> Path:
    """Where a component lies: in its own subfolder, or in the root as in the oldest hub models."""
    return folder / name if (folder / name).is_dir() else folder


def _check(folder: Path) -> None:
    """Raise ValueError where the folder is no pixel-space prior with safetensors weights."""
    if (folder / "model_index.json").is_file():
        index = _read_json(folder / "model_index.json")
        latent = [n for n in ("vae", "vqvae", "movq") if n in index]
        if latent:
            raise ValueError(
                f"{folder} is a latent diffusion model (it has a {latent[0]}); pixel-space priors "
                "with a UNet2DModel and a scheduler can be loaded"
            )
    unet, scheduler = _part(folder, "unet"), _part(folder, "scheduler")
    for path, what in ((unet / "config.json", "network"), (scheduler / "scheduler_config.json", "scheduler")):
        if not path.is_file():
            raise ValueError(
                f"{folder} is no diffusion prior: the {what}'s {path.relative_to(folder)} is missing. A "
                "prior is a folder as diffusers' save_pretrained writes it, with unet/ and scheduler/"
            )
    kind = _read_json(unet / "config.json").get("_class_name", "UNet2DModel")
    if kind != "UNet2DModel":
        raise ValueError(f"the network in {unet} is a {kind}; a pixel-space prior has a UNet2DModel")
    if not list(unet.glob("*.safetensors")):
        pickles = sorted(p.name for p in unet.iterdir() if p.suffix in _PICKLES)
        if pickles:
            raise ValueError(
                f"{unet} holds its weights as a pickle ({pickles[0]}), which can run any code when it "
                "is opened. If you trust its source, convert it once: UNet2DModel.from_pretrained("
                f"{str(unet)!r}, use_safetensors=False).save_pretrained({str(unet)!r})"
            )
        raise ValueError(f"{unet} holds no weights: expected diffusion_pytorch_model.safetensors")


def quiet_loading(options: dict) -> dict:
    """Keep diffusers from warning about accelerate where that is not installed."""
    if find_spec("accelerate") is None:
        options.setdefault("low_cpu_mem_usage", False)
    return options


def load_components(name_or_path: str | Path, **options) -> dict:
    """The parts of a prior, by what its own configs say.

    Args:
        name_or_path: as for :func:`resolve`.
        options: ``dtype`` (or ``torch_dtype``) of the network, by default float32; ``null_class``
            and ``class_names``, by default those of the folder's model_index.json; hub options.

    Returns:
        ``unet``, ``scheduler``, ``null_class`` and ``class_names``.

    Raises:
        ValueError: as :func:`resolve`, and for an unknown option or a scheduler that diffusers
            does not have.
    """
    import diffusers
    import torch

    hub = {k: options.pop(k) for k in _HUB_OPTIONS if k in options}
    dtype = options.pop("dtype", None) or options.pop("torch_dtype", None) or torch.float32
    known = {k: options.pop(k) for k in ("null_class", "class_names") if k in options}
    if options.pop("use_safetensors", True) is not True:
        raise ValueError("use_safetensors is always True: pickled weights can run code when opened")
    if options:
        raise ValueError(f"unknown option {next(iter(options))!r} of a prior")
    folder = resolve(name_or_path, **hub)
    index = folder / "model_index.json"
    given = _read_json(index) if index.is_file() else {}
    for name in ("null_class", "class_names"):
        known.setdefault(name, given.get(name))
    config = _read_json(_part(folder, "scheduler") / "scheduler_config.json")
    kind = getattr(diffusers, str(config.get("_class_name")), None)
    if kind is None or not hasattr(kind, "from_config"):
        raise ValueError(f"{folder} names the scheduler {config.get('_class_name')!r}, unknown to diffusers")
    try:
        unet = diffusers.UNet2DModel.from_pretrained(
            _part(folder, "unet"),
            use_safetensors=True,
            **quiet_loading({"torch_dtype": dtype, "variant": hub.get("variant")}),
        )
    except (OSError, RuntimeError, ValueError) as error:
        raise ValueError(f"the network in {_part(folder, 'unet')} cannot be loaded: {error}") from error
    return {"unet": unet, "scheduler": kind.from_config(config), **known}
