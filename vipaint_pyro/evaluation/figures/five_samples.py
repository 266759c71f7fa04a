"""Figure 7: samples of VIPaint beside as many of a baseline."""

from __future__ import annotations

from vipaint_pyro.evaluation.figures.drawing import Drawing
from vipaint_pyro.evaluation.figures.plan import Plan
from vipaint_pyro.evaluation.figures.reported import COMPOSITE, described_all, lpips_of, means, quality_of
from vipaint_pyro.evaluation.figures.scene import Scene, tiles
from vipaint_pyro.evaluation.figures.watch import Watch
from vipaint_pyro.plots import grid
from vipaint_pyro.wording import counted

__all__ = ["draw"]


def draw(scene: Scene, plan: Plan, watch: Watch) -> Drawing:
    """A row per image: truth, observed, VIPaint's samples, the baseline's."""
    names = ("vipaint", plan.baseline)
    samplers = {name: scene.sampler(name, **plan.settings.get(name, {})) for name in names}
    qualities, samples = scene.run_all(samplers, plan.samples, watch)
    rows = []
    for i in range(len(scene)):
        rows.append([*scene.given(i), *(tile for x in samples.values() for tile in tiles(x[:, i]))])
    said = {name: [f"{name}\n{lpips_of(q)}", *(f"sample\n{k + 2}" for k in range(plan.samples - 1))]
            for name, q in qualities.items()}  # fmt: skip
    labels = ["truth", "observed", *(label for name in names for label in said[name])]
    numbers = {
        name: quality_of(q) | {"lpips": means(q, "lpips_composite"), "spread": means(q, "diversity")}
        for name, q in qualities.items()
    }
    title = scene.heading(f"{COMPOSITE} {counted(plan.samples, 'sample')} of each")
    return Drawing(grid(rows, labels, side=84, names=scene.names, title=title), numbers, described_all(samplers))
