"""The output folder of a run: what may be replaced, looked at before anything is computed and again at the end."""

from __future__ import annotations

import itertools
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from vipaint_pyro.files import check_replaceable, is_scratch

__all__ = ["NameOrPath", "NamedPath", "check_output", "other_names"]

#: What a run writes; and what file managers leave in any folder.
_RUN = re.compile(
    r"(observed|(sample|prediction)-\d+|mean|std|grid|levels|spread|directions|bound)\.png|(guide|measurement|checkpoint)\.safetensors"
    r"|(run|guide)\.json|report\.html"
    r"|(region|sample)-\d+"
    r"|\.DS_Store|Thumbs\.db|desktop\.ini"
)


class NameOrPath(click.ParamType):
    """A text that may be a path: a ~ that the shell left there, behind ``=`` or in quotes, is one's home.

    So is that of a FILE that follows a word and a colon.
    """

    name = "text"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        word, colon, path = str(value).rpartition(":")
        return word + colon + os.path.expanduser(path)


class NamedPath(click.Path):
    """A path that is not the empty text, which would be the folder one is in; a ~ before it is one's home."""

    def __init__(self):
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not str(value).strip():
            self.fail("the name is empty: name a file or a folder", param, ctx)
        if "\0" in str(value):
            self.fail("a name holds no null character", param, ctx)
        return super().convert(os.path.expanduser(value), param, ctx)


def check_output(folder: Path, overwrite: bool, inputs: Mapping[str, Path]) -> Callable[[Path], bool]:
    """Look whether a run can be written to ``folder`` without mixing with or replacing anything but an earlier run.

    Args:
        folder: the output folder; a link to one is followed.
        overwrite: whether an earlier run is replaced.
        inputs: what the run reads, by what it is called: none may lie in ``folder``.

    Returns:
        Whether a folder, which may have been moved, holds that earlier run still, and nothing else.

    Raises:
        ValueError: where it cannot, with the reason.
    """
    check_replaceable(folder)
    if not folder.is_dir():
        return lambda _: False
    real = folder.resolve()
    found = [p.name for p in folder.iterdir() if not is_scratch(p)]
    if found and not _is_run(folder):
        raise ValueError(f"output folder {folder} has other content; choose another --out")
    if found and not overwrite:
        raise ValueError(
            f"output folder {folder} holds an earlier run; choose another --out, or replace it with --overwrite"
        )
    for name, path in inputs.items():
        if os.path.exists(path) and real in (path.resolve(), *path.resolve().parents):
            raise ValueError(f"output folder {folder} holds the {name} {path}; choose another --out")
    _check_own(folder)
    mark = _mark(folder)

    def still(place: Path) -> bool:
        try:
            _check_own(place)
        except ValueError:
            return False
        return mark is not None and _mark(place) == mark

    return still


def other_names(folder: Path) -> Iterator[Path]:
    """``folder-2``, ``folder-3`` ..., beside the folder that a link leads to, where nothing is yet."""
    if folder.is_symlink() or folder.name in ("", ".."):
        folder = folder.resolve()
    short = folder.name.encode()[:200].decode(errors="ignore")  # names have an end
    names = (folder.with_name(f"{short}-{n}") for n in itertools.count(2))
    return (name for name in names if not name.exists() and not name.is_symlink())


def _check_own(folder: Path) -> None:
    """Raise ValueError where a folder holds something that no run writes."""
    inner = [*folder.glob("region-*/"), *folder.glob("region-*/sample-*/")]
    found = [*folder.iterdir(), *(p for one in inner for p in one.iterdir())]
    others = sorted(str(p.relative_to(folder)) for p in found if not _RUN.fullmatch(p.name) and not is_scratch(p))
    if others:
        more = f" and {len(others) - 1} more" if len(others) > 1 else ""
        raise ValueError(
            f"output folder {folder} holds {others[0]}{more}, which no run wrote: move it, or choose another --out"
        )


def _is_run(folder: Path) -> bool:
    """Whether a run.json of ours is there: others write files of that name, too."""
    try:
        said = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    versions = said.get("versions") if isinstance(said, dict) else None
    return isinstance(versions, dict) and "vipaint-pyro" in versions


def _mark(folder: Path) -> tuple[int, int] | None:
    """What tells a run from the one that takes its place."""
    try:
        found = (folder / "run.json").stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns
