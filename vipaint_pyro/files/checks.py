"""Whether something can be written, looked at before anything is computed."""

from __future__ import annotations

import os
from pathlib import Path

from vipaint_pyro.files.folders import home_of
from vipaint_pyro.files.scratch import scratch_in, sweep

__all__ = ["check_replaceable", "check_writable"]


def check_replaceable(folder: Path) -> None:
    """Look whether :func:`~vipaint_pyro.files.replacing` can write ``folder``.

    Raises:
        ValueError: where it cannot, with the reason.
    """
    real = _followed(folder)
    sweep(real)
    check_writable(home_of(real) if real.is_dir() else real)


def check_writable(folder: Path) -> None:
    """Look whether files can be written in ``folder``, which may still have to be made, by making it elsewhere.

    What killed runs left in it and beside it is swept.

    Raises:
        ValueError: where they cannot, with the reason.
    """
    real = parent = _followed(folder)
    sweep(real)
    sweep(real.parent)
    try:
        while not parent.is_dir():
            if parent.is_symlink():
                raise ValueError(f"output folder {folder} cannot be made: {parent} is a link that leads to itself")
            if parent.exists():
                raise ValueError(f"output folder {folder} cannot be made: {parent} is a file")
            parent = parent.parent
        with scratch_in(parent) as scratch:
            (scratch / "new" / real.relative_to(parent)).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(
            f"output folder {folder} cannot be made: {parent} is not writable ({error.strerror})"
        ) from error


def _followed(folder: Path) -> Path:
    """The folder that a path leads to, which need not be there.

    Raises:
        ValueError: where that is none, and cannot become one.
    """
    try:
        real = Path(os.path.realpath(folder))
        if real.is_symlink():
            raise ValueError(f"output {folder} is a link that leads to itself; choose another folder")
        if real.exists() and not real.is_dir():
            raise ValueError(f"output {folder} exists and is no folder; choose another folder")
    except OSError as error:  # a name that is too long, a parent that may not be looked into
        raise ValueError(f"output folder {folder} cannot be made: {error.strerror}") from error
    return real
