"""What a study's folder holds, read for its report: the plan and a record per image, condition and method."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from vipaint_pyro.settings import number, whole
from vipaint_pyro.wording import counted

__all__ = ["ENDLESS", "INFINITE", "Found", "Record", "read_study"]

#: The PSNR of the truth itself, as a record has it.
INFINITE = "inf"
#: Scores that may be infinite.
ENDLESS = ("psnr", "psnr_mean", "psnr_mean_hole")

#: What all finished records of a study have in common.
_COMMON = ("weights", "lpips_net", "features")


@dataclass(frozen=True)
class Record:
    """What is known of one image under one condition by one method.

    Attributes:
        path: its file.
        said: what the file says.
    """

    path: Path
    said: dict

    @property
    def image(self) -> int:
        return self.said["item"]["image"]

    @property
    def condition(self) -> str:
        return self.said["item"]["condition"]

    @property
    def method(self) -> str:
        return self.said["item"]["method"]

    @property
    def failed(self) -> bool:
        """Whether it says why there are no scores."""
        return self.said["error"] is not None

    @cached_property
    def means(self) -> dict[str, float]:
        """Score -> its mean over samples, of those that have a value; of a failed item none."""
        scores = {} if self.failed else dict(self.said["scores"])
        if not self.failed and self.said["settings"]["num_samples"] == 1:
            scores.pop("diversity", None)  # one sample has none, though records of earlier versions say 0
        listed = {n: v if isinstance(v, list) else [v] for n, v in scores.items() if v is not None}
        return {n: math.fsum(map(float, v)) / len(v) for n, v in listed.items()}

    def beside(self, kind: str) -> Path:
        """The item's file among the study's ``kind``: samples or features."""
        condition, method, name = self.path.parts[-3:]
        return self.path.parents[3] / kind / condition / method / Path(name).with_suffix(".safetensors")


@dataclass(frozen=True)
class Found:
    """A study as far as it has come.

    Attributes:
        folder: where it lies.
        said: what plan.json says: ``plan``, ``weights``, ``versions``.
        records: all there are, by condition, method and image.
    """

    folder: Path
    said: dict
    records: tuple[Record, ...]

    @cached_property
    def memo(self) -> dict:
        """What was worked out of all this and takes long, by what was asked."""
        return {}

    @property
    def plan(self) -> dict:
        return self.said["plan"]

    @cached_property
    def conditions(self) -> list[str]:
        """In the plan's order; what only records know comes last."""
        return _ordered(self.plan["conditions"], (r.condition for r in self.records))

    @cached_property
    def methods(self) -> list[str]:
        """In the plan's order; what only records know comes last."""
        return _ordered(self.plan["methods"], (r.method for r in self.records))

    @property
    def images(self) -> range:
        """The numbers of the planned images."""
        first = self.plan.get("first", 0)
        return range(first, first + self.plan["images"])

    def of(self, condition: str, method: str) -> list[Record]:
        """The records of a method under a condition, by image."""
        return self._by_method.get((condition, method), [])

    @cached_property
    def _by_method(self) -> dict[tuple[str, str], list[Record]]:
        result: dict[tuple[str, str], list[Record]] = {}
        for record in self.records:
            result.setdefault((record.condition, record.method), []).append(record)
        return result

    def common(self, name: str) -> Any:
        """What the finished records, or else the plan, say of weights, lpips_net or features."""
        return next((r.said.get(name) for r in self.records if not r.failed), self.said.get(name))


def read_study(folder: Path) -> Found:
    """Read plan and records.

    Raises:
        ValueError: where there is no study, nothing of it is finished, or a file is damaged or from other weights, by
            its name.
    """
    path = folder / "plan.json"
    if not path.is_file():
        raise ValueError(f"{folder} holds no study: there is no plan.json in it. vipaint evaluate makes one")
    said = _json(path, "the plan of no study", "")
    wrong = _wrong_plan(said)
    if wrong:
        raise ValueError(f"{path} is damaged, or the plan of no study: {wrong}")
    records = [_record(p) for p in sorted((folder / "records").glob("*/*/*.json"))]
    if not records:
        raise ValueError(f"nothing of the study in {folder} is finished yet: there are no records to report")
    _check_common(said, records)
    found = Found(folder, said, tuple(records))
    place = {c: i for i, c in enumerate(found.conditions)}, {m: i for i, m in enumerate(found.methods)}
    ordered = sorted(records, key=lambda r: (place[0][r.condition], place[1][r.method], r.image))
    return Found(folder, said, tuple(ordered))


