"""A grid on exact problems: every combination is a row of a table of ``vipaint exact``, kept as that keeps it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, ClassVar

from vipaint_pyro.evaluation.ablation.exact_cost import cost_of
from vipaint_pyro.evaluation.ablation.ground import Combination, Ground
from vipaint_pyro.evaluation.ablation.levels import LEVELS, ratios_of
from vipaint_pyro.evaluation.exact_guides import GuideRow
from vipaint_pyro.evaluation.exact_methods import Lab, check_name
from vipaint_pyro.evaluation.exact_records import COLUMNS, is_done, read_record, record_path
from vipaint_pyro.evaluation.exact_table import check_table, run_table
from vipaint_pyro.evaluation.failures import one_line
from vipaint_pyro.evaluation.study.specs import file_name
from vipaint_pyro.evaluation.study.titles import Metric
from vipaint_pyro.exact.problems import check_cell, mcgdiff_schedule
from vipaint_pyro.guides.registry import Recipe, recipe
from vipaint_pyro.settings import checked, whole

__all__ = ["OnMixtures"]

#: Of the laboratory's settings, those of samplers that are no guides, and those that are said otherwise.
_OTHER = ("ratios", "samples", "dps_steps", "dps_zeta", "red_diff_steps", "red_diff_lr")
_OF_LAB = tuple(f.name for f in fields(Lab) if f.name not in _OTHER)
_METRICS = {
    "bound_gap": Metric("log p(y) - bound, nats", -1, 2),
    "mode_tv": Metric("mode TV", -1, 2),
    "sliced_w1": Metric("sliced W1", -1, 2),
    "modes_found": Metric("modes found", 1, 2),
    "log_evidence_error": Metric("log p(y) error, nats", 0, 2),
    "bound_z": Metric("bound above log p(y), standard errors", 0, 1),
    "k_hat": Metric("Pareto k", -1, 2),
    "fit_calls": Metric("calls of the fit", -1, 0),
    "calls": Metric("calls per sample after the fit", -1, 0),
    "seconds": Metric("seconds per problem", -1, 2),
}

Row = tuple[str, Lab]


@dataclass(frozen=True)
class OnMixtures(Ground[Row]):
    """Cells of the benchmark of mixtures.

    Args:
        cells: (d, d_y) each.
        out: the ablation's folder.
        samples: per problem, at least 100.
        problems: how many of each cell, at least 2.
        tune: whether they are those to tune on.
    """

    cells: Sequence[tuple[int, int]]
    out: Path
    samples: int = 2000
    problems: int = 20
    tune: bool = False
    noun: ClassVar[str] = "exact problems"
    problem: ClassVar[str] = "problem"
    about: ClassVar[tuple[str, ...]] = ("problems", "samples", "tune")
    shared: ClassVar[tuple[str, ...]] = ("fit_calls", "calls", "seconds")
    known: ClassVar[tuple[str, ...]] = ("guide", *LEVELS, *_OF_LAB)
    metrics: ClassVar[Mapping[str, Metric]] = _METRICS
    shown: ClassVar[tuple[str, ...]] = ("bound_gap", "mode_tv", "sliced_w1")

    def __post_init__(self) -> None:
        for cell in self.cells:
            check_cell(*cell)
        checked("samples", self.samples, whole(100))
        checked("problems", self.problems, whole(2, 10_000))

    @property
    def seeds(self) -> range:
        """The problems' numbers."""
        first = 20 if self.tune else 0
        return range(first, first + self.problems)

    def read(self, name: str, text: str) -> object:
        kinds = {"guide": str, "levels": int, "T_e": float, "T_s": float, "noise_scale": float}
        kind = kinds[name] if name in kinds else type(vars(Lab())[name])
        try:
            return kind(text)
        except ValueError:
            said = "whole number" if kind is int else "number"
            raise ValueError(f"{name} is a {said}, but is {text!r}") from None

    def row(self, combination: Combination) -> Row:
        given = {name: value for name, value in combination.items() if value is not None}
        guide = given.pop("guide", "hierarchical")
        levels = {name: given.pop(name, None) for name in LEVELS}
        guide = guide if isinstance(guide, str) else recipe(guide).name  # a class is its place
        kind = GuideRow.of(guide).recipe
        if any(value is not None for value in levels.values()):
            given["ratios"] = self._ratios(kind, levels)
        lab = Lab(samples=self.samples, **given)
        check_name(guide, lab)
        return guide, lab

    def check(self, rows: Sequence[Row]) -> None:
        for lab in _by_lab(rows):
            check_table(self._folder(lab), lab, self.seeds)

    def done(self, rows: Sequence[Row]) -> tuple[int, int]:
        places = [self._place(row, cell) for row in rows for cell in self.cells]
        return sum(map(is_done, places)), len(places)

    def cost(self, rows: Sequence[Row]) -> str:
        todo = [(*row, cell) for row in rows for cell in self.cells if not is_done(self._place(row, cell))]
        return cost_of(todo, self.problems)

    def compute(self, rows: Sequence[Row], log: Callable[[str], None], workers: int) -> int:
        if workers != 1:
            raise ValueError("workers is of pictures: exact problems of a cell are computed at once, by one process")
        by_lab = _by_lab(rows)
        failed = 0
        for n, (lab, names) in enumerate(by_lab.items(), 1):
            where = f"[{n}/{len(by_lab)}] {_changes(lab) or 'the defaults'}"
            failed += run_table(names, self.cells, lab, self._folder(lab), seeds=self.seeds, log=_behind(where, log))
        return failed

    def records(self, rows: Sequence[Row]) -> list[list[dict]]:
        return [self._records(*row) for row in rows]

    def _records(self, guide: str, lab: Lab) -> list[dict]:
        ratios = lab.ratios[: GuideRow.of(guide).recipe.levels]
        times = " ".join(str(mcgdiff_schedule().time_of_ratio(ratio)) for ratio in ratios)
        found = []
        for cell in self.cells:
            path = self._place((guide, lab), cell)
            record = read_record(path) if path.exists() else {}
            for i, seed in enumerate(self.seeds if record else ()):
                here = {"on": f"{cell[0]},{cell[1]}", "problem": seed, "timesteps": times, "error": None}
                found.append(here | _measured(record, i, len(self.seeds)))
        return found

    @staticmethod
    def _ratios(kind: Recipe, levels: Mapping[str, Any]) -> tuple[float, ...]:
        return ratios_of(mcgdiff_schedule(), {len(Lab.ratios): Lab.ratios}, kind, levels)

    def _folder(self, lab: Lab) -> Path:
        return self.out / "tables" / (file_name(_changes(lab).replace(" ", "-")) or "defaults")

    def _place(self, row: Row, cell: tuple[int, int]) -> Path:
        return record_path(self._folder(row[1]), row[0], cell)


def _behind(where: str, log: Callable[[str], None]) -> Callable[[str], None]:
    return lambda text: log(f"{where} {text}")


def _by_lab(rows: Sequence[Row]) -> dict[Lab, list[str]]:
    found: dict[Lab, list[str]] = {}
    for guide, lab in rows:
        found.setdefault(lab, []).append(guide)
    return found


def _changes(lab: Lab) -> str:
    """How a configuration differs from the default one, in words that name its folder too."""
    default = vars(Lab())
    changed = {name: value for name, value in vars(lab).items() if value != default[name]}
    said = {n: "_".join(f"{r:.6g}" for r in v) if n == "ratios" else v for n, v in changed.items()}
    return " ".join(f"{name}={value}" for name, value in said.items())


def _measured(record: Mapping[str, Any], i: int, problems: int) -> dict:
    """The figures of one problem of a record; what the problems cost together is shared out."""
    if record.get("error"):
        return {"error": one_line(record["error"])}
    scores = {name: record["scores"][name][i] for name in COLUMNS if name in record["scores"]}
    seconds = (record["fit_seconds"] + record["seconds"]) / problems
    return scores | {"fit_calls": record["fit_calls"], "calls": record["calls"], "seconds": seconds}
