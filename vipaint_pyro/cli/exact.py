"""``vipaint exact``: methods measured against exact posteriors."""

from __future__ import annotations

import click

from vipaint_pyro.cli.output import NamedPath
from vipaint_pyro.cli.reporting import reporting

__all__ = ["exact"]


@click.command()
@click.argument("methods", nargs=-1)
@click.option(
    "--cell",
    "cells",
    multiple=True,
    metavar="D,D_Y",
    help="Dimensions and measurements, like 8,1; may be repeated. Default: 8,1 8,2 80,1 80,2.",
)
@click.option(
    "--out",
    type=NamedPath(),
    default="vipaint-exact",
    show_default=True,
    help="Where a run is kept, and goes on.",
)
@click.option("--samples", default=2000, show_default=True, type=click.IntRange(100))
@click.option("--fit-steps", default=200, show_default=True, type=click.IntRange(1))
@click.option("--steps", default=90, show_default=True, type=click.IntRange(1), help="From T_s to x.")
@click.option("--beta", default=1.0, show_default=True)
@click.option(
    "--likelihood",
    type=click.Choice(["moment-matched", "exact", "plug-in"]),
    default="moment-matched",
    show_default=True,
    help="Seen at the levels while sampling.",
)
@click.option(
    "--kernel",
    type=click.Choice(["exact", "gaussian"]),
    default="exact",
    show_default=True,
    help="Reverse kernel of the prior: gaussian is the step a network's sampler takes.",
)
@click.option(
    "--problems", default=20, show_default=True, type=click.IntRange(2, 10_000), help="How many of each cell."
)
@click.option("--tune", is_flag=True, help="The problems to tune on (from 20 on) instead of those to report.")
def exact(methods, cells, out, samples, fit_steps, steps, beta, likelihood, kernel, problems, tune) -> None:
    """Measure METHODS against exact posteriors (the mixture benchmark of MCGDiff).

    METHODS are guides (hierarchical, mixture ...), each alone or as NAME+psis or NAME+smc; other
    methods (dps, red-diff ...); and the rows that say what the distances mean: exact, moment-gaussian, one-mode, delta,
    prior. Without any, these rows, dps and the hierarchical guides.

    Where a method fails in a cell the others go on, and the same command tries it again.
    """
    with reporting():
        from vipaint_pyro.evaluation.exact_methods import CALIBRATION, Lab
        from vipaint_pyro.evaluation.exact_table import run_table, write_table

        chosen = [_cell(c) for c in cells] or [(8, 1), (8, 2), (80, 1), (80, 2)]
        guided = ("hierarchical", *(f"hierarchical-guided{corrected}" for corrected in ("", "+psis", "+smc")))
        methods = methods or (*CALIBRATION, "dps", *guided)
        lab = Lab(samples=samples, fit_steps=fit_steps, steps=steps, beta=beta, likelihood=likelihood, kernel=kernel)
        seeds = range(20, 20 + problems) if tune else range(problems)
        try:
            failed = run_table(methods, chosen, lab, out, seeds=seeds, log=click.echo)
        except KeyboardInterrupt as error:
            raise KeyboardInterrupt(f"what was finished is kept in {out}, and the same command goes on") from error
        click.echo(write_table(out))
        click.echo(f"wrote {out}/table.md, table.csv and table.png")
        if failed:
            of = len(set(methods)) * len(set(chosen))
            click.echo(f"{failed} of {of} rows failed, as the table says: the same command tries them again")
            raise SystemExit(1)


def _cell(text: str) -> tuple[int, int]:
    from vipaint_pyro.exact.problems import LARGEST

    try:
        d, d_y = (int(part) for part in text.split(","))
    except ValueError:
        raise ValueError(f"a cell is two whole numbers, like 8,1, but is {text!r}") from None
    if d > LARGEST:
        raise ValueError(f"in a cell D,D_Y d is at most {LARGEST}, but it is {text!r}")
    if d < 2 or d % 2 or not 1 <= d_y <= d:
        raise ValueError(f"in a cell D,D_Y d is even and 1 <= d_y <= d, but it is {text!r}")
    return d, d_y
