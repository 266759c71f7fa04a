"""A grid on pictures: every combination is a method of one study, VIPaint with these settings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from vipaint_pyro.evaluation.ablation.ground import Combination, Ground
from vipaint_pyro.evaluation.ablation.levels import LEVELS, ratios_of
from vipaint_pyro.evaluation.failures import one_line
from vipaint_pyro.evaluation.study.driver import missing, run_study
from vipaint_pyro.evaluation.study.dry import cost
from vipaint_pyro.evaluation.study.found import Record, read_study
from vipaint_pyro.evaluation.study.own_data import own_data
from vipaint_pyro.evaluation.study.plan import Plan
from vipaint_pyro.evaluation.study.priors import PriorName, load
from vipaint_pyro.evaluation.study.records import StudyFolder
from vipaint_pyro.evaluation.study.sets import SETS
from vipaint_pyro.evaluation.study.specs import Spec
from vipaint_pyro.evaluation.study.study import Refused, Study
from vipaint_pyro.evaluation.study.titles import METRICS, Metric
from vipaint_pyro.evaluation.versions import versions
from vipaint_pyro.guides.registry import recipe
from vipaint_pyro.priors.diffusion import DiffusionPrior
from vipaint_pyro.samplers.registry import method
from vipaint_pyro.samplers.vipaint.levels import ratios_for, timesteps_at
from vipaint_pyro.samplers.written import written, written_name
from vipaint_pyro.settings import number, whole
from vipaint_pyro.wording import span

__all__ = ["OnPictures"]

_METHOD = "vipaint"
#: Of a plan, what is not said otherwise.
_ABOUT = tuple(f.name for f in fields(Plan) if f.name not in ("prior", "methods", "conditions", "settings"))
_COSTS = {
    "calls": Metric("calls per sample, forward and backward", -1, 0), "seconds": Metric("seconds per image", -1, 1),
}  # fmt: skip


class OnPictures(Ground[str]):
    """Images whose truth is known, under masks or other measurements.

    Args:
        prior: a built-in name, a diffusers folder or a hub id.
        out: the ablation's folder; the study is its folder ``study``.
        about: of the study: ``masks`` and ``task`` (names, of either at least one), ``data`` (by default the prior's
            own), and what else a :class:`~vipaint_pyro.evaluation.study.plan.Plan` has.

    Raises:
        ValueError: for a prior, data or conditions that cannot be.
    """

    noun: ClassVar[str] = "pictures"
    problem: ClassVar[str] = "image"
    about: ClassVar[tuple[str, ...]] = ("masks", "task", *_ABOUT)
    metrics: ClassVar[Mapping[str, Metric]] = {n: m for n, m in METRICS.items() if n not in SETS} | _COSTS
    shown: ClassVar[tuple[str, ...]] = ("lpips_composite", "energy_score", "psnr", "calls", "seconds")

    def __init__(self, prior: str, out: Path, about: Mapping[str, Any]) -> None:
        about = dict(about)
        data = about.pop("data", None) or own_data(prior)
        if data is None:
            raise ValueError(
                f"no data are given: data says what {prior} is to be judged on (a cell of mixtures is written 8,1)"
            )
        conditions = (*_names(about.pop("masks", ())), *_names(about.pop("task", ())))
        if not conditions:
            raise ValueError("no condition is given: give masks, task, or both")
        self._plan = Plan(prior, data, (_METHOD,), conditions, **about)
        self.folder = StudyFolder(Path(out) / "study")
        own = [name for name in method(_METHOD).open() if name not in ("guide_name", "timesteps")]
        self._known = ("guide", *LEVELS, *own, "calls", "effort")
        self._studies: dict[tuple[str, ...], Study] = {}

    @property
    def known(self) -> tuple[str, ...]:
        return self._known

    @cached_property
    def _prior(self) -> DiffusionPrior:
        plan = self._plan
        return load(PriorName(plan.prior, plan.variant, plan.revision, plan.device, plan.dtype))[0].prior

    def read(self, name: str, text: str) -> object:
        numbers = {"levels": whole(), "calls": whole(), "T_e": number(above=0), "T_s": number(above=0)}
        if name == "guide":
            return text
        if name not in numbers:
            return written(method(_METHOD), [f"{written_name(name)}={text}"])[name]
        try:
            return numbers[name].type(text)
        except ValueError:
            raise ValueError(f"{name} {numbers[name].text}, but is {text!r}") from None

    def row(self, combination: Combination) -> str:
        given = {name: value for name, value in combination.items() if value is not None}
        guide, calls = given.pop("guide", None), given.pop("calls", None)
        levels = {name: given.pop(name, None) for name in LEVELS}
        kind = None if guide is None else recipe(guide)
        settings = {} if guide is None else {"guide_name": guide}
        if any(value is not None for value in levels.values()):
            own = ratios_for(self._prior)
            settings["timesteps"] = timesteps_at(self._prior, ratios_of(self._prior.schedule, own, kind, levels))
        text = ";".join(f"{written_name(name)}={_text(value)}" for name, value in (settings | given).items())
        spec = f"{_METHOD}{'' if calls is None else f'@{calls}'}{text and f':{text}'}"
        Spec.of(spec)
        return spec

    def refused(self, rows: Sequence[str]) -> dict[str, str]:
        try:
            self._study(rows)
        except Refused as error:
            return {row: said for row, said in error.refusals}
        return {}

    def check(self, rows: Sequence[str]) -> None:
        study = self._study(rows)
        self.folder.check(study.plan, study.marks, versions(), study.pictures)

    def done(self, rows: Sequence[str]) -> tuple[int, int]:
        tally = missing(self._study(rows), self.folder, retry_failed=True)[1]
        return tally.done, tally.items

    def cost(self, rows: Sequence[str]) -> str:
        study = self._study(rows)
        found = cost(study, missing(study, self.folder, retry_failed=True)[0])
        most = "at most " if found.at_most else ""
        calls = f"{most}{found.forward:,} forward and {found.backward:,} backward calls of the network"
        return f"{calls}, about {span(found.seconds)} of them by one worker"

    def compute(self, rows: Sequence[str], log: Callable[[str], None], workers: int) -> int:
        study = self._study(rows)
        with self.folder.alone():
            self.folder.sweep()
            for other in self.folder.begin(study.plan, study.marks, versions(), study.pictures):
                log(f"Warning: the study was begun with another version: {other}")
            todo, tally = missing(study, self.folder, retry_failed=True)
            if todo:
                run_study(study, self.folder, todo, tally, log, workers)
        return tally.failed

    def records(self, rows: Sequence[str]) -> list[list[dict]]:
        found, plan = read_study(self.folder.path), self._plan
        return [
            [_measured(r) for c in plan.conditions for r in found.of(c, row) if r.image in plan.numbers] for row in rows
        ]

    def _study(self, rows: Sequence[str]) -> Study:
        rows = tuple(rows)
        if rows not in self._studies:
            self._studies[rows] = Study(replace(self._plan, methods=rows))
        return self._studies[rows]


def _names(given: str | Iterable[str] | None) -> tuple[str, ...]:
    """Names, of which one may stand alone."""
    return (given,) if isinstance(given, str) else tuple(given or ())


def _text(value: object) -> str:
    """A setting's value as a spec has it."""
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(map(str, value)) if isinstance(value, (tuple, list)) else str(value)


def _measured(record: Record) -> dict:
    said = record.said
    sampler = said["settings"]["sampler"]
    times = " ".join(map(str, sampler.get("timesteps") or ()))
    here = {"on": record.condition, "problem": record.image, "timesteps": times, "error": None}
    if record.failed:
        return here | {"error": one_line(said["error"])}
    means = record.means
    scores = {name: means[name] for name in METRICS if name in means}
    calls = said["calls"]["forward"] + said["calls"]["backward"]
    return here | scores | {"calls": calls, "seconds": said["seconds"]}
