r"""The benchmark's table: methods by cells, measured against the exact posterior, beside published rows."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from vipaint_pyro.calibration import mode_total_variation, sliced_wasserstein
from vipaint_pyro.evaluation.exact_baselines import described_row
from vipaint_pyro.evaluation.exact_markdown import markdown, ran_on
from vipaint_pyro.evaluation.exact_methods import Draws, Lab, check_name, draw_named
from vipaint_pyro.evaluation.exact_published import CELLS, PUBLISHED
from vipaint_pyro.evaluation.exact_records import (
    COLUMNS,
    COSTS,
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

__all__ = ["CELLS", "COLUMNS", "PUBLISHED", "check_table", "plot_table", "rows", "run_table", "score", "write_table"]


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
            the folder cannot be written, holds other files, a damaged record or a table with other settings, those of
            a row's sampler included, with each difference.
    """
    methods, seeds, failed = list(dict.fromkeys(methods)), list(seeds), 0
    for d, d_y in cells:
        check_cell(d, d_y)
    for name in methods:
        check_name(name, lab)
    files: dict[Path, str] = {}
    for name in methods:
        other = files.setdefault(record_path(folder, name, (1, 1)), name)
        if other != name:
            raise ValueError(f"{other!r} and {name!r} would share their files: write them alike")
    settings = check_table(folder, lab, seeds)
    for cell in dict.fromkeys(cells):
        problems = None
        for name in methods:
            path = record_path(folder, name, cell)
            if is_done(path):
                continue
            record = {"method": name, "cell": list(cell), "settings": settings}
            sampler = described_row(name, lab, cell)
            record |= {} if sampler is None else {"sampler": sampler}
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


def check_table(folder: Path, lab: Lab, seeds: Sequence[int]) -> dict:
    """The settings that a table's records hold, once its folder can keep them.

    Raises:
        ValueError: as :func:`run_table`, for the folder.
    """
    settings = {**asdict(lab), "ratios": list(lab.ratios), "seeds": list(seeds)}
    check_folder(folder, settings, lambda record: described_row(record["method"], lab, record["cell"]))
    return settings


def _measured(name: str, problems: Problems, lab: Lab) -> dict:
    draws = draw_named(name, problems, lab)
    check_finite(draws.x.float(), "a sample")  # distances are drawn up in single precision
    return {**{n: getattr(draws, n) for n in COSTS}, "scores": score(problems, draws), "error": None}


def _result(record: dict) -> str:
    if record["error"] is not None:
        return one_line(record["error"])
    w, tv = (record["scores"][c] for c in ("sliced_w1", "mode_tv"))
    seconds = record["seconds"] + record["fit_seconds"]
    return f"sliced W1 {_mean(w)}, mode TV {_mean(tv)} (± 1.96 standard errors), {seconds:.0f} s"


def rows(folder: Path) -> list[dict]:
    """One row per method and cell, cell by cell, the published ones (``published``) behind those that were measured.

    A row has means over ``problems``, of ``samples`` each; as ``..._ci``, 1.96 standard errors of each mean; or
    ``error``, why it failed.
    """
    result = []
    for record in records(folder):
        settings = record["settings"]
        row = {"method": record["method"], "d": record["cell"][0], "d_y": record["cell"][1], "published": False}
        row |= {"problems": len(settings.get("seeds", ())), "samples": settings.get("samples", 0)}
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
            row = {"method": f"{name} (published)", "d": d, "d_y": d_y, "published": True, "problems": 20}
            row |= {"sliced_w1": mean, "sliced_w1_ci": interval}
            if any((r["d"], r["d_y"]) == (d, d_y) for r in result):
                result.append(row)
    return sorted(result, key=lambda r: (r["d"], r["d_y"], r["published"], r.get("sliced_w1", math.inf)))


def write_table(folder: Path) -> str:
    """Write table.csv, table.md and table.png into the folder; returns the text of table.md."""
    table = rows(folder)
    names = list(dict.fromkeys(k for r in table for k in r))
    with replacing_file(folder / "table.csv") as scratch, open(scratch, "w", newline="") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        writer.writerows(table)
    text = markdown(table)
    write_text(folder / "table.md", text)
    write_picture(folder / "table.png", plot_table(folder), dpi=110, metadata={"Title": TITLE})
    return text


def plot_table(folder: Path) -> Any:
    """Sliced W1 of every method, cell by cell, with the published ones below; returns the matplotlib figure."""
    from matplotlib.figure import Figure

    table = rows(folder)
    cells = sorted({(r["d"], r["d_y"]) for r in table})
    figure = Figure(figsize=(4.2 * len(cells), 0.28 * max(len(table) / len(cells), 4) + 1.8), layout="constrained")
    for axes, cell in zip(figure.subplots(1, len(cells), squeeze=False)[0], cells):
        here = [r for r in table if (r["d"], r["d_y"]) == cell]
        places = [i + 0.8 * r["published"] for i, r in enumerate(here)]
        for published, colour in ((False, "tab:blue"), (True, "0.7")):
            bars = [(place, r) for place, r in zip(places, here) if r["published"] == published]
            distances, intervals = ([r.get(c, 0) for _, r in bars] for c in ("sliced_w1", "sliced_w1_ci"))
            axes.barh([place for place, _ in bars], distances, xerr=intervals, color=colour)
        names = [f"{r['method']}, failed" if "error" in r else r["method"] for r in here]
        axes.set_yticks(places, names, fontsize=7)
        axes.invert_yaxis()
        axes.set_title(f"d = {cell[0]}, d_y = {cell[1]}", fontsize=9)
        axes.set_xlabel("sliced W1 to the exact posterior\n(lower is better)", fontsize=8)
    said = f"{ran_on(table)}\nline: 1.96 standard errors over problems (95 %)"
    if any(r["published"] for r in table):
        said += "\ngrey: published, on other problems"
    figure.suptitle(said, fontsize=8)
    return figure


def _interval(values: Sequence[float]) -> tuple[float, float]:
    """Mean and 1.96 standard errors, as the published table has them (ddof 0)."""
    v = torch.tensor(values, dtype=torch.float64, device="cpu")
    return float(v.mean()), float(1.96 * v.std(correction=0) / len(v) ** 0.5)


def _mean(values: Sequence[float]) -> str:
    mean, interval = _interval(values)
    return f"{mean:.2f} ± {interval:.2f}"
