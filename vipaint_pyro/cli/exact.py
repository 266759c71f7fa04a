"""``vipaint exact``: methods measured against exact posteriors."""

from __future__ import annotations

from pathlib import Path

import click

from vipaint_pyro.cli.exact_pictures import MIXTURES_ALONE, PICTURES_ALONE, check_options, pictures
from vipaint_pyro.cli.loading import loading_libraries
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
    help="Dimensions and measurements, like 8,1, or with --pictures a name like garments-few-0.2; may be repeated. "
    "Default: 8,1 8,2 80,1 80,2, or three of garments and three of faces.",
)
@click.option(
    "--pictures", "of_pictures", is_flag=True, help="Measure samplers on pictures whose posterior is known, instead."
)
@click.option("--calls", metavar="N,N", help="Of pictures: calls of the denoiser per sample.  [default: 100,250,1000]")
@click.option("--smoke", is_flag=True, help="Of pictures: what is not given is small, to see that all runs.")
@click.option("--data", type=NamedPath(), help="Of pictures: the folder of Fashion-MNIST.  [default: Debian's]")
@click.option(
    "--out",
    type=NamedPath(),
    default="vipaint-exact",
    show_default=True,
    help="Where a run is kept, and goes on.",
)
@click.option("--samples", type=click.IntRange(2), help="[default: 2000, at least 100; of pictures 50]")
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
    "--problems", type=click.IntRange(2, 10_000), help="How many of each cell.  [default: 20; of pictures 5]"
)
@click.option("--tune", is_flag=True, help="The problems to tune on (from 20 on) instead of those to report.")
@click.option("--first", type=click.IntRange(0), help="The number of the first problem.  [default: 0; with --tune 20]")
@click.pass_context
def exact(
    context: click.Context, methods: tuple[str, ...], cells: tuple[str, ...], of_pictures: bool, calls: str | None,
    smoke: bool, data: Path | None, out: Path, samples: int | None, fit_steps: int, steps: int, beta: float,
    likelihood: str, kernel: str, problems: int | None, tune: bool, first: int | None,
) -> None:  # fmt: skip
    """Measure METHODS against exact posteriors (the mixture benchmark of MCGDiff).

    METHODS are guides (hierarchical, mixture ..., or package.module:Class of your own), each alone or as NAME+psis,
    NAME+smc or NAME+tds, with settings as in mixture:num-components=4+smc; other methods (dps, red-diff ..., or the
    package.module:Class of a sampler), and of vipaint's refinements vipaint-mmps, vipaint-gibbs and vipaint-tds, with
    settings as in dps:num-steps=500; and the rows that say what the distances mean: exact, moment-gaussian, one-mode,
    delta, prior. Without any, these rows, dps and the hierarchical guides.

    With --pictures the priors are 2,000 garments or faces, and METHODS are samplers at equal numbers of calls, as
    `vipaint evaluate` takes them (vipaint-4, dps, dps:zeta=1 ...), with the rows exact, exact-score and prior. Without
    any, all of them.

    Where a method fails in a cell the others go on, and the same command tries it again.
    """
    if tune and first is not None:
        raise click.UsageError("--tune and --first both say which problems: leave one of them out")
    first = 20 if tune else first or 0
    if of_pictures:
        check_options(context, MIXTURES_ALONE, "mixtures, not for --pictures")
        with reporting():
            loading_libraries()
            asked = {"cells": cells, "calls": _calls(calls), "samples": samples, "problems": problems, "data": data}
            pictures(methods, out, smoke, first, asked)
        return
    check_options(context, PICTURES_ALONE, "--pictures")
    samples, problems = 2000 if samples is None else samples, problems or 20
    if samples < 100:
        raise click.BadParameter(f"{samples} is not in the range x>=100.", context, param_hint="'--samples'")
    with reporting():
        loading_libraries()
        from vipaint_pyro.evaluation.exact_methods import CALIBRATION, Lab
        from vipaint_pyro.evaluation.exact_table import run_table, write_table

        chosen = [_cell(c) for c in cells] or [(8, 1), (8, 2), (80, 1), (80, 2)]
        guided = ("hierarchical", *(f"hierarchical-guided{corrected}" for corrected in ("", "+psis", "+smc")))
        methods = methods or (*CALIBRATION, "dps", *guided)
        lab = Lab(samples=samples, fit_steps=fit_steps, steps=steps, beta=beta, likelihood=likelihood, kernel=kernel)
        seeds = range(first, first + problems)
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


def _calls(text: str | None) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(",")) if text is not None else ()
    except ValueError:
        raise ValueError(f"--calls are whole numbers, like 100,250, but are {text!r}") from None


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
