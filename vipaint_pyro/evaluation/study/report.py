"""A study's report: tables, charts and a page, rebuilt from its records alone."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import PIL.Image
from PIL.PngImagePlugin import PngInfo

from vipaint_pyro.evaluation.study.charts import quality_vs_calls
from vipaint_pyro.evaluation.study.found import Found, read_study
from vipaint_pyro.evaluation.study.grids import Grid, latex, markdown
from vipaint_pyro.evaluation.study.layouts import (
    LONG_HEAD,
    costs_csv,
    costs_grid,
    long_csv,
    long_grid,
    paired_csv,
    paired_grid,
    quality_csv,
    quality_grids,
)
from vipaint_pyro.evaluation.study.page import HEAD, page
from vipaint_pyro.evaluation.study.pictures import samples_sheet
from vipaint_pyro.evaluation.study.stacks import stacked
from vipaint_pyro.evaluation.study.summary import metrics_of
from vipaint_pyro.files import check_own, check_writable, write_picture, write_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["FILES", "check_place", "write_report"]

_TITLE = "vipaint report"
#: What is written, and how it begins; pictures say it in their title. Files that begin otherwise are not ours.
FILES = {
    "report/table.md": "# vipaint report: quality",
    "report/table.csv": "metric,condition,images",
    "report/table.tex": "% vipaint report",
    "report/long.md": "# vipaint report: all means",
    "report/long.csv": ",".join(LONG_HEAD),
    "report/paired.md": "# vipaint report: paired differences",
    "report/paired.csv": "metric,condition,method,best_baseline",
    "report/costs.md": "# vipaint report: costs",
    "report/costs.csv": "condition,method,forward_calls_per_sample",
    "report/quality-vs-calls.png": _TITLE,
    "report/samples.png": _TITLE,
    "report.html": HEAD,
}


def write_report(folder: Path, out: Path | None = None, metrics: Sequence[str] = ()) -> str:
    """Write ``report/`` and ``report.html``, each file whole or not at all.

    Quality files (table, long, paired) depend on the scores alone: they are the same bytes whatever a machine's load
    was. Seconds and memory stand in costs and on the page.

    Args:
        folder: of the study.
        out: where to write, in place of the study's own folder.
        metrics: names of scores, the first of which is charted; none for all that there are.

    Returns:
        The text of table.md.

    Raises:
        ValueError: before anything is written, where there is no study, nothing of it is finished, a file of it is
            damaged (by its name), a metric is none of its own, or a file in the way is not a report's.
    """
    out = folder if out is None else out
    found = read_study(folder)
    metrics = _chosen(found, metrics)
    check_place(out)
    sheets = {c: s for c in found.conditions if (s := samples_sheet(found, c)) is not None}
    chart = _rendered(quality_vs_calls(found, metrics[0])) if metrics else None
    texts = _texts(found, metrics)
    for name, text in texts.items():
        write_text(out / name, text)
    _picture(out / "report/quality-vs-calls.png", chart)
    _picture(out / "report/samples.png", stacked(sheets) if sheets else None)
    write_text(out / "report.html", page(found, metrics, chart, sheets))
    return texts["report/table.md"]


def _chosen(found: Found, metrics: Sequence[str]) -> list[str]:
    known = metrics_of(found)
    for metric in metrics:
        if metric not in known:
            raise ValueError(f"metric is one of {', '.join(known)}, but is {metric!r}")
    return list(dict.fromkeys(metrics)) or known


def _texts(found: Found, metrics: Sequence[str]) -> dict[str, str]:
    quality = quality_grids(found, metrics)
    return {
        "report/table.md": _sections("table.md", quality),
        "report/table.csv": quality_csv(found, metrics),
        "report/table.tex": "\n".join([f"{FILES['report/table.tex']}: \\usepackage{{booktabs}}", *map(latex, quality)]),
        "report/long.md": _sections("long.md", [long_grid(found, m) for m in metrics]),
        "report/long.csv": long_csv(found, metrics),
        "report/paired.md": _sections("paired.md", [paired_grid(found, m) for m in metrics]),
        "report/paired.csv": paired_csv(found, metrics),
        "report/costs.md": _sections("costs.md", [costs_grid(found)]),
        "report/costs.csv": costs_csv(found),
    }


def _sections(name: str, grids: Sequence[Grid]) -> str:
    return "\n".join([f"{FILES[f'report/{name}']}\n", *map(markdown, grids)])


def _rendered(figure: Figure) -> PIL.Image.Image:
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return PIL.Image.open(file).convert("RGB")


def _picture(path: Path, picture: PIL.Image.Image | None) -> None:
    """Write a picture, or take an earlier report's away where there is none any more."""
    if picture is None:
        path.unlink(missing_ok=True)
    else:
        info = PngInfo()
        info.add_text("Title", _TITLE)
        write_picture(path, picture, pnginfo=info)


def check_place(out: Path) -> None:
    """Raise ValueError where a report cannot be written, or would replace a file that is none."""
    for place in (out, out / "report"):
        check_writable(place)
    check_own(out, FILES, _TITLE)
