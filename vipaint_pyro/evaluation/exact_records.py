"""What the laboratory's tables keep in their folders: JSON files of figures, and the table made of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from vipaint_pyro.evaluation.study.specs import file_name
from vipaint_pyro.files import check_own, check_writable, is_scratch
from vipaint_pyro.settings import number, whole
from vipaint_pyro.wording import counted, differences

__all__ = [
    "COLUMNS", "COSTS", "HEADS", "MIXTURES", "TITLE", "Kind", "check_folder", "is_done", "read_record", "record_path",
    "records",
]  # fmt: skip

#: What is measured of each problem.
COLUMNS = ("sliced_w1", "mode_tv", "modes_found", "log_evidence_error", "bound_gap", "bound_z", "k_hat")
#: What a method cost.
COSTS = ("fit_calls", "calls", "fit_seconds", "seconds")
#: How the tables begin, by their names, and what the picture says of itself: files that begin otherwise are not ours.
HEADS = {"table.csv": "method,d,d_y", "table.md": "| d, d_y | method | sliced W1 "}
TITLE = "vipaint exact"


@dataclass(frozen=True)
class Kind:
    """What a table's records hold, beside method, settings, the sampler's settings and an error.

    Args:
        title: the command that keeps them.
        heads: how its tables begin, by their names.
        columns: scores that a record may have, a list of numbers each.
        needed: of them, those that each has.
        costs: numbers, at least 0.
        name: of a record's file, without the suffix, by what identifies it.
        wrong: what is wrong with what identifies a record, or nothing.
        length: of each score, by the record.
    """

    title: str
    heads: Mapping[str, str]
    columns: Sequence[str]
    needed: Sequence[str]
    costs: Sequence[str]
    name: Callable[[Mapping], str]
    wrong: Callable[[Mapping], str]
    length: Callable[[Mapping], int]

    def path(self, folder: Path, record: Mapping) -> Path:
        """The file of a record in a table's folder."""
        return folder / "cells" / f"{self.name(record)}.json"


def _wrong_cell(record: Mapping) -> str:
    if not isinstance(record.get("cell"), list):
        return "it has no cell"
    if len(record["cell"]) != 2 or not all(map(whole().check, record["cell"])):
        return f"its cell is {record['cell']}"
    return "" if isinstance(record["settings"].get("seeds"), list) or record.get("error") else "its scores are others"


#: Of the benchmark of mixtures: a record per method and cell.
MIXTURES = Kind(
    TITLE, HEADS, COLUMNS, ("sliced_w1", "mode_tv", "modes_found"), COSTS,
    name=lambda r: f"{file_name(r['method'])}-{r['cell'][0]}-{r['cell'][1]}",
    wrong=_wrong_cell,
    length=lambda r: len(r["settings"]["seeds"]),
)  # fmt: skip


def record_path(folder: Path, name: str, cell: Sequence[int]) -> Path:
    """The file of a method's figures in a cell of mixtures, or of why there are none."""
    return MIXTURES.path(folder, {"method": name, "cell": cell})


def records(folder: Path, kind: Kind = MIXTURES) -> list[dict]:
    """All that is kept, by the names of the files.

    Raises:
        ValueError: for a file that is damaged, or none of these, by its name.
    """
    return [read_record(path, kind) for path in sorted((folder / "cells").glob("*.json"))]


def read_record(path: Path, kind: Kind = MIXTURES) -> dict:
    """A method's figures; or its ``error``, type and message, where it failed.

    Raises:
        ValueError: where the file is damaged or holds something else, with the reason.
    """
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise _no_record(path, kind, f"no JSON: {error}") from error
    wrong = _wrong(record, kind)
    if wrong:
        raise _no_record(path, kind, wrong)
    if path.name != kind.path(path.parent.parent, record).name:
        raise _no_record(path, kind, f"it holds {record['method']} in the cell {record['cell']}")
    return record


def is_done(path: Path, kind: Kind = MIXTURES) -> bool:
    """Whether a record is there, and not of a failure."""
    return path.exists() and not read_record(path, kind).get("error")


def check_folder(
    folder: Path,
    settings: dict,
    sampler_of: Callable[[Mapping], dict | None] = lambda record: None,
    kind: Kind = MIXTURES,
) -> None:
    """Look whether a table of these settings can be kept in ``folder``.

    Args:
        folder: where the table is, or is to be.
        settings: of all rows.
        sampler_of: of a record, the settings that its sampler has now; None for a row that has none.
        kind: of table.

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
    check_own(folder, {**kind.heads, "table.png": kind.title}, kind.title)
    for record in records(folder, kind):
        name, sampler = record["method"], record.get("sampler")  # older records do not say it
        changes = differences(_by_option(record["settings"]), _by_option(settings))
        if not changes and sampler is not None and not record.get("error"):  # what failed is tried again anyway
            changes = [f"{name} {text}" for text in differences(sampler, sampler_of(record) or {})]
        if changes:
            said = "; ".join(changes)
            raise ValueError(f"{folder} holds a table with other settings ({said}): name another folder with --out")


def _by_option(settings: dict) -> dict:
    """The same, the seeds as the problems that they are, from the first to the last."""
    seeds = settings.get("seeds")
    listed = seeds if isinstance(seeds, list) and all(isinstance(s, int) for s in seeds) else []
    if listed and listed == [*range(listed[0], listed[-1] + 1)]:
        seeds = f"{listed[0]} ... {listed[-1]}"
    return {"problems" if name == "seeds" else name: seeds if name == "seeds" else v for name, v in settings.items()}


def _no_record(path: Path, kind: Kind, reason: str) -> ValueError:
    text = "delete it, and it is computed again, or name another folder with --out"
    return ValueError(f"{path} is damaged, or no record of {kind.title} ({reason}): {text}")


def _wrong(record: object, kind: Kind) -> str:
    """What a record lacks, or nothing."""
    if not isinstance(record, dict):
        return "it holds no object"
    if not isinstance(record.get("sampler"), dict | None):
        return "its sampler has no settings"
    for name, form in (("method", str), ("settings", dict)):
        if not isinstance(record.get(name), form):
            return f"it has no {name}"
    wrong = kind.wrong(record)
    if wrong:
        return wrong
    error = record.get("error")  # older records of what was finished have none
    if error is None:
        return _wrong_figures(record, kind)
    said = isinstance(error, dict) and all(isinstance(error.get(n), str) for n in ("type", "message"))
    return "" if said else "its error has no type and message"


def _wrong_figures(record: dict, kind: Kind) -> str:
    scores = record.get("scores")
    if not isinstance(scores, dict):
        return "it has no scores"
    for name in kind.costs:
        if not number(least=0).check(record.get(name)):
            return f"it has no {name}"
    if not {*kind.needed} <= scores.keys() <= {*kind.columns}:
        return "its scores are others"
    problems = kind.length(record)
    for name, values in scores.items():  # k_hat may be infinite, or not known
        if not isinstance(values, list) or not all(isinstance(v, (int, float)) for v in values):
            return f"its {name} are no numbers"
        if len(values) != problems:
            return f"it has {len(values)} {name} for {counted(problems, 'problem')}"
    return ""
