"""Figure 10: LPIPS of VIPaint-2 and VIPaint-4 against the time and the calls they take.

A point is a run of its own, with its own number of iterations of the fit: times are those that such a run takes.
"""

from __future__ import annotations

from typing import Any

from vipaint_pyro.evaluation.figures.drawing import Drawing
from vipaint_pyro.evaluation.figures.plan import Plan
from vipaint_pyro.evaluation.figures.reported import COMPOSITE, described_all, means, quality_of
from vipaint_pyro.evaluation.figures.scene import Scene
from vipaint_pyro.evaluation.figures.watch import Watch
from vipaint_pyro.samplers import timesteps_for
from vipaint_pyro.wording import counted

__all__ = ["draw"]

_AXES = {"seconds": "seconds per image", "calls": "network calls per sample, the fit's share included"}
_COLOURS = {"VIPaint-2": "tab:orange", "VIPaint-4": "tab:blue"}


def draw(scene: Scene, plan: Plan, watch: Watch) -> Drawing:
    """Two panels: LPIPS of the composite, mean over images and its standard error, against each cost."""
    given = plan.settings.get("vipaint", {})
    samplers = {}
    for levels, name in ((2, "VIPaint-2"), (4, "VIPaint-4")):
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
        for name in _COLOURS
    }
    return Drawing(_figure(numbers, scene, plan), numbers, described_all(samplers))


def _figure(numbers: dict[str, list[dict]], scene: Scene, plan: Plan) -> Any:
    from matplotlib.figure import Figure  # no pyplot: no global state, no window
    from matplotlib.ticker import FormatStrFormatter

    images, figure = len(scene), Figure(figsize=(9, 4.2), layout="constrained", dpi=110)
    bars = "; bars: one standard error over images" if images > 1 else ""
    said = f"{COMPOSITE} {counted(plan.samples, 'sample')} of each{bars}"
    figure.suptitle(f"{scene.said}\n{said}", fontsize=8)
    for axes, (cost, label) in zip(figure.subplots(1, 2, sharey=True), _AXES.items(), strict=True):
        for name, points in numbers.items():
            x, y = [p[cost] for p in points], [p["lpips"]["mean"] for p in points]
            errors = [p["lpips"]["standard_error"] for p in points] if images > 1 else None
            axes.errorbar(x, y, errors, fmt="o-", ms=4, lw=1.3, capsize=2, color=_COLOURS[name], label=name)
            for p, a, b in zip(points, x, y, strict=True):
                axes.annotate(str(p["iterations"]), (a, b), xytext=(4, 5), textcoords="offset points", fontsize=7)
        axes.set(xlabel=label, xscale="log")
        axes.margins(x=0.12, y=0.1)
        for which in (axes.xaxis.set_major_formatter, axes.xaxis.set_minor_formatter):
            which(FormatStrFormatter("%g"))
        axes.tick_params(which="both", labelsize=8, pad=4)
    figure.axes[0].set_ylabel(f"LPIPS, mean over {counted(images, 'image')}")
    figure.axes[0].legend(fontsize=8, title="at a point: iterations", title_fontsize=8)
    return figure
