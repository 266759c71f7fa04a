"""``vipaint report``: a study's tables, charts and page, made of its records."""

from __future__ import annotations

from pathlib import Path

import click

from vipaint_pyro.cli.loading import loading_libraries
from vipaint_pyro.cli.output import NamedPath
from vipaint_pyro.cli.reporting import reporting

__all__ = ["report"]


@click.command()
@click.argument("folder", type=NamedPath(), metavar="DIR")
@click.option("--out", type=NamedPath(), help="Where to write, in place of DIR.")
@click.option(
    "--metric",
    multiple=True,
    metavar="NAME",
    help="A score to report, like lpips_composite or psnr; may be repeated, and the first is charted. Default: all.",
)
def report(folder: Path, out: Path | None, metric: tuple[str, ...]) -> None:
    """Report the study in DIR, as far as it has come: nothing is computed, and no prior loaded.

    Writes report.html, a page that needs nothing else, and report/ with its tables (Markdown, CSV, LaTeX) and pictures.
    """
    with reporting():
        loading_libraries()
        from vipaint_pyro.evaluation.study.report import write_report

        click.echo(write_report(folder, out, metric))
        where = folder if out is None else out
        click.echo(f"wrote {where / 'report.html'} and {where / 'report'}/")
