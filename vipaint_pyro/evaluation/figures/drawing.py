"""What a figure is when it is done, and its two files."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from vipaint_pyro.files import check_writable, replacing_file, write_picture

__all__ = ["ENDINGS", "Drawing", "check_names", "numbers_beside", "write"]

ENDINGS = (".png", ".pdf")


@dataclass
class Drawing:
    """A figure.

    Attributes:
        picture: a PIL image or a matplotlib figure.
        numbers: all that is drawn or said of it, as JSON has it.
        samplers: what was run -> its settled settings.
    """

    picture: object
    numbers: Mapping[str, object]
    samplers: Mapping[str, Mapping[str, object]] = field(default_factory=dict)


def numbers_beside(out: Path) -> Path:
    """Where the numbers of the picture ``out`` are written: beside it."""
    return out.with_suffix(".json")


def check_names(out: Path, overwrite: bool) -> None:
    """Look whether picture and numbers can be written, before anything is computed.

    Raises:
        ValueError: for another ending than :data:`ENDINGS`, a place that cannot be written, or files that are there
            already and are not to be replaced.
    """
    if out.suffix not in ENDINGS:
        raise ValueError(f"out is a picture, {' or '.join(f'NAME{e}' for e in ENDINGS)}, but is {str(out)!r}")
    check_writable(out.parent)
    for path in (out, numbers_beside(out)):
        if os.path.isdir(path):
            raise ValueError(f"{path} is a folder: choose another --out")
        if os.path.lexists(path) and not overwrite:
            raise ValueError(f"{path} is there already; choose another --out, or replace it with --overwrite")


def write(out: Path, drawing: Drawing, facts: Mapping[str, object]) -> None:
    """Picture and numbers: neither takes its place before both are written.

    Raises:
        OSError: where they cannot be; what was there is as it was.
    """
    said = {**facts, "samplers": drawing.samplers, "numbers": drawing.numbers}
    with replacing_file(numbers_beside(out)) as scratch:
        scratch.write_text(json.dumps(_finite(said), indent=2, allow_nan=False) + "\n", encoding="utf-8")
        write_picture(out, drawing.picture)


def _finite(value):
    """The same with None for numbers that are not finite, which JSON has none for."""
    if isinstance(value, Mapping):
        return {str(k): _finite(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
