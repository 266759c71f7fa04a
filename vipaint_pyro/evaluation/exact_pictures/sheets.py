"""A picture per method: truth, what was seen of it, exact draws, and the method's at every number of calls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import PIL.Image
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from vipaint_pyro.evaluation.exact_pictures.cells import CELLS
from vipaint_pyro.evaluation.exact_pictures.records import PICTURES, samples_path
from vipaint_pyro.evaluation.exact_records import records
from vipaint_pyro.evaluation.study.specs import file_name
from vipaint_pyro.files import write_picture
from vipaint_pyro.images import to_output
from vipaint_pyro.plots import grid, observed_picture

__all__ = ["write_sheets"]

#: Problems of each cell, and draws of each kind, on a sheet.
_PROBLEMS, _EXACT, _DRAWS = 3, 3, 3


def write_sheets(folder: Path) -> list[Path]:
    """Write ``pictures/METHOD.png`` for every method of which samples are kept; returns the files.

    Raises:
        ValueError: for kept samples that are damaged, by their name.
    """
    methods: dict[str, list[dict]] = {}
    for record in records(folder, PICTURES):
        if not record.get("error") and samples_path(folder, record).is_file():
            methods.setdefault(record["method"], []).append(record)
    written = []
    for method, kept in methods.items():
        path = folder / "pictures" / f"{file_name(method)}.png"
        write_picture(path, _sheet(folder, method, kept))
        written.append(path)
    return written


def _sheet(folder: Path, method: str, kept: Sequence[Mapping]) -> PIL.Image.Image:
    budgets = sorted({r["budget"] for r in kept}, key=lambda calls: calls or 0)
    by_place = {(r["cell"], r["problem"], r["budget"]): r for r in kept}
    rows, names = [], []
    for cell in CELLS:
        for problem in sorted({r["problem"] for r in kept if r["cell"] == cell})[:_PROBLEMS]:
            here = {b: _kept(folder, by_place[cell, problem, b]) for b in budgets if (cell, problem, b) in by_place}
            rows.append(_row(here, budgets))
            names.append(f"{cell}\nproblem {problem}")
    columns = ["truth", "seen", *["exact draw"] * _EXACT]
    columns += [method if b is None else f"{b} calls" for b in budgets for _ in range(_DRAWS)]
    return grid(rows, columns, 84, names, f"{method}: {_cost(kept, budgets)}")


def _row(here: Mapping[int | None, Mapping[str, Tensor]], budgets: Sequence[int | None]) -> list[PIL.Image.Image]:
    any_of = next(iter(here.values()))
    unit = {name: x / 255 for name, x in any_of.items() if name != "observed"}
    pictures = [*_pictures(unit["truth"]), observed_picture(unit["y"][0], any_of["observed"][0])]
    pictures += _pictures(unit["exact"][:_EXACT])
    for budget in budgets:
        draws = _pictures(here[budget]["samples"][:_DRAWS] / 255) if budget in here else []
        blank = PIL.Image.new("RGB", pictures[0].size, (236, 236, 236))
        pictures += [*draws, *[blank] * (_DRAWS - len(draws))]
    return pictures


def _pictures(unit: Tensor) -> list[PIL.Image.Image]:
    return to_output(unit, "pil")


def _cost(kept: Sequence[Mapping], budgets: Sequence[int | None]) -> str:
    """What a sample cost at each number of calls, the mean over problems and cells."""
    said = []
    for budget in budgets:
        of = [r for r in kept if r["budget"] == budget]
        calls, backward, seconds = (sum(r[name] for r in of) / len(of) for name in PICTURES.costs)
        each = seconds / of[0]["settings"]["samples"]
        said.append(f"{calls:.0f} F + {backward:.0f} B, {each:.2f} s a sample")
    return "; ".join(said)


def _kept(folder: Path, record: Mapping) -> Mapping[str, Tensor]:
    path = samples_path(folder, record)
    try:
        found = load_file(path)
        wrong = not {"truth", "y", "observed", "exact", "samples"} <= found.keys()
    except (SafetensorError, OSError):
        wrong = True
    if wrong:
        raise ValueError(f"{path} is damaged, or holds other samples: delete it, and the picture does without it")
    return found
