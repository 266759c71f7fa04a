"""A checkpoint's tensors: read without running its code, checked, and put in diffusers' order."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from vipaint_pyro.convert.names import Source

__all__ = ["collect", "read_state_dict"]


class _Inert:
    """Stands for an object of the training state, of which nothing is used."""

    def __init__(self, *args: Any, **kwargs: Any) -> None: ...

    def __setstate__(self, state: object) -> None: ...


#: What CompVis' trainers store beside the weights: callbacks of Lightning, numbers of numpy.
_IGNORED_MODULES = ("pytorch_lightning.", "lightning.", "numpy.")


def read_state_dict(path: str | Path) -> dict[str, Tensor]:
    """The tensors of a checkpoint, on the CPU, by name.

    Args:
        path: a ``.safetensors`` file, or one of ``torch.save``; its ``state_dict`` entry where it has one. The
            latter is read with ``weights_only=True``: no code of it runs. Objects of Lightning and numpy in its
            training state are read as blanks.

    Raises:
        ValueError: where it is no such file, or holds objects of other kinds.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"there is no checkpoint file {path}")
    if path.suffix == ".safetensors":
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        try:
            return load_file(path)
        except (SafetensorError, OSError) as error:
            raise ValueError(f"{path} cannot be read as safetensors: {error}") from error
    try:
        unknown = torch.serialization.get_unsafe_globals_in_checkpoint(path)
    except Exception:  # no zip file: an older format, or none; torch.load says which
        unknown = []
    blanks: list[Any] = [(_Inert, name) for name in unknown if name.startswith(_IGNORED_MODULES)]
    try:
        with torch.serialization.safe_globals(blanks):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # the unpickler raises whatever it stumbles over
        other = [name for name in unknown if not name.startswith(_IGNORED_MODULES)]
        reason = f"it holds {', '.join(other[:3])}, and loading that could run code" if other else "or is damaged"
        raise ValueError(f"{path} is no checkpoint of tensors alone, as torch.save writes them, {reason}") from error
    if isinstance(content, Mapping) and isinstance(content.get("state_dict"), Mapping):
        content = content["state_dict"]
    pairs = content.items() if isinstance(content, Mapping) else [(None, None)]
    if not all(isinstance(name, str) and isinstance(value, Tensor) for name, value in pairs):
        raise ValueError(f"{path} holds no state dict: a mapping from names (texts) to tensors")
    return dict(content)


def _shape(tensor: Tensor, source: Source) -> tuple[int, ...]:
    """A 1x1 convolution's shape is that of the linear map: it may be stored for one axis or for two."""
    shape = tuple(tensor.shape)
    while source.pointwise and len(shape) > 2 and shape[-1] == 1:
        shape = shape[:-1]
    return shape


def _part(tensor: Tensor, part: int, groups: int) -> Tensor:
    """q, k or v out of rows that run over (groups, 3, rest)."""
    rows = tensor.reshape(groups, 3, -1, *tensor.shape[1:])
    return rows[:, part].reshape(-1, *tensor.shape[1:])


def _list(title: str, names: Collection[str]) -> list[str]:
    few = sorted(names)[:3]
    return [f"{len(names)} {title} ({', '.join(few)}{', ...' if len(names) > len(few) else ''})"] if names else []


def collect(
    networks: Mapping[str, nn.Module],
    sources: Mapping[str, Mapping[str, Source]],
    state: Mapping[str, Tensor],
    what: str,
    groups: int = 1,
    ignored: tuple[str, ...] = (),
) -> dict[str, dict[str, Tensor]]:
    """The state dicts of several networks, out of one original checkpoint.

    Args:
        networks: by name, of the wanted shapes (on the ``meta`` device will do).
        sources: for each network and each of its parameters, where it lies.
        state: the checkpoint's tensors.
        what: the checkpoint in words, for the error.
        groups: fused queries, keys and values have their rows in the order (groups, 3, width): 1 for all
            queries, then all keys, then all values; the number of heads for q, k, v head by head.
        ignored: what a name of the checkpoint that belongs to no network may start with.

    Returns:
        By network, float32 tensors by diffusers' names.

    Raises:
        ValueError: where tensors are missing, left over or of another shape; names the first of each.
    """
    expected: dict[str, tuple[tuple[int, ...], Source]] = {}
    for part, network in networks.items():
        for name, tensor in network.state_dict().items():
            source, shape = sources[part][name], tuple(tensor.shape)
            rows = shape[0] * (1 if source.part is None else 3)
            expected[source.name] = (rows, *shape[1:]), source
    odd = [
        f"{name} {tuple(state[name].shape)} for {shape}"
        for name, (shape, source) in expected.items()
        if name in state and _shape(state[name], source) != shape
    ]
    extra = {name for name in state if name not in expected and not name.startswith(ignored)}
    faults = _list("missing", expected.keys() - state.keys())
    faults += _list("unexpected", extra) + _list("of another shape", odd)
    if faults:
        raise ValueError(f"the file is no {what}: of its tensors {'; '.join(faults)}")
    converted: dict[str, dict[str, Tensor]] = {}
    for part, network in networks.items():
        converted[part] = {}
        for name in network.state_dict():
            source = sources[part][name]
            tensor = state[source.name]
            tensor = tensor.reshape(_shape(tensor, source)).float()
            if source.part is not None:
                tensor = _part(tensor, source.part, groups)
            converted[part][name] = tensor.contiguous()
    return converted
