"""``vipaint exact --pictures``: samplers measured on pictures whose posterior is known."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

__all__ = ["MIXTURES_ALONE", "PICTURES_ALONE", "check_options", "pictures"]

#: Options of the mixtures, and of the pictures, that the others have no use for.
MIXTURES_ALONE = ("fit_steps", "steps", "beta", "likelihood", "kernel")
PICTURES_ALONE = ("calls", "smoke", "data")

#: Values of options that are not given: as they are, and with --smoke.
_SIZES = {
    False: {"samples": 50, "problems": 5, "calls": (100, 250, 1000), "atoms": 2000, "cells": None},
    True: {"samples": 8, "problems": 2, "calls": (40,), "atoms": 100, "cells": ("garments-few-0.2", "faces-few-0.2")},
}


def check_options(context: click.Context, alone: Sequence[str], what: str) -> None:
    """Raise a usage error where an option of ``alone`` was given; ``what`` says of which table it is."""
    for parameter in context.command.params:
        given = context.get_parameter_source(parameter.name) is click.core.ParameterSource.COMMANDLINE
        if parameter.name in alone and given:
            raise click.UsageError(f"{parameter.opts[0]} is for {what}: leave it out")


def pictures(methods: Sequence[str], out: Path, smoke: bool, first: int, given: dict) -> None:
    """Run the table of pictures and print it.

    Args:
        methods: rows; without any, all.
        out: the folder.
        smoke: whether what is not given is small.
        first: the number of the first problem.
        given: ``cells``, ``calls``, ``samples``, ``problems`` and ``data``; None, or nothing, where not given.

    Raises:
        ValueError: as :func:`~vipaint_pyro.evaluation.exact_pictures.table.run_pictures`.
    """
    from vipaint_pyro.evaluation.exact_pictures.cells import REPORTED
    from vipaint_pyro.evaluation.exact_pictures.methods import default_methods
    from vipaint_pyro.evaluation.exact_pictures.sheets import write_sheets
    from vipaint_pyro.evaluation.exact_pictures.summary import write_tables
    from vipaint_pyro.evaluation.exact_pictures.table import Asked, run_pictures

    sizes = _SIZES[smoke] | {name: value for name, value in given.items() if value}
    asked = Asked(
        methods or default_methods(),
        sizes["cells"] or [cell.name for cell in REPORTED],
        sizes["calls"],
        range(first, first + sizes["problems"]),
        sizes["samples"],
        sizes["atoms"],
        **({"data": sizes["data"]} if "data" in sizes else {}),
    )
    try:
        failed = run_pictures(asked, out, click.echo)
    except KeyboardInterrupt as error:
        raise KeyboardInterrupt(f"what was finished is kept in {out}, and the same command goes on") from error
    click.echo(write_tables(out))
    click.echo(f"wrote {out}/table.md and table.csv, and {len(write_sheets(out))} sheets in {out}/pictures")
    if failed:
        click.echo(f"{failed} failed, as the table says: the same command tries them again")
        raise SystemExit(1)
