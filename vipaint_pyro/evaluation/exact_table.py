r"""The benchmark's table: methods by cells, measured against the exact posterior, beside published rows."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

import torch

from vipaint_pyro.calibration import mode_total_variation, sliced_wasserstein
from vipaint_pyro.evaluation.exact_methods import Draws, Lab, check_name, draw_named
from vipaint_pyro.evaluation.exact_published import CELLS, PUBLISHED
from vipaint_pyro.evaluation.exact_records import (
    COLUMNS,
    COSTS,
    HEADS,
    TITLE,
    check_folder,
    is_done,
    record_path,
    records,
)
from vipaint_pyro.evaluation.failures import FAILURES, one_line, said_of
from vipaint_pyro.exact.problems import Problems, check_cell, mixture_problems
from vipaint_pyro.faults import check_finite, fault_of
from vipaint_pyro.files import replacing_file, write_picture, write_text

__all__ = ["CELLS", "COLUMNS", "PUBLISHED", "plot_table", "rows", "run_table", "score", "write_table"]


def score(problems: Problems, draws: Draws, num_slices: int = 1000, seed: int = 0) -> dict[str, list[float]]:
    """The columns of the table for each problem; what a method does not say is left out.

    ``bound_z`` is (bound - log p(y)) over the bound's standard error: above 2 it would be a fault.
    """
    posterior = problems.posterior()
    # Not the seed of any method: two draws of one seed would agree.
    exact = posterior.sample(len(draws.x), torch.Generator().manual_seed(10_000 + seed))
    r = posterior.log_responsibilities(draws.x).exp().transpose(0, 1)
    modes = mode_total_variation(r, posterior.weights)
    result = {
        "sliced_w1": [
            float(
                sliced_wasserstein(
                    draws.x[:, i].flatten(1), exact[:, i].flatten(1), num_slices, torch.Generator().manual_seed(seed)
                ).distance
            )
            for i in range(len(problems))
        ],
        "mode_tv": modes.total_variation.tolist(),
        "modes_found": (modes.found / modes.notable).tolist(),
    }
    truth = posterior.log_evidence
    if draws.log_evidence is not None:
        result["log_evidence_error"] = (draws.log_evidence - truth).tolist()
    if draws.bound is not None:
        mean, error = draws.bound
        result["bound_gap"] = (truth - mean).tolist()
        result["bound_z"] = ((mean - truth) / error).tolist()
    if draws.k_hat is not None:
        result["k_hat"] = draws.k_hat.tolist()
    return result


def run_table(
    methods: Iterable[str],
    cells: Sequence[tuple[int, int]],
    lab: Lab,
    folder: Path,
    *,
    seeds: Sequence[int] = range(20),
    log: Callable[[str], None] | None = None,
) -> int:
    """Run what is not yet in the folder: one JSON file per method and cell, written when it is done.

    Where a method fails in a cell, its record says why, and the others go on; the next call tries it again.

    Returns:
        How many of the methods and cells failed.

    Raises:
        ValueError: before anything runs, for an unknown method, settings it cannot have or a cell that cannot be; where
            the folder cannot be written, holds other files, a damaged record or a table with other settings.
    """
    methods, seeds, failed = list(dict.fromkeys(methods)), list(seeds), 0
    for d, d_y in cells:
        check_cell(d, d_y)
    for name in methods:
        check_name(name, lab)
    settings = {**asdict(lab), "ratios": list(lab.ratios), "seeds": seeds}
    check_folder(folder, settings)
    for cell in dict.fromkeys(cells):
        problems = None
        for name in methods:
            path = record_path(folder, name, cell)
            if is_done(path):
                continue
            record = {"method": name, "cell": list(cell), "settings": settings}
            try:
                problems = problems or mixture_problems(*cell, seeds, kernel=lab.kernel)
                record |= _measured(name, problems, lab)
            except FAILURES as error:
                record |= {"error": said_of(fault_of(error) or error)}
                failed += 1
            write_text(path, json.dumps(record))
            if log is not None:
                log(f"{cell} {name}: {_result(record)}")
    return failed


def _measured(name: str, problems: Problems, lab: Lab) -> dict:
    draws = draw_named(name, problems, lab)
    check_finite(draws.x.float(), "a sample")  # distances are drawn up in single precision
    return {**{n: getattr(draws, n) for n in COSTS}, "scores": score(problems, draws), "error": None}


def _result(record: dict) -> str:
    if record["error"] is not None:
        return one_line(record["error"])
    w, tv = (record["scores"][c] for c in ("sliced_w1", "mode_tv"))
    return f"sliced W1 {_mean(w)}, mode TV {_mean(tv)}, {record['seconds'] + record['fit_seconds']:.0f} s"


def rows(folder: Path) -> list[dict]:
    """One row per method and cell: means over problems, and 95 % confidence intervals; or ``error``, why it failed."""
    result = []
    for record in records(folder):
        row = {"method": record["method"], "d": record["cell"][0], "d_y": record["cell"][1]}
        if record.get("error"):
            result.append(row | {"error": one_line(record["error"])})
            continue
        for column in COLUMNS:
            values = record["scores"].get(column)
            if values:
                mean, interval = _interval(values)
                row[column], row[f"{column}_ci"] = mean, interval
        for column in ("log_evidence_error", "bound_z"):
            if column in record["scores"]:
                values = record["scores"][column]
                row[f"{column}_rms" if column != "bound_z" else "bound_z_max"] = (
                    math.sqrt(sum(v**2 for v in values) / len(values)) if column != "bound_z" else max(values)
                )
        row |= {n: record[n] for n in COSTS}
        result.append(row)
    for name, values in PUBLISHED.items():
        for (d, d_y), (mean, interval) in zip(CELLS, values):
            row = {"method": f"{name} (published)", "d": d, "d_y": d_y, "sliced_w1": mean, "sliced_w1_ci": interval}
            if any((r["d"], r["d_y"]) == (d, d_y) for r in result):
                result.append(row)
    return sorted(result, key=lambda r: (r["d"], r["d_y"], r.get("sliced_w1", math.inf)))


def write_table(folder: Path) -> str:
    """Write table.csv, table.md and table.png into the folder; returns the text of table.md."""
    table = rows(folder)
    names = list(dict.fromkeys(k for r in table for k in r))
    with replacing_file(folder / "table.csv") as scratch, open(scratch, "w", newline="") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        writer.writerows(table)
    lines = [
        f"{HEADS['table.md']}| mode TV | modes found "
        "| log p(y) error (rms) | log p(y) - bound | k | fit calls | calls per sample | seconds |",
        "|--|--|--|--|--|--|--|--|--|--|--|",
    ]
    for r in table:
        cell = [f"{r['d']}, {r['d_y']}", r["method"]]
        if "error" in r:
            lines.append("| " + " | ".join([*cell, r["error"].replace("|", "\\|"), *[""] * 8]) + " |")
            continue
        cell += [_shown(r, "sliced_w1"), _shown(r, "mode_tv"), _shown(r, "modes_found", False)]
        error = ""
        if "log_evidence_error" in r:
            error = f"{r['log_evidence_error']:+.3f} ({r['log_evidence_error_rms']:.3f})"
        cell += [error, _shown(r, "bound_gap"), _shown(r, "k_hat", False)]
        cell += [f"{r[n]:.0f}" if n in r else "" for n in ("fit_calls", "calls")]
        cell += [f"{r['fit_seconds'] + r['seconds']:.0f}" if "seconds" in r else ""]
        lines.append("| " + " | ".join(cell) + " |")
    text = "\n".join(lines) + "\n"
    write_text(folder / "table.md", text)
    write_picture(folder / "table.png", plot_table(folder), dpi=110, metadata={"Title": TITLE})
    return text


def plot_table(folder: Path):
    """Sliced W1 of every method, cell by cell, with the published ones; returns the matplotlib figure."""
    from matplotlib.figure import Figure

    table = rows(folder)
    cells = sorted({(r["d"], r["d_y"]) for r in table})
    figure = Figure(figsize=(4.2 * len(cells), 0.28 * max(len(table) / len(cells), 4) + 1.2), layout="constrained")
    for axes, cell in zip(figure.subplots(1, len(cells), squeeze=False)[0], cells):
        here = [r for r in table if (r["d"], r["d_y"]) == cell]
        colours = ["0.7" if "published" in r["method"] else "tab:blue" for r in here]
        distances, intervals = ([r.get(c, 0) for r in here] for c in ("sliced_w1", "sliced_w1_ci"))
        axes.barh(range(len(here)), distances, xerr=intervals, color=colours)
        names = [f"{r['method']}, failed" if "error" in r else r["method"] for r in here]
        axes.set_yticks(range(len(here)), names, fontsize=7)
        axes.invert_yaxis()
        axes.set_title(f"d = {cell[0]}, d_y = {cell[1]}", fontsize=9)
        axes.set_xlabel("sliced W1 to the exact posterior", fontsize=8)
    return figure


def _interval(values: Sequence[float]) -> tuple[float, float]:
    """Mean and 1.96 standard errors, as the published table has them (ddof 0)."""
    v = torch.tensor(values, dtype=torch.float64, device="cpu")
    return float(v.mean()), float(1.96 * v.std(correction=0) / len(v) ** 0.5)


def _mean(values: Sequence[float]) -> str:
    mean, interval = _interval(values)
    return f"{mean:.2f} ± {interval:.2f}"


def _shown(row: dict, column: str, interval: bool = True) -> str:
    if column not in row:
        return ""
    return f"{row[column]:.2f} ± {row[column + '_ci']:.2f}" if interval else f"{row[column]:.2f}"
