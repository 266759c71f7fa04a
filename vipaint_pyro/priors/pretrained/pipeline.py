"""The parts of a prior as a pipeline: ours checked and loaded here, what reads text by diffusers."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from pathlib import Path

from vipaint_pyro.priors.pretrained.configs import FAILURES
from vipaint_pyro.priors.pretrained.folder import model_parts, read_labels, resolve
from vipaint_pyro.priors.pretrained.index import class_in_index, read_index
from vipaint_pyro.priors.pretrained.loading import (
    HUB_OPTIONS,
    load_components,
    load_part,
    load_scheduler,
    quiet_loading,
)
from vipaint_pyro.priors.pretrained.text import TEXT_COMPONENTS

__all__ = ["load_pipeline"]

#: diffusers' options that say where weights are put.
_PLACING = (
    "device_map", "disable_mmap", "low_cpu_mem_usage", "max_memory", "offload_folder", "offload_state_dict",
    "quantization_config",
)  # fmt: skip


def load_pipeline(kind: Callable, load: Callable, name_or_path: str | Path, options: Mapping):
    """A pipeline of a prior.

    Args:
        kind: the pipeline's class.
        load: its inherited ``from_pretrained``.
        name_or_path, options: of its own ``from_pretrained``.

    Raises:
        ValueError, OSError: where it is no prior that can be loaded.
        TypeError: for an option that there is not.
        ImportError: without what reads text, where the prior takes some.
    """
    import torch

    options = dict(options)
    if options.pop("use_safetensors", True) is not True:
        raise ValueError("use_safetensors is always True: pickled weights can run code when opened")
    fields = [name for name in inspect.signature(kind.__init__).parameters if name != "self"]
    known = [*HUB_OPTIONS, "dtype", "torch_dtype", *_PLACING, *fields]
    unknown = [name for name in options if name not in known]
    if unknown:
        raise TypeError(f"from_pretrained has no option {unknown[0]!r}; it has {', '.join(known)}")
    hub = {name: options.pop(name) for name in HUB_OPTIONS if name in options}
    folder = resolve(name_or_path, **hub)
    variant = hub.get("variant")
    if not (folder / "model_index.json").is_file():
        return kind(**load_components(folder, **options, variant=variant))
    for name, value in read_labels(folder).items():
        options.setdefault(name, value)
    quiet_loading(options)
    if variant is not None:
        options["variant"] = variant
    taken = {"torch_dtype": options.get("torch_dtype") or options.get("dtype") or torch.float32}
    taken |= {name: options[name] for name in ("variant", "low_cpu_mem_usage") if name in options}
    if "scheduler" not in options:
        options["scheduler"] = load_scheduler(folder)
    if not {"device_map", "quantization_config"} & options.keys():  # these are diffusers' own to load
        parts = {name: part for name, part in model_parts(folder).items() if name not in options}
        options |= {name: load_part(name, part, taken) for name, part in parts.items()}
    return _with_text(load, folder, options)


def _with_text(load: Callable, folder: Path, options: Mapping):
    """The pipeline, by diffusers' own loading of what is not loaded yet: tokenizers and text encoders."""
    index = read_index(folder)
    for name in TEXT_COMPONENTS:
        if class_in_index(index, name) is not None and name not in options and not (folder / name).is_dir():
            raise ValueError(f"{folder}/model_index.json names a {name}, but its {name}/ is missing")
    try:
        return load(str(folder), use_safetensors=True, **options)
    except ImportError:
        raise
    except (*FAILURES, OSError) as error:
        raise ValueError(f"{folder} cannot be loaded: {error}") from error
