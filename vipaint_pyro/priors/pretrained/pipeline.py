"""The parts of a prior as a pipeline: ours checked and loaded here, what reads text by diffusers."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from vipaint_pyro.priors.pretrained.configs import FAILURES
from vipaint_pyro.priors.pretrained.folder import model_parts, read_labels, resolve
from vipaint_pyro.priors.pretrained.index import TEXT_COMPONENTS, class_in_index, read_index
from vipaint_pyro.priors.pretrained.loading import (
    HUB_OPTIONS,
    check_safe,
    dtype_asked,
    load_part,
    load_scheduler,
    quiet_loading,
)

__all__ = ["load_pipeline"]

#: diffusers' options that say where weights are put.
_PLACING = (
    "device_map", "disable_mmap", "low_cpu_mem_usage", "max_memory", "offload_folder", "offload_state_dict",
    "quantization_config",
)  # fmt: skip


def load_pipeline(
    kind: Callable, load: Callable, name_or_path: str | Path, options: Mapping
) -> tuple[Any, Path]:
    """A pipeline of a prior, and the folder that it was found in.

    Args:
        kind: the pipeline's class.
        load: its inherited ``from_pretrained``.
        name_or_path, options: of its own ``from_pretrained``.

    Raises:
        ValueError, OSError: where it is no prior that can be loaded.
        TypeError: for an option that there is not, or a precision that is none.
        ImportError: without what reads text, where the prior takes some.
    """
    options = dict(options)
    check_safe(options)
    fields = [name for name in inspect.signature(kind.__init__).parameters if name != "self"]
    known = [*HUB_OPTIONS, "dtype", "torch_dtype", *_PLACING, *fields]
    unknown = [name for name in options if name not in known]
    if unknown:
        raise TypeError(f"from_pretrained has no option {unknown[0]!r}; it has {', '.join(known)}")
    dtype = dtype_asked(options)
    hub = {name: options.pop(name) for name in HUB_OPTIONS if name in options}
    folder = resolve(name_or_path, **hub)
    indexed = (folder / "model_index.json").is_file()
    diffusers_own = [name for name in _PLACING if name in options and name != "low_cpu_mem_usage"]
    if diffusers_own and not indexed:
        raise ValueError(
            f"{diffusers_own[0]} is for diffusers' own loading, which {folder} has no model_index.json for: leave it "
            "out"
        )
    for name, value in read_labels(folder).items():
        options.setdefault(name, value)
    quiet_loading(options)
    placed = {name: options[name] for name in options if name == "low_cpu_mem_usage"}
    taken = {"torch_dtype": dtype, "variant": hub.get("variant"), **placed}
    if "scheduler" not in options:
        options["scheduler"] = load_scheduler(folder)
    if not {"device_map", "quantization_config"} & options.keys():  # these are diffusers' own to load
        parts = {name: part for name, part in model_parts(folder).items() if name not in options}
        options |= {name: load_part(name, part, taken) for name, part in parts.items()}
    if not indexed:
        return kind(**{name: value for name, value in options.items() if name in fields}), folder
    return _with_text(load, folder, {**options, "variant": taken["variant"]}), folder


def _with_text(load: Callable, folder: Path, options: Mapping) -> Any:
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
