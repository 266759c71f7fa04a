"""Files that take the place of others, whole."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vipaint_pyro.files.scratch import is_scratch, scratch_in

if TYPE_CHECKING:  # torch takes seconds to import, which no folder needs to be checked
    from torch import Tensor

__all__ = ["disk_errors", "replacing_file", "tensor_errors", "write_picture", "write_tensors", "write_text"]


@contextmanager
def replacing_file(path: str | Path) -> Iterator[Path]:
    """A scratch file that takes the place of ``path`` once the block has ended well.

    Until then, and where the block raises or the process is killed, what was at ``path`` is as it was. Any number of
    processes and threads may write one path: the last one to end wins. Folders on the way are made; a symbolic link is
    followed. The scratch file ends in ``.partial``, whatever ``path`` does, so that no pattern such as ``*.json`` finds
    it.

    Args:
        path: the file; it gets the permissions of a new one, whoever made the scratch file (safetensors keeps its
            files to their owner).

    Raises:
        OSError: where the folder cannot be written to, or ``path`` is a folder.
    """
    path = Path(os.path.realpath(path))
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with scratch_in(path.parent) as folder:
            scratch = folder / "new" / "file.partial"
            with open(scratch, "xb") as file:
                mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)  # 0o666 less the umask, which no thread can ask
            yield scratch
            with open(scratch, "rb+") as file:
                os.fsync(file.fileno())  # or a power cut may leave the new name with nothing behind it
            scratch.chmod(mode)
            os.replace(scratch, path)


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Say of ``path`` what the system says of its scratch file or of a folder on the way: that the disk is full, say.

    Raises:
        OSError: in one line, with what was wrong.
    """
    try:
        yield
    except OSError as error:
        if error.errno is None or _of_scratch(path) or not _concerns(error.filename, path):
            raise  # it is said already, or is said of the folder that this file is part of, or is of another file
        raise OSError(f"{path} cannot be written: {error.strerror}. What was there is as it was") from error


def _concerns(name: object, path: Path) -> bool:
    """Whether an error's file name is none, or a scratch file, or on the way to ``path``."""
    if not isinstance(name, (str, bytes)):
        return True
    found = Path(os.path.realpath(os.fsdecode(name)))
    return _of_scratch(found) or found in (path, *path.parents)


def _of_scratch(path: Path) -> bool:
    return any(map(is_scratch, (path, *path.parents)))


@contextmanager
def tensor_errors() -> Iterator[None]:
    """Raise what safetensors says of the disk as the OSError that it is."""
    from safetensors import SafetensorError

    try:
        yield
    except SafetensorError as error:
        number = re.search(r"os error (\d+)", str(error))
        if number is None:
            raise
        raise OSError(int(number[1]), os.strerror(int(number[1]))) from error


def write_text(path: str | Path, text: str) -> None:
    """A text file in UTF-8, as :func:`replacing_file` writes it.

    Raises:
        OSError: as :func:`replacing_file`.
    """
    with replacing_file(path) as scratch:
        scratch.write_text(text, encoding="utf-8")


def write_picture(path: str | Path, picture: Any, **options: Any) -> None:
    """A picture, as :func:`replacing_file` writes it, in the format that the ending of ``path`` says.

    Args:
        path: the file.
        picture: a PIL image, or a matplotlib figure.
        options: of its ``save``, or its ``savefig``.

    Raises:
        OSError: as :func:`replacing_file`.
        ValueError: where the ending is that of no known format.
    """
    import PIL.Image

    with replacing_file(path) as scratch:
        if isinstance(picture, PIL.Image.Image):
            known, ending = PIL.Image.registered_extensions(), Path(path).suffix.lower()
            if ending not in known:
                raise ValueError(f"{path} ends in that of no format of pictures: name it .png")
            picture.save(scratch, format=known[ending], **options)
        else:
            picture.savefig(scratch, format=Path(path).suffix[1:].lower() or "png", **options)


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
        with tensor_errors():
            save_file(plain, scratch, metadata=None if metadata is None else dict(metadata))
