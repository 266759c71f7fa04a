"""The table of pictures: means and standard errors over problems, as rows, CSV and Markdown."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

from vipaint_pyro.evaluation.exact_pictures.cells import CELLS
from vipaint_pyro.evaluation.exact_pictures.records import PAIRED, PICTURES, row_name
from vipaint_pyro.evaluation.exact_pictures.scores import OFF, REFERENCES
from vipaint_pyro.evaluation.exact_records import records
from vipaint_pyro.evaluation.failures import one_line
from vipaint_pyro.evaluation.means import mean_of
from vipaint_pyro.files import replacing_file, write_text
from vipaint_pyro.wording import counted

__all__ = ["rows", "write_tables"]

_DIGITS = {"energy_distance": 3, "pictures": 1, "seen_error": 3}
_COLUMNS = f"""\
- ±: one standard error over the problems. (In brackets): what as many exact draws have in their place, the floor.
- class TV: total variation between the classes of the samples' nearest pictures and the exact weights of the classes,
  0 to 1; lower is better. A garment has one class; of a face it is the mean over its eleven attributes.
- energy: energy distance to {REFERENCES} other exact draws in what is hidden; 0 for exact draws, give or take.
- pictures: effective number of different pictures among the samples (exp of the entropy of the shares); nearer to that
  of the exact draws is better. atoms: the effective number of pictures in the posterior itself.
- off: share of the samples that are further than {OFF:g} (root mean square, of [-1, 1]) from every picture.
- seen: mean of |A x - y| where seen; nearer to that of the exact draws is better: below it, noise is fitted.
- calls: of the denoiser, forward + backward, per sample, the fit's share included; seconds: of a problem's samples.
- exact: draws of the posterior; exact-score: the ancestral walk with the posterior's own denoiser, which says what so
  few steps cost; prior: draws that know nothing of y. Samplers are told no more of the prior than its denoiser.
"""


def rows(folder: Path) -> list[dict]:
    """A row per cell and method at a number of calls: each score's mean over ``problems``, and ``..._se``.

    The standard error is None of one problem. Where a method failed at all problems, ``error`` says why at the first;
    ``failed`` counts them.
    """
    groups: dict[tuple, list[dict]] = {}
    for record in records(folder, PICTURES):
        groups.setdefault((record["cell"], record["method"], record["budget"]), []).append(record)
    found = [_row(list(group)) for group in groups.values()]
    order = list(CELLS)
    return sorted(found, key=lambda r: (order.index(r["cell"]), r["budget"] or 0, r.get("class_tv", 2.0), r["method"]))


def _row(group: Sequence[Mapping]) -> dict:
    first, done = group[0], [r for r in group if not r.get("error")]
    row = {"cell": first["cell"], "method": row_name(first), "budget": first["budget"]}
    row |= {"samples": first["settings"].get("samples"), "problems": len(done), "failed": len(group) - len(done)}
    if not done:
        return row | {"error": one_line(first["error"])}
    for name in PICTURES.columns:
        found = mean_of([r["scores"][name][0] for r in done])
        row[name], row[f"{name}_se"] = found.mean, found.error if len(done) > 1 else None
    return row | {name: mean_of([r[name] for r in done]).mean for name in PICTURES.costs}


def write_tables(folder: Path) -> str:
    """Write table.csv and table.md into the folder; returns the text of table.md."""
    table = rows(folder)
    names = dict.fromkeys(k for r in table for k in r)
    with replacing_file(folder / "table.csv") as scratch, open(scratch, "w", newline="") as file:
        writer = csv.DictWriter(file, list(names))
        writer.writeheader()
        writer.writerows(table)
    text = _markdown(table)
    write_text(folder / "table.md", text)
    return text


def _markdown(table: Sequence[Mapping]) -> str:
    head = f"{PICTURES.heads['table.md']}| energy | pictures | atoms | off | seen | calls | seconds | problems |"
    sizes = dict.fromkeys(r["samples"] for r in table)
    said = f"{' and '.join(counted(n, 'sample') for n in sizes)} of each problem."
    return "\n".join([head, "|--" * 11 + "|", *map(_line, table), "", said, "", _COLUMNS])


def _line(row: Mapping) -> str:
    start = f"| {row['cell']} | {row['method']} "
    tried = row["problems"] + row["failed"]
    share = f"{row['problems']}" + (f" of {tried}" if row["failed"] else "")
    if "error" in row:
        return start + "| " + row["error"].replace("|", "\\|") + " |" + "  |" * 7 + f" {share} |"
    tv, energy, pictures, off, seen = (_cell(row, name, _DIGITS.get(name, 2)) for name in PAIRED)
    cost = f"{row['calls']:.0f} + {row['backward']:.0f} | {row['seconds']:.1f}"
    return f"{start}| {tv} | {energy} | {pictures} | {row['atoms']:.1f} | {off} | {seen} | {cost} | {share} |"


def _cell(row: Mapping, name: str, digits: int) -> str:
    error = row[f"{name}_se"]
    around = "" if error is None else f" ± {error:.{digits}f}"
    return f"{row[name]:.{digits}f}{around} ({row[f'{name}_of_exact']:.{digits}f})"
