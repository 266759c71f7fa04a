"""A folder that takes the place of another, whole."""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from vipaint_pyro.files.scratch import contents, scratch_in, settle, sweep
from vipaint_pyro.files.writing import disk_errors

__all__ = ["home_of", "replacing"]

# A folder that is mounted, lies in one that is only read, or in a file system that cannot exchange two.
_IMMOVABLE = {
    errno.EBUSY, errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM, errno.EACCES, errno.EROFS,
}  # fmt: skip


@contextmanager
def replacing(folder: str | Path, overwrite: bool | Callable[[Path], bool] = True) -> Iterator[Path]:
    """A scratch folder that takes the place of ``folder`` once the block has ended well.

    Where the block raises, or the folder cannot be moved, what was there is as it was. Old and new change places in one
    step (Linux: ``renameat2``), so that a process that is killed leaves one of them whole. Where that is not possible
    (the folder is mounted, or is where this process is, or its parent is only read), their contents change places, and
    what a kill leaves half done is undone or finished by the next :func:`~vipaint_pyro.files.sweep`. Folders on the way
    are made; a symbolic link is followed.

    Args:
        folder: it and its files get the permissions of new ones.
        overwrite: whether a folder with something in it is replaced; or a function that says so of the folder it is
            given, which may have been moved.

    Raises:
        FileExistsError: where something is there, once the block has ended, that is not to be replaced.
        OSError: where it cannot be written.
    """
    folder = Path(os.path.realpath(folder))
    may = overwrite if callable(overwrite) else lambda _: overwrite
    with disk_errors(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        home = home_of(folder)
        sweep(folder.parent)
        sweep(folder)
        with scratch_in(home) as scratch:
            new = scratch / "new"
            mode = stat.S_IMODE(new.stat().st_mode) & 0o666
            yield new
            for path in new.rglob("*"):
                if path.is_file() and not path.is_symlink():
                    path.chmod(mode)
                    _to_disk(path)
            if home == folder:
                _refill(scratch, may)
            else:
                _place(new, folder, may)


def home_of(folder: Path) -> Path:
    """Where the scratch folder of ``folder`` lies: beside it, or inside where it is not to be renamed."""
    if not folder.is_dir():
        return folder.parent
    try:
        here = Path.cwd()
    except FileNotFoundError:  # deleted
        here = Path("/")
    stays = os.path.ismount(folder) or folder == here or folder in here.parents
    return folder if stays or not os.access(folder.parent, os.W_OK | os.X_OK) else folder.parent


def _to_disk(path: Path) -> None:
    """Or a power cut may leave the new name with nothing behind it."""
    with open(path, "rb+") as file:
        os.fsync(file.fileno())


def _place(new: Path, folder: Path, may: Callable[[Path], bool]) -> None:
    """Exchange ``new`` and ``folder``, or rename it where there is none."""
    try:
        if not folder.is_dir() or not contents(folder):
            os.rename(new, folder)
            return
        _look(folder, folder, may)
        _exchange(new, folder)
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR) and folder.exists():
            raise _taken(folder) from error
        if error.errno not in _IMMOVABLE or not folder.is_dir():
            raise
        with scratch_in(folder) as inner:
            (inner / "new").rmdir()
            shutil.move(new, inner / "new")
            _refill(inner, may)
        return
    try:
        _look(new, folder, may)  # another process may have put something there since
    except FileExistsError:
        _exchange(new, folder)
        raise


def _refill(scratch: Path, may: Callable[[Path], bool]) -> None:
    """Exchange the contents of the folder that ``scratch`` lies in for those of its ``new``."""
    old = scratch / "old"
    _look(scratch.parent, scratch.parent, may)
    old.mkdir()
    for path in contents(scratch.parent):
        os.replace(path, old / path.name)
    _look(old, scratch.parent, may)  # another process may have put something there since
    os.replace(old, scratch / "gone")
    settle(scratch)


def _look(found: Path, folder: Path, may: Callable[[Path], bool]) -> None:
    if contents(found) and not may(found):
        raise _taken(folder)


def _taken(folder: Path) -> FileExistsError:
    return FileExistsError(f"{folder} exists already, and is not overwritten")


def _exchange(one: Path, other: Path) -> None:
    """Give each of two folders the other's name, in one step."""
    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except (AttributeError, TypeError, OSError):  # another system's library
        raise OSError(errno.ENOSYS, "two folders cannot be exchanged here") from None
    here, exchange = -100, 2  # AT_FDCWD, RENAME_EXCHANGE
    if rename(here, os.fsencode(one), here, os.fsencode(other), exchange):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(one), None, str(other))
