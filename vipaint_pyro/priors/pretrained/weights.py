"""The weights of a part: which file, of which variant, of what numbers, and of the shapes that its config has."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from vipaint_pyro.priors.pretrained.jsons import read_json

__all__ = ["check_shapes", "check_weights", "some", "variant_of"]

_STEM = "diffusion_pytorch_model"
_PICKLES = (".bin", ".ckpt", ".pt", ".pth", ".pkl")
#: safetensors' names of numbers that are loaded as they are, and in words those of which loading would make others.
_FLOATS = ("F64", "F32", "F16", "BF16")
_OTHERS = {"F8": "8-bit floats (quantised?)", "F4": "4-bit floats (quantised?)", "C": "complex"}


def _files(part: Path, variant: str | None) -> list[Path]:
    """The safetensors files of a part, of one variant, shards and all; empty where it has none of it."""
    middle = f".{variant}" if variant else ""
    index = part / f"{_STEM}.safetensors.index{middle}.json"
    if not index.is_file():
        one = part / f"{_STEM}{middle}.safetensors"
        return [one] if one.is_file() else []
    shards = read_json(index).get("weight_map")
    if not isinstance(shards, dict) or not all(isinstance(name, str) for name in shards.values()):
        raise ValueError(f"{index}: weight_map is an object from weights to files, but is {shards!r}"[:300])
    files = [part / name for name in sorted(set(shards.values()))]
    gone = [path.name for path in files if not path.is_file()]
    if gone or not files:
        raise ValueError(f"{index} names {gone[0] if gone else 'no file'}, which is missing")
    return files


def _variants(part: Path) -> list[str]:
    """The variants that a part has."""
    names = [p.name.split(".") for p in part.glob(f"{_STEM}.*.safetensors") if p.is_file()]
    names += [p.name.removesuffix(".json").split(".") for p in part.glob(f"{_STEM}.safetensors.index.*.json")]
    words = {name[-1] if "index" in name else name[1] for name in names}
    return sorted({word.split("-")[0] for word in words})


def variant_of(part: Path, variant: str | None) -> str | None:
    """The variant of a part's weights: the one asked for, where the part has it."""
    return variant if variant and _files(part, variant) else None


def check_weights(part: Path, kind: str, variant: str | None) -> None:
    """Raise ValueError where a part has no safetensors that can be loaded; says what there is."""
    files = _files(part, variant_of(part, variant))
    if not files:
        there = _variants(part)
        if there:
            named = f"variant={there[0]!r} (--variant {there[0]})"
            raise ValueError(
                f"{part} holds the variant{'s' * (len(there) > 1)} {', '.join(there)} of its weights alone: "
                f"give {named}"
            )
        pickles = sorted(p.name for p in part.iterdir() if p.suffix in _PICKLES)
        if pickles:
            raise ValueError(
                f"{part} holds its weights as a pickle ({pickles[0]}), which can run any code when it "
                f"is opened. If you trust its source, convert it once: {kind}.from_pretrained("
                f"{str(part)!r}, use_safetensors=False).save_pretrained({str(part)!r})"
            )
        raise ValueError(f"{part} holds no weights: expected {_STEM}.safetensors")
    for path in files:
        _check_numbers(path, part)


def _check_numbers(path: Path, part: Path) -> None:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "pt") as file:
            dtypes = {key: file.get_slice(key).get_dtype() for key in file.keys()}
    except (SafetensorError, OSError, ValueError) as error:
        raise ValueError(f"the weights in {part} cannot be loaded: {path.name} is damaged ({error})") from error
    wrong = {key: dtype for key, dtype in dtypes.items() if dtype not in _FLOATS}
    if wrong:
        kind = next(iter(wrong.values()))
        said = next((words for start, words in _OTHERS.items() if kind.startswith(start)), "whole numbers (quantised?)")
        raise ValueError(f"{path} has weights that are {said}: {some(wrong)}")


def check_shapes(network: Any, part: Path, variant: str | None, what: str) -> None:
    """Raise ValueError where the weights of a part are not those of a network, by name and by shape.

    Args:
        network: on the ``meta`` device, as its config describes it: nothing is allocated.
        part: its folder.
        variant: of the weights.
        what: the part in words.
    """
    from safetensors import safe_open

    found: dict[str, tuple[int, ...]] = {}
    for path in _files(part, variant_of(part, variant)):
        with safe_open(path, "pt") as file:
            found |= {key: tuple(file.get_slice(key).get_shape()) for key in file.keys()}
    wanted = {key: tuple(value.shape) for key, value in network.state_dict().items()}
    odd = [f"{key} {found[key]} for {shape}" for key, shape in wanted.items() if found.get(key, shape) != shape]
    if odd:
        raise ValueError(
            f"the {what} in {part} cannot be loaded: its config.json describes weights of other shapes: {some(odd)}"
        )
    _check_names(found, wanted, f"the {what} in {part}")


def _check_names(found: Mapping, wanted: Mapping, what: str) -> None:
    for names, said in ((wanted.keys() - found, "lacks"), (found.keys() - wanted, _EXTRA)):
        if names:
            raise ValueError(f"{what} {said} {some(names)}; weights and config.json do not belong together")


_EXTRA = "has weights that are none of its network's:"


def some(names: Iterable[str]) -> str:
    """Names, the first few of many."""
    names = sorted(names)
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
