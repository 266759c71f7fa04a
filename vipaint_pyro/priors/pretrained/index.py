"""A folder's model_index.json: which classes its parts are of, and what its labels are called."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from vipaint_pyro.priors.pretrained.jsons import read_json
from vipaint_pyro.settings import whole

__all__ = ["TEXT_COMPONENTS", "check_class_names", "check_null_class", "class_in_index", "read_index", "read_labels"]

#: Parts that are loaded, by whatever pipeline they were saved.
_LOADED = ("unet", "transformer", "scheduler", "vae", "vqvae", "class_embedder")
#: What a text-conditional pipeline has for its prompts.
TEXT_COMPONENTS = tuple(f"{kind}{n}" for n in ("", "_2", "_3") for kind in ("text_encoder", "tokenizer"))


def read_index(folder: Path) -> dict:
    """The folder's model_index.json, checked; empty where there is none.

    Raises:
        ValueError: for an entry that cannot be; names the file and the entry.
    """
    path = folder / "model_index.json"
    if not os.path.lexists(path):
        return {}
    index = read_json(path)
    if not isinstance(index.get("_class_name", ""), str):
        raise ValueError(f"{path}: _class_name is the name of a pipeline, but is {index['_class_name']!r}")
    for name in (*_LOADED, *TEXT_COMPONENTS):
        if name in index:
            _check_part(name, index[name], path)
    check_null_class(index.get("null_class"), f"{path}: ")
    check_class_names(index.get("class_names"), f"{path}: ")
    _check_labels(index.get("id2label"), path)
    if not isinstance(index.get("force_zeros_for_empty_prompt", True), bool):
        raise ValueError(
            f"{path}: force_zeros_for_empty_prompt is true or false, but is {index['force_zeros_for_empty_prompt']!r}"
        )
    _check_image_size(index.get("image_size"), path)
    return index


def _check_part(name: str, entry: object, path: Path) -> None:
    words = entry if isinstance(entry, list) else []
    if len(words) != 2 or not (words == [None, None] or all(isinstance(word, str) and word for word in words)):
        raise ValueError(
            f"{path}: {name} is a library and a class, like [\"diffusers\", \"UNet2DModel\"], or [null, null], "
            f"but is {entry!r}"
        )


def _check_image_size(size: object, path: Path) -> None:
    sides = size if isinstance(size, list) and len(size) == 2 else [size]
    if size is not None and not all(whole(1, 2**15).check(n) for n in sides):
        raise ValueError(f"{path}: image_size is a side, or [height, width], up to {2**15}, but is {size!r}")


def class_in_index(index: Mapping, name: str) -> str | None:
    """The class that model_index.json says a part is of, where it says so."""
    return (index.get(name) or [None, None])[1]


def check_null_class(null_class: object, where: str = "") -> None:
    """Raise ValueError where a null class is no number of a class."""
    if null_class is not None and not whole(0).check(null_class):
        raise ValueError(f"{where}null_class is the number of a class, from 0 on, but is {null_class!r}")


def check_class_names(names: object, where: str = "") -> None:
    """Raise ValueError where the names of the classes are no texts."""
    texts = isinstance(names, Sequence) and not isinstance(names, str) and all(isinstance(n, str) for n in names)
    if names is not None and not texts:
        raise ValueError(f"{where}class_names is a list of texts, one for each class, but is {names!r}")


def _check_labels(labels: object, path: Path) -> None:
    if labels is None:
        return
    wanted = f"{path}: id2label names the classes \"0\", \"1\" ... without a gap, each by a text"
    if not isinstance(labels, dict):
        raise ValueError(f"{wanted}, but is {labels!r}")
    missing = [str(k) for k in range(len(labels)) if str(k) not in labels]
    if missing:
        raise ValueError(f"{wanted}, but of its {len(labels)} entries there is none for {missing[0]}")
    wrong = [k for k, text in labels.items() if not isinstance(text, str)]
    if wrong:
        raise ValueError(f"{wanted}, but {wrong[0]} is {labels[wrong[0]]!r}")


def read_labels(folder: Path) -> dict:
    """``null_class``, ``class_names`` and ``image_size`` as model_index.json says; a DiT's ``id2label`` too."""
    given = read_index(folder)
    known = {name: given.get(name) for name in ("null_class", "class_names", "image_size")}
    labels = given.get("id2label")
    if known["class_names"] is None and labels is not None:
        # ImageNet's names are lists of synonyms, and two classes share a first one: "crane".
        known["class_names"] = [labels[str(k)].split(",")[0].strip() for k in range(len(labels))]
    return known
