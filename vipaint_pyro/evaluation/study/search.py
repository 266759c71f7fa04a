"""The same small search of settings for every method: all candidates on a few images, the best of them on more."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from vipaint_pyro.evaluation.study.candidates import candidates, grid_of
from vipaint_pyro.evaluation.study.driver import missing, run_study
from vipaint_pyro.evaluation.study.plan import Item, Plan
from vipaint_pyro.evaluation.study.priors import PriorName, load
from vipaint_pyro.evaluation.study.records import StudyFolder
from vipaint_pyro.evaluation.study.study import Study
from vipaint_pyro.evaluation.versions import versions
from vipaint_pyro.measurements.tasks import TASKS

__all__ = ["Tried", "is_latent", "is_task", "search", "table"]


@dataclass(frozen=True)
class Tried:
    """A candidate and how it did.

    Attributes:
        settings: which.
        lpips: mean composite LPIPS of its samples by image; of all images where it was among the best.
        calls: forward calls per sample that were counted.
        failed: what went wrong, where something did: it is not chosen then.
    """

    settings: dict
    lpips: list[float]
    calls: float | None = None
    failed: str | None = None

    @property
    def mean(self) -> float:
        """Over its images; infinite where one failed."""
        return float("inf") if self.failed else statistics.fmean(self.lpips)


def search(
    plan: Plan, name: str, calls: int, few: int, best: int, folder: Path, log: Callable[[str], None]
) -> list[Tried]:
    """Try the candidates of a method: all on the first ``few`` images of a plan, the ``best`` of them on all.

    Records are those of a study in ``folder``: what is there is not computed again.

    Args:
        plan: of one condition; its methods are taken by the candidates.
        name: of the method, or vipaint-K.
        calls: forward calls per sample.
        few: images of the first round.
        best: how many candidates go on.
        folder: of this method's records.
        log: called with a line per item.

    Returns:
        The candidates, the chosen one first; those that were tried on more images before the others.

    Raises:
        ValueError: as a study does, for a split that is the test's, or where all candidates failed.
    """
    if plan.split == "test":
        raise ValueError("settings are chosen on training images: split is train, not test")
    settings = candidates(name, calls, is_latent(plan), is_task(plan))
    start = _round(replace(plan, methods=tuple(settings), images=min(few, plan.images)), folder, log)
    early = sorted((_tried(folder, start, spec, chosen) for spec, chosen in settings.items()), key=lambda t: t.mean)
    if early[0].failed:
        raise ValueError(f"no candidate of {name} ran: {early[0].failed}")
    spec_of = {tuple(chosen.items()): spec for spec, chosen in settings.items()}
    kept = [t.settings for t in early[:best] if not t.failed]
    end = _round(replace(plan, methods=tuple(spec_of[tuple(s.items())] for s in kept)), folder, log)
    late = sorted((_tried(folder, end, spec_of[tuple(s.items())], s) for s in kept), key=lambda t: t.mean)
    if late[0].failed:
        raise ValueError(f"no candidate of {name} ran on all images: {late[0].failed}")
    return late + [t for t in early if t.settings not in kept]


def is_latent(plan: Plan) -> bool:
    """Whether the prior of a plan is a latent one."""
    return load(PriorName(plan.prior, plan.variant, plan.revision, plan.device, plan.dtype))[0].prior.is_latent


def is_task(plan: Plan) -> bool:
    """Whether the one condition of a plan restores a whole picture."""
    return plan.conditions[0] in TASKS


def _round(plan: Plan, path: Path, log: Callable[[str], None]) -> Plan:
    """Compute what is missing of a plan."""
    study, folder = Study(plan), StudyFolder(path)
    with folder.alone():
        folder.sweep()
        for other in folder.begin(plan, study.marks, versions(), study.pictures):
            log(f"Warning: the search was begun with another version: {other}")
        todo, tally = missing(study, folder)
        run_study(study, folder, todo, tally, log)
    return plan


def _tried(path: Path, plan: Plan, spec: str, settings: dict) -> Tried:
    folder, (condition,) = StudyFolder(path), plan.conditions
    records: list[Any] = [folder.record(Item(image, condition, spec)) for image in plan.numbers]
    wrong = [r["error"]["message"] for r in records if r["error"] is not None]
    if wrong:
        return Tried(settings, [], failed=wrong[0])
    lpips = [statistics.fmean(r["scores"]["lpips_composite"]) for r in records]
    return Tried(settings, lpips, statistics.fmean(r["calls"]["forward"] for r in records))


def table(found: dict[str, list[Tried]], latent: bool, task: bool = False) -> str:
    """What was tried, in Markdown: of each method why, and its candidates, the chosen one first and bold."""
    lines = []
    for name, tried in found.items():
        lines += [f"**{name}.** {grid_of(name, latent, task).why}", ""]
        lines += ["| settings | images | LPIPS | calls |", "|--|--|--|--|"]
        for k, t in enumerate(tried):
            said = ", ".join(f"{s} {v}" for s, v in t.settings.items())
            n = len(t.lpips)
            error = f" ± {statistics.stdev(t.lpips) / n**0.5:.4f}" if n > 1 else ""
            lpips, calls = ("failed", "") if t.failed else (f"{t.mean:.4f}{error}", f"{t.calls:.0f}")
            lines.append(f"| {f'**{said}**' if k == 0 else said} | {n or ''} | {lpips} | {calls} |")
        lines.append("")
    return "\n".join(lines)
