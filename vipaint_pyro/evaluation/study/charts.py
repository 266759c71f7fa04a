"""Quality against what it costs: the points of a study's methods."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from vipaint_pyro.evaluation.means import mean_of
from vipaint_pyro.evaluation.study.found import Found
from vipaint_pyro.evaluation.study.grids import one_line
from vipaint_pyro.evaluation.study.summary import compared
from vipaint_pyro.evaluation.study.titles import heading
from vipaint_pyro.plots import QualityPanel, QualityPoint, quality_by_calls_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["family", "quality_vs_calls"]


def family(method: str) -> tuple[str, int | None]:
    """A spec without its ``@CALLS``, and these: specs that differ in them alone are one line."""
    head, colon, settings = method.partition(":")
    name, _, calls = head.partition("@")
    return name + colon + settings, int(calls) if calls.isdecimal() else None


def quality_vs_calls(found: Found, metric: str) -> Figure:
    """The means of the tables over calls per sample, a panel per condition; hollow: not on the common images.

    Calls are forward and backward ones of the network, with a sample's share of a fit. Methods ``NAME@CALLS`` of one
    NAME are joined by a line; NAME itself, with its own settings, stands alone.
    """
    panels = []
    for condition in found.conditions:
        images = compared(found, condition, metric).images
        panels.append(QualityPanel(f"{condition} (n = {images})", _points(found, condition, metric)))
    families = [*dict.fromkeys(one_line(family(m)[0]) for m in found.methods)]
    return quality_by_calls_figure(panels, _wrapped(heading(found, metric)), methods=families)


def _points(found: Found, condition: str, metric: str) -> list[QualityPoint]:
    comparison, points = compared(found, condition, metric), []
    for method in found.methods:
        mean = comparison.common.get(method, comparison.own[method])
        if math.isfinite(mean.mean):
            name, calls = family(method)
            made = mean_of([_calls(r.said["calls"]) for r in found.of(condition, method) if not r.failed])
            hollow = method not in comparison.common
            points.append(
                QualityPoint(one_line(name), made.mean, mean.mean, mean.error, hollow, joined=calls is not None)
            )
    return points


def _calls(said: Mapping[str, float]) -> float:
    return said["forward"] + said["backward"]


def _wrapped(text: str) -> str:
    return text.replace(", ", ",\n").replace(" (restorations", "\n(restorations")
