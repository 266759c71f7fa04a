"""A run written to its folder, whole, also where it was ended early."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vipaint_pyro.cli.output import other_names

if TYPE_CHECKING:
    from vipaint_pyro.cli.results import Run

__all__ = ["write_all"]


def write_all(
    out: Path, replaceable: Callable[[Path], bool], found: Run, asked: int, ended: BaseException | None
) -> None:
    """Write a run, and say where it is; of one that was ended early what is kept, before it is raised on."""
    from safetensors import SafetensorError

    from vipaint_pyro.cli.results import write_run
    from vipaint_pyro.faults import Stopped

    try:
        out = _written(out, replaceable, lambda *place: write_run(*place, found))
    except (OSError, SafetensorError) as error:
        raise OSError(f"the result could not be written to {out}: {error}") from error
    click.echo(f"wrote {out}{'/' if not str(out).endswith('/') else ''}: look at grid.png first")
    if ended is not None:
        kept = f"kept are {len(found.output.images)} of {asked} samples"
        if isinstance(ended, Stopped):
            raise Stopped(f"{kept}, in {out}") from ended
        click.echo(f"Warning: {kept}", err=True)
        raise ended


def _written(out: Path, replaceable: Callable[[Path], bool], write: Callable) -> Path:
    """The folder that a run was written to: another one where something was put there while it was computing."""
    try:
        write(out, replaceable)
        return out
    except FileExistsError:
        pass
    for other in other_names(out):
        try:
            write(other, False)
        except FileExistsError:  # a third run has just taken that name
            continue
        click.echo(f"Warning: {out} has other content by now, which stays. The result is kept in {other}", err=True)
        return other
    raise AssertionError("names do not end")
