"""A diffusers folder, written all at once or not at all."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from diffusers import SchedulerMixin, __version__
from torch import Tensor, nn

from vipaint_pyro.files import check_replaceable, replacing, tensor_errors

__all__ = ["check_free", "on_meta", "write"]


def on_meta(kind: type[nn.Module], settings: Mapping) -> Any:
    """A network without memory for its parameters."""
    with torch.device("meta"):
        return kind(**settings)


def check_free(out: str | Path) -> Path:
    """The path of a folder to be written.

    Raises:
        FileExistsError: where a file or a folder with something in it is there already.
        ValueError: where no folder can be written.
    """
    out = Path(out)
    if os.path.isfile(out):
        raise FileExistsError(f"{out} exists already, and is not overwritten")
    check_replaceable(out)
    if out.is_dir() and any(out.iterdir()):
        raise FileExistsError(f"{out} exists already, and is not overwritten")
    return out


def write(
    out: Path,
    pipeline: str,
    networks: Mapping[str, Any],
    weights: Mapping[str, Mapping[str, Tensor]],
    scheduler: SchedulerMixin,
    **entries: Any,
) -> Path:
    """Write networks, scheduler and model_index.json as ``save_pretrained`` of a pipeline does.

    Args:
        out: the folder; see :func:`check_free`.
        pipeline: name of the pipeline's class.
        networks: by name, on the ``meta`` device; they are given their weights.
        weights: their state dicts.
        scheduler: saved as ``scheduler``.
        entries: further entries of model_index.json.

    Raises:
        FileExistsError: as :func:`check_free`.
    """
    with replacing(out, overwrite=False) as folder:
        index: dict = {"_class_name": pipeline, "_diffusers_version": __version__, **entries}
        for name, network in networks.items():
            network.load_state_dict(weights[name], assign=True)
            with tensor_errors():
                network.save_pretrained(folder / name)
        scheduler.save_pretrained(folder / "scheduler")
        for name, part in {**networks, "scheduler": scheduler}.items():
            module = type(part).__module__
            index[name] = ["diffusers" if module.startswith("diffusers.") else module, type(part).__name__]
        (folder / "model_index.json").write_text(json.dumps(index, indent=2, sort_keys=True) + "\n")
    return out
