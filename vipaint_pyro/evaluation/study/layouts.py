"""A study's tables: the paper's (conditions by methods), a long one, paired differences, and costs for themselves.

Quality depends on the records' scores alone, so that its files are the same bytes whatever a machine's load was;
seconds and memory stand in the costs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from vipaint_pyro.evaluation.means import Mean, mean_of
from vipaint_pyro.evaluation.study.cells import count_cell, csv_text, mean_cell, mean_text
from vipaint_pyro.evaluation.study.found import Found
from vipaint_pyro.evaluation.study.grids import Cell, Grid
from vipaint_pyro.evaluation.study.notes import NO_PAIRS, failures, long_notes, pairing, quality_notes
from vipaint_pyro.evaluation.study.sets import SETS
from vipaint_pyro.evaluation.study.summary import Comparison, compared, differences, lacking
from vipaint_pyro.evaluation.study.titles import EXACT, heading, metric_of
from vipaint_pyro.wording import counted

__all__ = [
    "LONG_HEAD", "costs_csv", "costs_grid", "done", "long_csv", "long_grid", "paired_csv", "paired_grid", "quality_csv",
    "quality_grid", "quality_grids",
]  # fmt: skip

LONG_HEAD = ("metric", "condition", "method", "mean", "standard_error", "images", "failed", "planned")


def quality_grids(found: Found, metrics: Sequence[str]) -> list[Grid]:
    """A table per metric; what exact draws have stands in the table that it is the scale of, where that is shown."""
    scales = {EXACT[m] for m in metrics if m in EXACT}
    return [quality_grid(found, m) for m in metrics if m not in scales]


def quality_grid(found: Found, metric: str) -> Grid:
    """Conditions by methods, as the paper's Table 1; below a distance to exact draws that of as many exact ones."""
    known, rows = metric_of(metric), []
    for condition in found.conditions:
        comparison = compared(found, condition, metric)
        marks = comparison.marks(known.better)
        row = [Cell(condition), Cell(str(comparison.images), comparison.images)]
        rows.append((*row, *(_quality(found, condition, m, comparison, known.digits, marks) for m in found.methods)))
        if metric in EXACT:
            scale = compared(found, condition, EXACT[metric])
            cells = [_quality(found, condition, m, scale, known.digits, {}) for m in found.methods]
            rows.append((Cell(f"{condition}: exact draws"), Cell(str(scale.images), scale.images), *cells))
    head = ("condition", "images", *found.methods)
    return Grid(heading(found, metric), head, tuple(rows), quality_notes(found, metric))


def _quality(
    found: Found, condition: str, method: str, comparison: Comparison, digits: int, marks: dict[str, str]
) -> Cell:
    own, common = comparison.own[method], comparison.common.get(method)
    mean = common or own
    if math.isnan(mean.mean):
        return Cell("—")
    text = mean_text(mean, digits)
    if common is None:
        text += f" (n = {own.images})"
    dagger = " †" if lacking(found, condition, method) else ""
    return Cell(text + dagger, mean.mean, marks.get(method, ""))


def quality_csv(found: Found, metrics: Sequence[str]) -> str:
    """The same as numbers; a mean that is not over the common images has its number of images beside."""
    parts = ("", " standard error", " images")
    head = ("metric", "condition", "images", *(m + p for m in found.methods for p in parts))
    rows = []
    for metric in metrics:
        for condition in found.conditions:
            c = compared(found, condition, metric)
            means = [c.common.get(m) or c.own[m] for m in found.methods]
            rows.append((metric, condition, c.images, *(v for m in means for v in (m.mean, m.error, m.images))))
    return csv_text(head, rows)


def long_csv(found: Found, metrics: Sequence[str]) -> str:
    """A row per metric, condition and method: over all the images that it has, in common or not."""
    rows = []
    for metric, condition, method, mean in _long(found, metrics):
        counts = mean.images, failures(found, condition, method), len(found.images)
        rows.append((metric, condition, method, mean.mean, mean.error, *counts))
    return csv_text(LONG_HEAD, rows)


