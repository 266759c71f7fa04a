"""The folder of a prior: found by name, path or hub id, and checked before anything is loaded."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path

__all__ = ["BUILT_IN", "MODELS", "OWN", "model_parts", "part_of", "read_json", "read_labels", "resolve"]


#: Priors that ship with the package: name -> one line about it.
BUILT_IN = {
    "fashion-mnist": "28x28 greyscale pictures of clothes, 10 classes and none; pixel space",
    "cartoon-faces": "64x64 colour cartoon faces, labelled by what is on the head, or not; latent space",
}


_PICKLES = (".bin", ".ckpt", ".pt", ".pth", ".pkl")


def resolve(name_or_path: str | Path, **hub_options) -> Path:
    """The folder of a prior, checked to hold a diffusion model that is known here, in safetensors.

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
    if folder.is_dir() and name.strip():  # the empty text would be the folder one is in
        _check(folder)
        return folder
    if folder.is_file():
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
        cause = error
        while cause.__cause__ or cause.__context__:  # diffusers' own message points at a stack trace
            cause = cause.__cause__ or cause.__context__
        reason = str(cause).splitlines()[0] if str(cause) else type(cause).__name__
        raise OSError(
            f"prior {name!r} is no built-in prior ({', '.join(BUILT_IN)}) and no folder here, and the hub did not "
            f"give it: {reason}. Check the id and the network, or fetch it elsewhere and give its folder"
        ) from error
    _check(folder)
    return folder


def read_json(path: Path) -> dict:
    """An object from a JSON file; ValueError where there is none."""
    try:
        value = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise ValueError(f"{path} cannot be read as JSON: {error}") from error
    if not isinstance(value, dict):
        raise ValueError(f"{path} holds no JSON object")
    return value


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


# Networks that diffusers lacks: class -> where it lies here.
OWN = {
    "ClassEmbedder": "vipaint_pyro.networks.class_embedder",
    "OpenAIUNet2DModel": "vipaint_pyro.networks.openai_unet",
}


def model_parts(folder: Path) -> dict[str, Path]:
    """The parts with weights that a folder has, and where each lies."""
    present = {name: folder / name for name in MODELS if (folder / name).is_dir()}
    if "unet" not in present and "transformer" not in present:
        present["unet"] = folder  # the oldest hub models are flat
    return present


def _check(folder: Path) -> None:
    """Raise ValueError where the folder is no prior with safetensors weights."""
    index = read_json(folder / "model_index.json") if (folder / "model_index.json").is_file() else {}
    if "movq" in index or "prior" in index:
        raise ValueError(f"{folder} is a {index.get('_class_name')}, a family of models that is not known here")
    models, scheduler = model_parts(folder), part_of(folder, "scheduler")
    network = models.get("unet") or models["transformer"]
    for path, what in ((network / "config.json", "network"), (scheduler / "scheduler_config.json", "scheduler")):
        if not path.is_file():
            raise ValueError(
                f"{folder} is no diffusion prior: the {what}'s {path.relative_to(folder)} is missing. A "
                "prior is a folder as diffusers' save_pretrained writes it, with unet/ (or transformer/) and scheduler/"
            )
    _check_scheduler(index, scheduler)
    for name, part in models.items():
        kind = read_json(part / "config.json").get("_class_name", "UNet2DModel" if name == "unet" else None)
        if kind not in MODELS[name]:
            raise ValueError(f"the {name} in {part} is a {kind}; known here are {', '.join(MODELS[name])}")
        _check_weights(part, kind)
    for name in ("vae", "vqvae"):
        if name in index and index[name][0] is not None and name not in models:
            raise ValueError(f"{folder} is a latent diffusion model, but its {name}/ is missing")


def _check_scheduler(index: dict, scheduler: Path) -> None:
    """Raise ValueError where a folder's two words for its scheduler differ: they would be two priors."""
    named = (index.get("scheduler") or [None, None])[1]
    own = read_json(scheduler / "scheduler_config.json").get("_class_name")
    if named is not None and own is not None and named != own:
        raise ValueError(
            f"{scheduler.parent} names the scheduler {named} in model_index.json and {own} in "
            f"{scheduler.name}/scheduler_config.json: make them agree"
        )


def _check_weights(part: Path, kind: str) -> None:
    """Raise ValueError where a part's weights are no safetensors."""
    if not list(part.glob("*.safetensors")):
        pickles = sorted(p.name for p in part.iterdir() if p.suffix in _PICKLES)
        if pickles:
            raise ValueError(
                f"{part} holds its weights as a pickle ({pickles[0]}), which can run any code when it "
                f"is opened. If you trust its source, convert it once: {kind}.from_pretrained("
                f"{str(part)!r}, use_safetensors=False).save_pretrained({str(part)!r})"
            )
        raise ValueError(f"{part} holds no weights: expected diffusion_pytorch_model.safetensors")


def read_labels(folder: Path) -> dict:
    """``null_class`` and ``class_names`` as the folder's model_index.json says; a DiT's ``id2label`` too."""
    index = folder / "model_index.json"
    given = read_json(index) if index.is_file() else {}
    known = {name: given.get(name) for name in ("null_class", "class_names")}
    labels = given.get("id2label")
    if known["class_names"] is None and isinstance(labels, dict):
        # ImageNet's names are lists of synonyms, and two classes share a first one: "crane".
        known["class_names"] = [labels[str(k)].split(",")[0].strip() for k in range(len(labels))]
    return known
