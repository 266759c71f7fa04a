"""The folder that a run writes: checked before anything heavy is loaded, filled whole or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["check_folder", "replacing", "write_tensors", "write_text"]


def check_folder(folder: Path, overwrite: bool) -> None:
    """Raise ValueError where writing a run to ``folder`` would mix with or replace something.

    An earlier run (a folder with run.json) may be replaced with ``overwrite``; other content never.
    """
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"output {folder} exists and is no folder; choose another --out")
    if folder.is_dir() and any(folder.iterdir()):
        if not (folder / "run.json").is_file():
            raise ValueError(f"output folder {folder} has other content; choose another --out")
        if not overwrite:
            raise ValueError(
                f"output folder {folder} holds an earlier run; choose another --out, or replace it with --overwrite"
            )
    parent = folder.absolute().parent
    while not parent.exists():
        parent = parent.parent
    try:
        os.rmdir(tempfile.mkdtemp(prefix=".vipaint.", dir=parent))
    except OSError as error:
        raise ValueError(f"output folder {folder} cannot be made: {parent} is not writable") from error


@contextmanager
def replacing(folder: Path) -> Iterator[Path]:
    """A scratch folder that takes the place of ``folder`` once the block has ended well."""
    folder.absolute().parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.absolute().parent))
    try:
        yield scratch
        scratch.chmod(0o755)
        if folder.exists():
            shutil.rmtree(folder)
        os.replace(scratch, folder)
    except BaseException:
        shutil.rmtree(scratch, ignore_errors=True)
        raise


def write_text(path: Path, text: str) -> None:
    """A text file, whole or not at all."""
    with _beside(path) as partial:
        partial.write_text(text)


def write_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None) -> None:
    """A safetensors file, whole or not at all."""
    from safetensors.torch import save_file

    with _beside(path) as partial:
        save_file(dict(tensors), partial, metadata=None if metadata is None else dict(metadata))


@contextmanager
def _beside(path: Path) -> Iterator[Path]:
    """A path in the same folder, whose file takes the place of ``path`` once the block has ended well."""
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    yield partial
    os.replace(partial, path)