def long_grid(found: Found, metric: str) -> Grid:
    """A row per condition and method, for people."""
    rows = []
    for _, condition, method, mean in _long(found, [metric]):
        cells = [Cell(condition), Cell(method), mean_cell(mean, metric_of(metric).digits)]
        rows.append((*cells, *map(count_cell, (mean.images, failures(found, condition, method), len(found.images)))))
    head = ("condition", "method", "mean", "images", "failed", "planned")
    return Grid(heading(found, metric), head, tuple(rows), long_notes(metric))


def _long(found: Found, metrics: Sequence[str]) -> list[tuple[str, str, str, Mean]]:
    rows = []
    for metric in metrics:
        for condition in found.conditions:
            own = compared(found, condition, metric).own
            rows += [(metric, condition, m, own[m]) for m in found.methods if found.of(condition, m)]
    return rows


def paired_grid(found: Found, metric: str) -> Grid:
    """Every method against the best baseline of its condition."""
    rows = []
    for d in differences(found, metric):
        mean = mean_cell(d.mean, metric_of(metric).digits, signed=True)
        cells = [Cell(d.condition), Cell(d.method), Cell(d.baseline), mean]
        rows.append((*cells, count_cell(d.mean.images), Cell(d.verdict)))
    head = ("condition", "method", "best baseline", "difference", "images", "verdict")
    notes = (pairing(metric) if rows else NO_PAIRS if metric in SETS else "There is no baseline to compare with",)
    return Grid(heading(found, metric), head, tuple(rows), notes)


def paired_csv(found: Found, metrics: Sequence[str]) -> str:
    """The same as numbers."""
    head = ("metric", "condition", "method", "best_baseline", "difference", "paired_standard_error", "images",
            "verdict")  # fmt: skip
    every = [d for metric in metrics for d in differences(found, metric)]
    rows = [(d.metric, d.condition, d.method, d.baseline, d.mean.mean, d.mean.error, d.mean.images, d.verdict)
            for d in every]  # fmt: skip
    return csv_text(head, rows)


def costs_grid(found: Found) -> Grid:
    """What an image cost: calls of the network per sample, seconds per image, peak memory."""
    rows = []
    for condition, method, forward, backward, seconds, memory, images, samples in _costs(found):
        cells = [Cell(condition), Cell(method), Cell(f"{forward:,.1f}", forward), Cell(f"{backward:,.1f}", backward)]
        peak = Cell("—") if memory is None else Cell(f"{memory:,.0f}", memory)
        rows.append((*cells, Cell(f"{seconds:,.1f}", seconds), peak, count_cell(images), Cell(samples)))
    head = ("condition", "method", "forward calls", "backward calls", "seconds", "peak memory (MiB)", "images",
            "samples")  # fmt: skip
    notes = (
        "Calls of the network per sample, with a sample's share of a fit; seconds per image, of all its samples; means "
        "over images, and the largest memory. Seconds depend on the machine and its load",
    )
    return Grid("Costs", head, tuple(rows), notes)


def costs_csv(found: Found) -> str:
    """The same as numbers."""
    head = ("condition", "method", "forward_calls_per_sample", "backward_calls_per_sample", "seconds_per_image",
            "peak_memory_mib", "images", "samples")  # fmt: skip
    return csv_text(head, _costs(found))


def _costs(found: Found) -> list[tuple]:
    rows = []
    for condition in found.conditions:
        for method in found.methods:
            done = [r.said for r in found.of(condition, method) if not r.failed]
            if not done:
                continue
            calls = [mean_of([r["calls"][n] for r in done]).mean for n in ("forward", "backward")]
            memory = max((m for r in done if (m := r.get("peak_memory_mib")) is not None), default=None)
            samples = sorted({r["settings"]["num_samples"] for r in done})
            seconds = mean_of([r["seconds"] for r in done]).mean
            rows.append((condition, method, *calls, seconds, memory, len(done), ", ".join(map(str, samples))))
    return rows


def done(found: Found) -> str:
    """How far the study has come, in one line."""
    planned = len(found.images) * len(found.conditions) * len(found.methods)
    failed = sum(r.failed for r in found.records)
    text = f"{len(found.records) - failed} of {counted(planned, 'item')} finished"
    return f"{text}, {failed} failed" if failed else text
