"""The baseline of a figure: named, or the best one of a study's records, or the published default; and why."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from vipaint_pyro.evaluation.study.found import Found, read_study
from vipaint_pyro.evaluation.study.specs import Spec
from vipaint_pyro.evaluation.study.summary import RANKED_BY, best_baseline, compared, is_baseline
from vipaint_pyro.samplers.registry import method
from vipaint_pyro.wording import counted

__all__ = ["Baseline", "best_of", "by_default", "by_name"]

_ENERGY = "energy_score"
_WORDS = {RANKED_BY: "mean LPIPS", _ENERGY: "mean energy score"}


@dataclass(frozen=True)
class Baseline:
    """What VIPaint is set against.

    Attributes:
        name: of :data:`vipaint_pyro.samplers.METHODS`.
        why: where the choice comes from, in half a line.
        settings: of the method, where they are not its defaults.
        facts: more of the same for the file beside the figure.
    """

    name: str
    why: str
    settings: Mapping[str, object] = field(default_factory=dict)
    facts: Mapping[str, object] = field(default_factory=dict)

    def said(self) -> dict[str, object]:
        """What the file beside the figure says of the choice."""
        return {"name": self.name, "why": self.why, **self.facts}


def by_name(name: str, instead: Path | None = None) -> Baseline:
    """One that was named, in place of a study's where there is one."""
    return Baseline(name, "named by --baseline" + (f", in place of {instead}'s best" if instead is not None else ""))


def by_default(name: str) -> Baseline:
    """The one that is taken where nothing is said."""
    return Baseline(name, "the default: with VIPaint's step it has the lowest LPIPS of the baselines on garments in "
                    "docs/results.md; --records DIR takes the best of a study")  # fmt: skip


def best_of(folder: Path, prior: str, condition: str) -> Baseline:
    """The best method of a study that is neither VIPaint nor there for scale, with the settings that it had.

    Best is the lowest mean energy score, where all baselines have one (of two samples or more), else the lowest mean
    LPIPS, over the images that all of them have.

    Args:
        folder: of ``vipaint evaluate``.
        prior: that the figure is of.
        condition: the holes that the figure is of.

    Raises:
        ValueError: for a folder without a study, one of another prior or of other holes, or one that has no finished
            baseline; before anything is computed.
    """
    found = read_study(folder)
    if found.plan["prior"] != prior:
        raise ValueError(f"the study in {folder} is of the prior {found.plan['prior']}, and the figure of {prior}: "
                         "give another --records, or that --prior")  # fmt: skip
    if condition not in found.conditions:
        raise ValueError(f"the figure is of the holes {condition!r}, and the study in {folder} has none such, but "
                         f"{', '.join(found.conditions)}: give another --records, or name a --baseline")  # fmt: skip
    metric = _metric(found, condition)
    best = best_baseline(found, condition, metric)
    if best is None:
        raise ValueError(f"the study in {folder} has no finished method besides vipaint under {condition!r}: evaluate "
                         "one there, or name a --baseline")  # fmt: skip
    mean = compared(found, condition, metric).common[best]
    over = counted(mean.images, "image")
    why = f"the lowest {_WORDS[metric]}, {mean.mean:.4f}, of the baselines in {folder}, over {over}"
    facts = {
        "study": str(folder), "method": best, "condition": condition, "metric": metric, "mean": mean.mean,
        "standard_error": None if math.isnan(mean.error) else mean.error, "images": mean.images,
    }  # fmt: skip
    name = Spec.of(best).method.name
    return Baseline(name, why, _settings(found, condition, best, name), facts)


def _metric(found: Found, condition: str) -> str:
    """The energy score, where every baseline that has an LPIPS has one."""
    ranked, scored = (
        {m for m, mean in compared(found, condition, metric).own.items() if mean.images and is_baseline(m)}
        for metric in (RANKED_BY, _ENERGY)
    )
    return _ENERGY if scored and scored == ranked else RANKED_BY


def _settings(found: Found, condition: str, best: str, name: str) -> dict[str, object]:
    """The settings that a method had, as its records say them."""
    first = next(r for r in found.of(condition, best) if not r.failed)
    may = method(name).open()
    given = first.said["settings"]["sampler"].items()
    return {k: tuple(v) if isinstance(v, list) else v for k, v in given if k in may and v is not None}
