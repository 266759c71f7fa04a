"""Scratch folders: locked while their process lives, and swept by the next one where it has died.

``lock`` holds the lock, which the system takes away with the process, however that ends. What is being written lies in
``new``. Where a folder cannot be renamed, the scratch folder lies inside it, and ``old`` and ``gone`` say how far its
contents have been exchanged: see :func:`settle`.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

try:
    import fcntl
except ImportError:  # not on Windows: there nothing is locked, and so nothing swept
    fcntl = None  # type: ignore[assignment]  # Windows has no such module

__all__ = ["contents", "is_scratch", "scratch_in", "settle", "sweep"]

_NAME = re.compile(r"\.vipaint-[0-9a-f]{12}\.partial")
_PARTS = {"lock", "new", "old", "gone"}


def is_scratch(path: Path) -> bool:
    """Whether a path has the name of a scratch folder."""
    return _NAME.fullmatch(path.name) is not None


def contents(folder: Path) -> list[Path]:
    """What lies in a folder but for scratch."""
    return sorted(p for p in folder.iterdir() if not is_scratch(p))


@contextmanager
def scratch_in(folder: Path) -> Iterator[Path]:
    """A scratch folder in ``folder``, with an empty ``new`` in it; gone after the block, however that ends.

    What dead processes have left there is swept first.

    Raises:
        OSError: where ``folder`` cannot be written to.
    """
    sweep(folder)
    scratch, lock = _made(folder)
    try:
        (scratch / "new").mkdir()
        yield scratch
    finally:
        try:
            settle(scratch)
            _delete(scratch)
        finally:
            os.close(lock)


def settle(scratch: Path) -> None:
    """Finish or undo an exchange of the contents of the folder that a scratch folder lies in.

    While they are moved to ``old`` it is undone; once they all are, and ``old`` has become ``gone``, it is finished.
    """
    folder = scratch.parent
    if (scratch / "old").is_dir():
        _move_all(scratch / "old", folder)
    elif (scratch / "gone").is_dir() and (scratch / "new").is_dir():
        _move_all(scratch / "new", folder)


def sweep(folder: Path) -> None:
    """Settle and delete the scratch folders in ``folder`` whose process is dead.

    Only what has the name and the parts of one, no link, and a lock that nobody holds. What cannot be deleted stays.
    """
    try:
        found = [p for p in folder.iterdir() if is_scratch(p) and p.is_dir() and not p.is_symlink()]
    except OSError:  # no folder, or none that can be read
        return
    for scratch in found:
        try:
            _sweep(scratch)
        except OSError:  # another process sweeps it, or it is another user's
            continue


def _sweep(scratch: Path) -> None:
    parts = {p.name for p in scratch.iterdir()}
    if not parts:
        scratch.rmdir()
    if "lock" not in parts or not parts <= _PARTS or fcntl is None:
        return
    lock = os.open(scratch / "lock", os.O_RDWR | os.O_NOFOLLOW)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        settle(scratch)
        _delete(scratch)
    finally:
        os.close(lock)


def _made(folder: Path) -> tuple[Path, int]:
    """A new scratch folder and its open lock."""
    while True:
        scratch = folder / f".vipaint-{secrets.token_hex(6)}.partial"
        scratch.mkdir()
        try:
            lock = os.open(scratch / "lock", os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o666)
        except FileNotFoundError:  # swept while it was empty
            continue
        try:
            if _locked(lock) and (scratch / "lock").exists():
                return scratch, lock
        except BaseException:
            os.close(lock)
            raise
        os.close(lock)  # swept before it was locked


def _locked(lock: int) -> bool:
    """Whether the lock is ours; also where the file system has none, since nobody can sweep there."""
    if fcntl is None:
        return True
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


def _move_all(source: Path, target: Path) -> None:
    for path in source.iterdir():
        os.replace(path, target / path.name)


def _delete(scratch: Path) -> None:
    """The lock last, so that what a kill leaves of it can still be swept."""
    for part in ("new", "old", "gone"):
        shutil.rmtree(scratch / part, ignore_errors=True)
    if {p.name for p in scratch.iterdir()} == {"lock"}:
        (scratch / "lock").unlink()
        with suppress(FileNotFoundError):  # another process has just swept it, empty
            scratch.rmdir()
