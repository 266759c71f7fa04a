"""What the laboratory's table keeps in its folder: a JSON file per method and cell, and the table made of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

from vipaint_pyro.files import check_own, check_writable, is_scratch
from vipaint_pyro.settings import number, whole
from vipaint_pyro.wording import counted, differences

__all__ = ["COLUMNS", "COSTS", "HEADS", "TITLE", "check_folder", "is_done", "read_record", "record_path", "records"]

#: What is measured of each problem.
COLUMNS = ("sliced_w1", "mode_tv", "modes_found", "log_evidence_error", "bound_gap", "bound_z", "k_hat")
#: What a method cost.
COSTS = ("fit_calls", "calls", "fit_seconds", "seconds")
#: How the tables begin, by their names, and what the picture says of itself: files that begin otherwise are not ours.
HEADS = {"table.csv": "method,d,d_y", "table.md": "| d, d_y | method | sliced W1 "}
TITLE = "vipaint exact"


def record_path(folder: Path, name: str, cell: Sequence[int]) -> Path:
    """The file of a method's figures in a cell, or of why there are none."""
    return folder / "cells" / f"{name}-{cell[0]}-{cell[1]}.json"


def records(folder: Path) -> list[dict]:
    """All that is kept, by the names of the files.

    Raises:
        ValueError: for a file that is damaged, or none of these, by its name.
    """
    return [read_record(path) for path in sorted((folder / "cells").glob("*.json"))]


def read_record(path: Path) -> dict:
    """A method's figures in a cell; or its ``error``, type and message, where it failed.

    Raises:
        ValueError: where the file is damaged or holds something else, with the reason.
    """
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise _no_record(path, f"no JSON: {error}") from error
    wrong = _wrong(record)
    if wrong:
        raise _no_record(path, wrong)
    if path.name != record_path(path.parent.parent, record["method"], record["cell"]).name:
        raise _no_record(path, f"it holds {record['method']} in the cell {record['cell']}")
    return record


def is_done(path: Path) -> bool:
    """Whether a record is there, and not of a failure."""
    return path.exists() and not read_record(path).get("error")


def check_folder(
    folder: Path, settings: dict, sampler_of: Callable[[str, Sequence[int]], dict | None] = lambda name, cell: None
) -> None:
    """Look whether a table of these settings can be kept in ``folder``.

    Args:
        folder: where the table is, or is to be.
        settings: of all rows.
        sampler_of: of a row by its name and cell, the settings of its sampler; None for a row that has none.

    Raises:
        ValueError: where it cannot be written, holds files that are not the table's, or those of other settings, with
            each difference, old -> new.
    """
    cells = folder / "cells"
    for place in (folder, cells):
        check_writable(place)
    if not folder.is_dir():
        return
    if not cells.is_dir() and any(not is_scratch(p) for p in folder.iterdir()):
        raise ValueError(f"{folder} has other content; name another folder with --out")
    check_own(folder, {**HEADS, "table.png": TITLE}, "vipaint exact")
    for record in records(folder):
        name, sampler = record["method"], record.get("sampler")  # older records do not say it
        changes = differences(_by_option(record["settings"]), _by_option(settings))
        if not changes and sampler is not None:
            changes = [f"{name} {text}" for text in differences(sampler, sampler_of(name, record["cell"]) or {})]
        if changes:
            said = "; ".join(changes)
            raise ValueError(f"{folder} holds a table with other settings ({said}): name another folder with --out")


def _by_option(settings: dict) -> dict:
    """The same, the seeds as the problems that they are, from the first to the last."""
    seeds = settings.get("seeds")
    whole_numbers = isinstance(seeds, list) and seeds and all(isinstance(s, int) for s in seeds)
    if whole_numbers and seeds == [*range(seeds[0], seeds[-1] + 1)]:
        seeds = f"{seeds[0]} ... {seeds[-1]}"
    return {"problems" if name == "seeds" else name: seeds if name == "seeds" else v for name, v in settings.items()}


def _no_record(path: Path, reason: str) -> ValueError:
    text = "delete it, and it is computed again, or name another folder with --out"
    return ValueError(f"{path} is damaged, or no record of vipaint exact ({reason}): {text}")


def _wrong(record: object) -> str:
    """What a record lacks, or nothing."""
    if not isinstance(record, dict):
        return "it holds no object"
    kinds = {"method": str, "cell": list, "settings": dict}
    if not isinstance(record.get("sampler"), dict | None):
        return "its sampler has no settings"
    for name, kind in kinds.items():
        if not isinstance(record.get(name), kind):
            return f"it has no {name}"
    if len(record["cell"]) != 2 or not all(map(whole().check, record["cell"])):
        return f"its cell is {record['cell']}"
    error = record.get("error")  # older records of what was finished have none
    if error is None:
        return _wrong_figures(record)
    said = isinstance(error, dict) and all(isinstance(error.get(n), str) for n in ("type", "message"))
    return "" if said else "its error has no type and message"


def _wrong_figures(record: dict) -> str:
    if not isinstance(record.get("scores"), dict):
        return "it has no scores"
    for name in COSTS:
        if not number(least=0).check(record.get(name)):
            return f"it has no {name}"
    problems, scores = record["settings"].get("seeds"), record["scores"]
    if not isinstance(problems, list) or not {"sliced_w1", "mode_tv", "modes_found"} <= scores.keys() <= {*COLUMNS}:
        return "its scores are others"
    for name, values in scores.items():  # k_hat may be infinite, or not known
        if not isinstance(values, list) or not all(isinstance(v, (int, float)) for v in values):
            return f"its {name} are no numbers"
        if len(values) != len(problems):
            return f"it has {len(values)} {name} for {counted(len(problems), 'problem')}"
    return ""
