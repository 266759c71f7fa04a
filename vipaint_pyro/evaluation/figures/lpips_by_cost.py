"""Figure 10: LPIPS of VIPaint-2 and VIPaint-4 against the time and the calls they take.

A point is a run of its own, with its own number of iterations of the fit: times are those that such a run takes.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from vipaint_pyro.evaluation.figures.drawing import Drawing
from vipaint_pyro.evaluation.figures.plan import Plan
from vipaint_pyro.evaluation.figures.reported import COMPOSITE, described_all, means, quality_of
from vipaint_pyro.evaluation.figures.scene import Scene
from vipaint_pyro.evaluation.figures.watch import Watch
from vipaint_pyro.plots import QualityPanel, QualityPoint, quality_by_calls_figure
from vipaint_pyro.samplers import timesteps_for
from vipaint_pyro.wording import counted

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["draw"]

_AXES = {"seconds": "seconds per image", "calls": "network calls per sample, the fit's share included"}
_NAMES = {2: "VIPaint-2", 4: "VIPaint-4"}


def draw(scene: Scene, plan: Plan, watch: Watch) -> Drawing:
    """Two panels: LPIPS of the composite, mean over images and its standard error, against each cost."""
    given = plan.settings.get("vipaint", {})
    samplers = {}
    for levels, name in _NAMES.items():
        times = timesteps_for(scene.prior, levels)
        for k in plan.iterations:
            samplers[f"{name}, {k}"] = scene.sampler("vipaint", timesteps=times, fit_steps=k, **given)
    qualities, _ = scene.run_all(samplers, plan.samples, watch)
    numbers = {
        name: [
            {"iterations": k, **quality_of(q), "lpips": means(q, "lpips_composite")}
            for k in plan.iterations
            for q in [qualities[f"{name}, {k}"]]
        ]
        for name in _NAMES.values()
    }
    return Drawing(_figure(numbers, scene, plan), numbers, described_all(samplers))


def _figure(numbers: dict[str, list[dict]], scene: Scene, plan: Plan) -> Figure:
    images = len(scene)
    bars = "; bars: one standard error over images" if images > 1 else ""
    said = f"{COMPOSITE} {counted(plan.samples, 'sample')} of each{bars}"
    panels = [
        QualityPanel("", [_point(name, p, cost, images) for name, points in numbers.items() for p in points], label)
        for cost, label in _AXES.items()
    ]
    ylabel = f"LPIPS, mean over {counted(images, 'image')}"
    return quality_by_calls_figure(panels, ylabel, title=f"{scene.said}\n{said}", legend="at a point: iterations")


def _point(name: str, found: dict, cost: str, images: int) -> QualityPoint:
    error = found["lpips"]["standard_error"] if images > 1 else math.nan
    return QualityPoint(name, found[cost], found["lpips"]["mean"], error, said=str(found["iterations"]))
