"""The folder of a prior: found by name, path or hub id, and checked before anything is loaded."""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib import import_module
from importlib.resources import files
from pathlib import Path
from typing import Any

from vipaint_pyro.priors.pretrained.built_in import BUILT_IN
from vipaint_pyro.priors.pretrained.hub import download
from vipaint_pyro.priors.pretrained.index import class_in_index, read_index, read_labels
from vipaint_pyro.priors.pretrained.jsons import read_json
from vipaint_pyro.priors.pretrained.weights import check_weights, variant_of
from vipaint_pyro.wording import did_you_mean

__all__ = [
    "MODELS", "OWN", "check_name", "class_of", "model_parts", "part_of", "parts_kept", "read_json", "read_labels",
    "resolve",
]  # fmt: skip


def resolve(name_or_path: str | Path, **hub_options: Any) -> Path:
    """The folder of a prior, checked to hold a diffusion model that is known here, in safetensors.

    Args:
        name_or_path: a name of :data:`~vipaint_pyro.priors.pretrained.built_in.BUILT_IN`, a folder, or a hub id
            ``owner/name``.
        hub_options: ``variant`` of the weights; ``revision``, ``cache_dir``, ``local_files_only`` ... for a hub id.

    Raises:
        ValueError: for a name that is none of these, or a folder that is no such prior; the
            message says what is missing and how to mend it.
        OSError: where the hub cannot be reached or does not know the id.
    """
    name, variant = str(name_or_path), hub_options.get("variant")
    for option in ("variant", "revision"):
        given = hub_options.get(option)
        if given is not None and (not isinstance(given, str) or not given or ("/" in given and option == "variant")):
            raise ValueError(f"{option} is a word, like {'fp16' if option == 'variant' else 'main'!r}, not {given!r}")
    here = name in BUILT_IN or Path(name).is_dir()
    if here and hub_options.get("revision") is not None:
        raise ValueError(f"revision is of a hub id, and {name!r} is {'built in' if name in BUILT_IN else 'a folder'}")
    if name in BUILT_IN:
        if variant is not None:
            raise ValueError(f"the built-in prior {name!r} has no variant {variant!r}: leave it out")
        return Path(str(files("vipaint_pyro") / "assets" / name))
    folder = Path(name)
    check_name(name)
    if not folder.is_dir():
        folder = download(name, ", ".join(BUILT_IN), **hub_options)
    _check(folder, variant)
    return folder


def check_name(name: str) -> None:
    """Raise ValueError for a name that no prior can have: neither built in, nor a folder, nor like a hub id."""
    folder = Path(name)
    if name in BUILT_IN or (name.strip() and folder.is_dir()):  # the empty text would be the folder one is in
        return
    if name.strip() and os.path.lexists(folder):
        what = "is a file" if folder.exists() else "is a link that leads nowhere"
        raise ValueError(
            f"prior {name!r} {what}; give the folder that holds model_index.json, or unet/ and scheduler/"
        )
    if name.count("/") != 1 or name.startswith((".", "/", "~")) or name.endswith("/"):
        raise ValueError(
            f"unknown prior {name!r}. {did_you_mean(name, BUILT_IN)}It is neither built in "
            f"({', '.join(BUILT_IN)}), nor a folder, nor a hub id like owner/name"
        )


def part_of(folder: Path, name: str) -> Path:
    """Where a component lies: in its own subfolder, or in the root as in the oldest hub models."""
    return folder / name if (folder / name).is_dir() else folder


#: The parts of a prior that hold weights, and the classes that each may be of.
MODELS = {
    "unet": ("UNet2DModel", "UNet2DConditionModel", "OpenAIUNet2DModel"),
    "transformer": ("DiTTransformer2DModel", "Transformer2DModel", "SD3Transformer2DModel", "FluxTransformer2DModel"),
    "vae": ("AutoencoderKL", "VQModel"),
    "vqvae": ("AutoencoderKL", "VQModel"),
    "class_embedder": ("ClassEmbedder",),
}


def parts_kept(given: Mapping[str, Any]) -> bool:
    """Whether a call's keywords leave the parts that the range of a prior's pictures was measured with."""
    return not {*MODELS, "scheduler", "image_size"} & given.keys()


# Networks that diffusers lacks: class -> where it lies here.
OWN = {
    "ClassEmbedder": "vipaint_pyro.networks.class_embedder",
    "OpenAIUNet2DModel": "vipaint_pyro.networks.openai_unet",
}


