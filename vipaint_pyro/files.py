"""Writing files and folders whole or not at all: beside the old one first, then moved into its place.

A name that starts with a dot and ends in ``.partial`` is what a killed process has left; it may be deleted.
"""

from __future__ import annotations

import os
import secrets
import shutil
import stat
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # torch takes seconds to import, which no folder needs to be checked
    from torch import Tensor

__all__ = ["check_folder", "replacing", "replacing_file", "write_tensors", "write_text"]


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
def replacing_file(path: str | Path) -> Iterator[Path]:
    """A scratch file that takes the place of ``path`` once the block has ended well.

    Until then, and where the block raises, what was at ``path`` is as it was. Any number of processes and threads
    may write one path: the last one to end wins. Folders on the way are made; a symbolic link is followed. The
    scratch file ends in ``.partial``, whatever ``path`` does, so that no pattern such as ``*.json`` finds it.

    Args:
        path: the file; it gets the permissions of a new one, whoever made the scratch file (safetensors keeps its
            files to their owner).

    Raises:
        OSError: where the folder cannot be written to, or ``path`` is a folder.
    """
    path = Path(path).resolve()
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = _beside(path)
    with open(scratch, "xb") as file:
        mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)  # 0o666 less the umask, which no thread can ask for
    try:
        yield scratch
        with open(scratch, "rb+") as file:
            os.fsync(file.fileno())  # or a power cut may leave the new name with nothing behind it
        scratch.chmod(mode)
        os.replace(scratch, path)
    except BaseException:
        scratch.unlink(missing_ok=True)
        raise


def write_text(path: str | Path, text: str) -> None:
    """A text file in UTF-8, as :func:`replacing_file` writes it.

    Raises:
        OSError: as :func:`replacing_file`.
    """
    with replacing_file(path) as scratch:
        scratch.write_text(text, encoding="utf-8")


def write_tensors(path: str | Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None) -> None:
    """A safetensors file, as :func:`replacing_file` writes it.

    Args:
        path: the file.
        tensors: on any device, contiguous or not.
        metadata: texts by name, for the file's head.

    Raises:
        OSError: as :func:`replacing_file`.
        RuntimeError: where two of the tensors share memory: give a clone of one.
    """
    from safetensors.torch import save_file

    with replacing_file(path) as scratch:
        plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
        save_file(plain, scratch, metadata=None if metadata is None else dict(metadata))


@contextmanager
def replacing(folder: str | Path, overwrite: bool = True) -> Iterator[Path]:
    """A scratch folder that takes the place of ``folder`` once the block has ended well.

    Where the block raises, or the folder cannot be moved, what was there is as it was. A process that is killed
    leaves the old folder or the new one whole: in its place or, for the moment between two renames, beside it with a
    name that starts with a dot. Folders on the way are made; a symbolic link is followed.

    Args:
        folder: it and its files get the permissions of new ones.
        overwrite: whether a folder with something in it is replaced.

    Raises:
        FileExistsError: without ``overwrite``, where there is something once the block has ended.
        OSError: where the parent cannot be written to, ``folder`` is a file, or another process has just put one there.
    """
    folder = Path(folder).resolve()
    folder.parent.mkdir(parents=True, exist_ok=True)
    scratch = _beside(folder)
    scratch.mkdir()
    mode = stat.S_IMODE(scratch.stat().st_mode) & 0o666
    try:
        yield scratch
        for path in scratch.rglob("*"):
            if path.is_file() and not path.is_symlink():
                path.chmod(mode)
        (_exchange if overwrite else _place)(scratch, folder)
    except BaseException:
        shutil.rmtree(scratch, ignore_errors=True)
        raise


def _beside(path: Path) -> Path:
    """A name in the same folder, and so in the same file system, that nobody else has."""
    return path.with_name(f".{path.name}.{secrets.token_hex(6)}.partial")


def _exchange(new: Path, folder: Path) -> None:
    """Rename ``new`` to ``folder``, and delete what was there only then."""
    if folder.exists() and not folder.is_dir():
        raise NotADirectoryError(f"{folder} exists and is no folder")
    old = _beside(folder)
    try:
        if folder.exists():
            os.replace(folder, old)
        os.replace(new, folder)
    except BaseException:
        if old.exists() and not folder.exists():
            os.replace(old, folder)
        raise
    finally:
        if folder.exists():  # else the old one is all there is
            shutil.rmtree(old, ignore_errors=True)


def _place(new: Path, folder: Path) -> None:
    """Rename ``new`` to ``folder``, where there is nothing or an empty folder."""
    try:
        if folder.is_dir():
            folder.rmdir()  # refuses where there is something
        os.replace(new, folder)
    except OSError as error:
        if folder.exists():
            raise FileExistsError(f"{folder} exists already, and is not overwritten") from error
        raise
