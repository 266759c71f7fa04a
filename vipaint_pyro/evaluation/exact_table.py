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
from vipaint_pyro.evaluation.exact_records import COLUMNS, COSTS, HEADS, TITLE, check_folder, record_path, records
from vipaint_pyro.exact.problems import Problems, check_cell, mixture_problems
from vipaint_pyro.files import replacing_file, write_picture, write_text

__all__ = ["CELLS", "COLUMNS", "PUBLISHED", "plot_table", "rows", "run_table", "score", "write_table"]

CELLS = tuple((d, d_y) for d in (8, 80, 800) for d_y in (1, 2, 4))

#: Sliced W1, mean and 95 % CI over 20 problems of the same distribution (not the same problems):
#: Cardoso et al., arXiv:2308.07983, main table and appendix.
PUBLISHED = {
    "MCGDiff": (
        (1.43, 0.55), (0.49, 0.24), (0.38, 0.25),
        (1.39, 0.45), (0.67, 0.24), (0.28, 0.14),
        (2.40, 1.00), (1.31, 0.60), (0.47, 0.19),
    ),
    "DDRM": (
        (5.88, 1.16), (5.20, 1.32), (2.51, 1.29),
        (5.64, 1.10), (7.07, 1.35), (7.81, 1.48),
        (7.44, 1.15), (8.95, 1.12), (8.39, 1.48),
    ),
    "DPS": (
        (4.86, 1.01), (5.79, 1.96), (3.48, 1.52),
        (4.98, 1.14), (5.10, 1.23), (4.28, 1.26),
        (6.49, 1.16), (6.88, 1.01), (5.51, 1.18),
    ),
    "RNVP": (
        (9.43, 0.99), (8.93, 1.29), (6.71, 1.54),
        (6.86, 0.88), (7.79, 1.50), (7.95, 1.61),
        (7.74, 1.34), (8.75, 1.02), (7.81, 1.63),
    ),
}  # fmt: skip


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
) -> None:
    """Run what is not yet in the folder: one JSON file per method and cell, written when it is done.

    Raises:
        ValueError: before anything runs, for an unknown method, settings it cannot have or a cell that cannot be; where
            the folder cannot be written, holds other files, a damaged record or a table with other settings.
    """
    methods, seeds = list(dict.fromkeys(methods)), list(seeds)
    for d, d_y in cells:
        check_cell(d, d_y)
    for name in methods:
        check_name(name, lab)
    settings = {**asdict(lab), "ratios": list(lab.ratios), "seeds": seeds}
    check_folder(folder, settings)
    for d, d_y in cells:
        problems = None
        for name in methods:
            path = record_path(folder, name, (d, d_y))
            if path.exists():
                continue
            problems = problems or mixture_problems(d, d_y, seeds, kernel=lab.kernel)
            draws = draw_named(name, problems, lab)
            facts = {n: getattr(draws, n) for n in COSTS}
            record = {"method": name, "cell": [d, d_y], "settings": settings, **facts, "scores": score(problems, draws)}
            write_text(path, json.dumps(record))
            if log is not None:
                w, tv = (record["scores"][c] for c in ("sliced_w1", "mode_tv"))
                seconds = draws.seconds + draws.fit_seconds
                log(f"({d}, {d_y}) {name}: sliced W1 {_mean(w)}, mode TV {_mean(tv)}, {seconds:.0f} s")


def rows(folder: Path) -> list[dict]:
    """One row per method and cell: means over problems, and 95 % confidence intervals."""
    result = []
    for record in records(folder):
        row = {"method": record["method"], "d": record["cell"][0], "d_y": record["cell"][1]}
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
    return sorted(result, key=lambda r: (r["d"], r["d_y"], r.get("sliced_w1", 0)))


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
        distances, intervals = ([r[c] for r in here] for c in ("sliced_w1", "sliced_w1_ci"))
        axes.barh(range(len(here)), distances, xerr=intervals, color=colours)
        axes.set_yticks(range(len(here)), [r["method"] for r in here], fontsize=7)
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
