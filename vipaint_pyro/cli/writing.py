"""A run written to its folder, whole, also where it was ended early."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vipaint_pyro.cli.output import other_names

if TYPE_CHECKING:
    from vipaint_pyro.cli.results import Run

__all__ = ["count_of", "finish", "said_of_end"]


def count_of(drawn: Run, options: dict) -> str:
    """How many samples there are, of those that were asked for."""
    return f"{len(drawn.output.images)} of {options['samples']} samples"


def said_of_end(ended: Any, samples: int) -> dict[str, object]:
    """What run.json says of a run that was ended early: by what, and how many samples were asked for."""
    return {"by": "Ctrl-C" if isinstance(ended, KeyboardInterrupt) else f"an error ({ended})", "samples": samples}


def finish(out: Path, replaceable: Callable[[Path], bool], write: Callable, ended: Any, kept: str) -> None:
    """Write what was drawn, and say where it is; raise what ended it early, with what was kept.

    Args:
        out: the folder.
        replaceable: of :func:`vipaint_pyro.cli.output.check_output`.
        write: called with a folder and what may be replaced there.
        ended: of :func:`vipaint_pyro.cli.run.draw`.
        kept: how much of it there is, for the error.
    """
    from safetensors import SafetensorError

    from vipaint_pyro.faults import Stopped

    try:
        out = _written(out, replaceable, write)
    except (OSError, SafetensorError) as error:
        raise OSError(f"the result could not be written to {out}: {error}") from error
    click.echo(f"wrote {out}{'/' if not str(out).endswith('/') else ''}: open {out / 'report.html'} to look at it")
    if ended is not None:
        if isinstance(ended, Stopped):
            raise Stopped(f"kept are {kept}, in {out}") from ended
        click.echo(f"Warning: kept are {kept}", err=True)
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
