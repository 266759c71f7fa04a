"""An ablation's files: a tidy CSV of records, one of means, the same to read, and a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from vipaint_pyro.evaluation.ablation.summary import measures_of, varying
from vipaint_pyro.evaluation.means import Mean
from vipaint_pyro.evaluation.study.cells import csv_text, mean_text
from vipaint_pyro.files import check_own, check_writable, is_scratch, write_picture, write_text
from vipaint_pyro.wording import counted

if TYPE_CHECKING:
    from vipaint_pyro.evaluation.ablation.outcome import Sweep

__all__ = ["check_out", "draw", "markdown", "write_tables"]

_TITLE = "vipaint ablate"
_FIGURE = "ablation.png"
_HEADS = {"records.csv": "on,problem,", "summary.csv": "on,problems,", "summary.md": "| on | ", _FIGURE: _TITLE}
#: The folders of records, of which an ablation has one.
_RECORDS = ("tables", "study")


def check_out(out: Path) -> None:
    """Look whether an ablation can be kept in a folder.

    Raises:
        ValueError: where it cannot be written, or holds what no ablation wrote.
    """
    check_writable(out)
    if out.is_dir() and not any((out / name).is_dir() for name in _RECORDS):
        if any(not is_scratch(path) for path in out.iterdir()):
            raise ValueError(f"{out} has other content; name another folder with --out")
    check_own(out, _HEADS, _TITLE)


def write_tables(sweep: Sweep, out: Path) -> str:
    """Write records.csv, summary.csv and summary.md into the folder; returns the text of summary.md."""
    records, settings = sweep.records, sweep.settings
    head = ["on", "problem", *settings, "timesteps", "error", *measures_of(records, settings)]
    write_text(out / "records.csv", csv_text(head, ([r.get(name) for name in head] for r in records)))
    table = sweep.table()
    head = list(dict.fromkeys(name for row in table for name in row))
    write_text(out / "summary.csv", csv_text(head, ([row.get(name) for name in head] for row in table)))
    text = markdown(sweep)
    write_text(out / "summary.md", text)
    return text


def draw(sweep: Sweep, out: Path, **how: str | None) -> None:
    """Write ablation.png; the arguments are those of :meth:`~Sweep.figure`."""
    write_picture(out / _FIGURE, sweep.figure(**how), metadata={"Title": _TITLE})


def markdown(sweep: Sweep) -> str:
    """The means of the measures that are read first, and what they are of."""
    table, ground = sweep.table(), sweep.ground
    shown = [m for m in ground.shown if any(row.get(m) is not None for row in table)]
    settings = varying(sweep.combinations) or list(sweep.settings)
    metrics = {m: ground.metrics[m] for m in shown}
    titles = [m.text + {-1: " ↓", 1: " ↑", 0: ""}[m.better] for m in metrics.values()]
    lines = [_row(["on", *settings, *titles]), _row(["--"] * (1 + len(settings) + len(shown)))]
    for row in table:
        cells = [row["on"], *("default" if row[n] is None else str(row[n]) for n in settings)]
        if not row["problems"]:
            cells += [f"{row['failed']} failed", *[""] * (len(shown) - 1)]
        else:
            cells += [_cell(row, name, metric.digits) for name, metric in metrics.items()]
        lines.append(_row(cells))
    given = {n: next((c[n] for c in sweep.combinations if c[n] is not None), None) for n in sweep.settings}
    fixed = ", ".join(f"{n} {v}" for n, v in given.items() if n not in settings and v is not None)
    lines += ["", *_notes(sweep, fixed)]
    return "\n".join(lines) + "\n"


def _notes(sweep: Sweep, fixed: str) -> list[str]:
    sizes = sorted({row["problems"] for row in sweep.table()})
    of = counted(sizes[-1], sweep.ground.problem) if len(sizes) == 1 else f"up to {sizes[-1]} {sweep.ground.problem}s"
    notes = [f"Means over {of} ± one standard error. In brackets the mean difference to the first row of the same "
             f"{sweep.ground.problem}s ± its paired standard error."]  # fmt: skip
    notes += [f"All with {fixed}."] if fixed else []
    failed = sum(row["failed"] for row in sweep.table())
    notes += [f"{failed} of {len(sweep.records)} failed: records.csv says why."] if failed else []
    notes += [f"Left out: {text}: {said}." for text, said in sweep.left_out.items()]
    return notes


def _cell(row: Mapping, measure: str, digits: int) -> str:
    if row.get(measure) is None:
        return ""
    text = mean_text(_mean(row, measure), digits)
    if row.get(f"{measure}_difference") is None:
        return text
    difference = _mean(row, f"{measure}_difference")
    return f"{text} ({mean_text(difference, digits, signed=True)})"


def _mean(row: Mapping, name: str) -> Mean:
    error = row.get(f"{name}_error")
    return Mean(row[name], float("nan") if error is None else error, row["problems"])


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(str(c).replace('|', chr(92) + '|') for c in cells)} |"