def _ordered(planned: Iterable[str], there: Iterable[str]) -> list[str]:
    planned = list(dict.fromkeys(planned))
    return [*planned, *sorted({*there} - {*planned})]


def _json(path: Path, what: str, cure: str) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is damaged, or {what} (no JSON: {error}){cure}") from error


_CURE = ": delete it, and vipaint evaluate computes it again"


def _record(path: Path) -> Record:
    said = _json(path, "no record of a study", _CURE)
    wrong = _wrong(said, path)
    if wrong:
        raise ValueError(f"{path} is damaged, or no record of a study ({wrong}){_CURE}")
    return Record(path, said)


def _check_common(said: dict, records: list[Record]) -> None:
    """Raise ValueError where records do not belong together: their means would be of different things."""
    known: dict[str, tuple[object, Path | str]] = {}
    if said.get("weights") is not None:
        known["weights"] = said["weights"], "the study's plan"
    items: dict[tuple, Path] = {}
    for record in records:
        other = items.setdefault((record.condition, record.method, record.image), record.path)
        if other is not record.path:
            raise ValueError(f"{record.path} and {other} are records of one item: delete one of them")
        for name in () if record.failed else _COMMON:
            value = record.said.get(name)
            expected, where = known.setdefault(name, (value, record.path))
            if value != expected:
                raise ValueError(f"{record.path} has {name} {value!r}, but {where} {expected!r}{_CURE}")


def _wrong_plan(said: object) -> str:
    """What a plan lacks, or nothing."""
    if not isinstance(said, dict) or not isinstance(said.get("plan"), dict):
        return "it holds no plan"
    plan = said["plan"]
    for name in ("methods", "conditions"):
        if not isinstance(plan.get(name), list) or not all(isinstance(v, str) for v in plan[name]):
            return f"its {name} are no list of names"
    if not whole().check(plan.get("images")) or not whole(0).check(plan.get("first", 0)):
        return "it does not say which images"
    return ""


def _wrong(said: object, path: Path) -> str:
    """What a record lacks, or nothing."""
    if not isinstance(said, dict) or not isinstance(said.get("item"), dict):
        return "it has no item"
    item = said["item"]
    if not whole(0).check(item.get("image")) or not all(isinstance(item.get(n), str) for n in ("condition", "method")):
        return f"its item is {item}"
    if (path.parts[-3], path.stem) != (item["condition"], f"{item['image']:05d}"):
        return f"it holds image {item['image']} of {item['condition']}"
    if "error" not in said:
        return "it does not say whether it failed"
    if said["error"] is not None:
        return "" if isinstance(said["error"], dict) else "its error is no object"
    return _wrong_scores(said) or _wrong_costs(said)


def _wrong_scores(said: dict) -> str:
    samples: Any = said["settings"].get("num_samples") if isinstance(said.get("settings"), dict) else None
    if not whole().check(samples):
        return "its settings do not say how many samples"
    scores = said.get("scores")
    if not isinstance(scores, dict) or not scores:
        return "it has no scores"
    for name, values in scores.items():
        if isinstance(values, list) and len(values) != samples:
            return f"it has {len(values)} {name} for {counted(samples, 'sample')}"
        for value in values if isinstance(values, list) else [] if values is None else [values]:
            if not _is_score(name, value):
                return f"its {name} is {value}"
    return ""


def _is_score(name: str, value: object) -> bool:
    """A finite number; a PSNR may be infinite, which is a word."""
    return number().check(value) or (name in ENDLESS and value == INFINITE)


def _wrong_costs(said: dict) -> str:
    calls, amount = said.get("calls"), number(least=0).check
    if not isinstance(calls, Mapping) or not all(amount(calls.get(n)) for n in ("forward", "backward")):
        return "it has no calls"
    if not amount(said.get("seconds")):
        return "it has no seconds"
    memory = said.get("peak_memory_mib")
    return "" if memory is None or amount(memory) else f"its peak_memory_mib is {memory}"