def class_of(name: str | None) -> Any:
    """A class of diffusers, or of :data:`OWN`, by name; None where there is none."""
    import diffusers

    if name is None:
        return None
    return vars(import_module(OWN[name]))[name] if name in OWN else getattr(diffusers, name, None)


def model_parts(folder: Path) -> dict[str, Path]:
    """The parts with weights that a folder has, and where each lies."""
    present = {name: folder / name for name in MODELS if (folder / name).is_dir()}
    if "unet" not in present and "transformer" not in present:
        present["unet"] = folder  # the oldest hub models are flat
    return present


def _check(folder: Path, variant: str | None) -> None:
    """Raise ValueError where the folder is no prior with safetensors weights."""
    index = read_index(folder)
    if "movq" in index or "prior" in index:
        raise ValueError(f"{folder} is a {index.get('_class_name')}, a family of models that is not known here")
    models, scheduler = model_parts(folder), part_of(folder, "scheduler")
    if {"unet", "transformer"} <= models.keys() or {"vae", "vqvae"} <= models.keys():
        raise ValueError(f"{folder} holds {' and '.join(models)}: a prior has one network and at most one autoencoder")
    network = models.get("unet") or models["transformer"]
    for path, what in ((network / "config.json", "network"), (scheduler / "scheduler_config.json", "scheduler")):
        if not path.is_file():
            raise ValueError(
                f"{folder} is no diffusion prior: the {what}'s {path.relative_to(folder)} is missing. A "
                "prior is a folder as diffusers' save_pretrained writes it, with unet/ (or transformer/) and scheduler/"
            )
    _check_scheduler(index, scheduler)
    for name, part in models.items():
        kind = _check_part(name, part, index)
        check_weights(part, kind, variant)
    if variant is not None and not any(variant_of(part, variant) for part in models.values()):
        raise ValueError(f"{folder} holds no weights of the variant {variant!r}: leave it out, or give one that it has")
    for name in MODELS:
        if class_in_index(index, name) is not None and name not in models:
            raise ValueError(
                f"{folder} is a latent diffusion model, but its {name}/ is missing" if name in ("vae", "vqvae")
                else f"{folder}/model_index.json names a {name}, but its {name}/ is missing"
            )  # fmt: skip


def _check_part(name: str, part: Path, index: Mapping) -> str:
    """The class of a part with weights, its config checked."""
    from vipaint_pyro.priors.pretrained.configs import check_parts_config, constructor

    path = part / "config.json"
    config = read_json(path)
    kind = config.get("_class_name", "UNet2DModel" if name == "unet" else None)
    if kind not in MODELS[name]:
        raise ValueError(f"the {name} in {part} is a {kind}; known here are {', '.join(MODELS[name])} (_class_name)")
    named = class_in_index(index, name)
    if named is not None and named != kind and {named, kind} != {"Transformer2DModel", "DiTTransformer2DModel"}:
        raise ValueError(
            f"{part.parent} names the {name} {named} in model_index.json and {kind} in {name}/config.json: make them "
            "agree"
        )
    if kind == "Transformer2DModel":  # as DiT was called before it had a class of its own
        if config.get("norm_type") != "ada_norm_zero":
            raise ValueError(f"{path}: a Transformer2DModel with norm_type = {config.get('norm_type')!r} is no DiT")
        own = constructor(class_of("DiTTransformer2DModel"))
        check_parts_config({k: v for k, v in config.items() if k in own}, class_of("DiTTransformer2DModel"), str(path))
    else:
        check_parts_config(config, class_of(kind), str(path))
    return kind


def _check_scheduler(index: Mapping, scheduler: Path) -> None:
    """Raise ValueError for a config that cannot be, or where a folder's two words for its scheduler differ."""
    from vipaint_pyro.priors.pretrained.configs import check_parts_config

    path = scheduler / "scheduler_config.json"
    config, named = read_json(path), class_in_index(index, "scheduler")
    own = config.get("_class_name")
    kind = class_of(own) if isinstance(own, str) and own.isidentifier() else None
    if not isinstance(kind, type) or not str(own).endswith("Scheduler"):
        raise ValueError(f"{path}: _class_name names the scheduler {own!r}, unknown to diffusers")
    if named is not None and named != own:
        raise ValueError(
            f"{scheduler.parent} names the scheduler {named} in model_index.json and {own} in "
            f"{scheduler.name}/scheduler_config.json: make them agree"
        )
    check_parts_config(config, kind, str(path))
