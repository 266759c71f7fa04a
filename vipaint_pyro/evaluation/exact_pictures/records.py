"""What the table of pictures keeps: a JSON file per cell, method, number of calls and problem, and a few samples."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from vipaint_pyro.evaluation.exact_pictures.cells import CELLS
from vipaint_pyro.evaluation.exact_records import Kind
from vipaint_pyro.evaluation.study.specs import file_name
from vipaint_pyro.samplers.written import named
from vipaint_pyro.settings import whole

__all__ = ["PAIRED", "PICTURES", "row_name", "samples_path"]

#: Scores that as many exact draws have too, as ``..._of_exact``.
PAIRED = ("class_tv", "energy_distance", "pictures", "off", "seen_error")
_COLUMNS = (*(f"{name}{suffix}" for name in PAIRED for suffix in ("", "_of_exact")), "atoms")


def row_name(record: Mapping) -> str:
    """A method with the calls that it was to make, as a study writes it: NAME@CALLS:setting=value."""
    if record["budget"] is None:
        return record["method"]
    name, settings = named(record["method"])
    return f"{name}@{record['budget']}" + (f":{settings}" if settings is not None else "")


def _name(record: Mapping) -> str:
    return f"{record['cell']}-{record['problem']:04d}-{file_name(row_name(record))}"


def _wrong(record: Mapping) -> str:
    if record.get("cell") not in CELLS:
        return f"its cell is {record.get('cell')!r}"
    if record.get("budget") is not None and not whole().check(record["budget"]):
        return "it has no budget"
    return "" if whole(0).check(record.get("problem")) else "it has no problem"


#: Of pictures: a record per cell, method, number of calls and problem.
PICTURES = Kind(
    "vipaint exact --pictures",
    {"table.csv": "cell,method,budget", "table.md": "| cell | method | class TV "},
    _COLUMNS,
    _COLUMNS,
    ("calls", "backward", "seconds"),
    name=_name,
    wrong=_wrong,
    length=lambda record: 1,
)


def samples_path(folder: Path, record: Mapping) -> Path:
    """The file of a few samples beside what they are of, for the pictures."""
    return folder / "samples" / f"{_name(record)}.safetensors"
