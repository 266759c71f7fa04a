"""Figure 4: samples of VIPaint after more and more iterations of its fit."""

from __future__ import annotations

from vipaint_pyro.evaluation.figures.drawing import Drawing
from vipaint_pyro.evaluation.figures.plan import Plan
from vipaint_pyro.evaluation.figures.reported import COMPOSITE, described_all, lpips_of, quality_of
from vipaint_pyro.evaluation.figures.scene import Scene, tiles
from vipaint_pyro.evaluation.figures.until import Until
from vipaint_pyro.evaluation.figures.watch import Watch
from vipaint_pyro.plots import grid
from vipaint_pyro.wording import counted

__all__ = ["draw"]


def draw(scene: Scene, plan: Plan, watch: Watch) -> Drawing:
    """A row per sample, a column per number of iterations; the noise of a row's draws is the same in all columns."""
    sampler = scene.sampler("vipaint", **plan.settings.get("vipaint", {}), fit_steps=plan.iterations[-1])
    runs = [Until(sampler, k) for k in plan.iterations]
    watch.expect(sum(until.expected() for until in runs))
    rows, numbers, labels = [scene.given(0) for _ in range(plan.samples)], [], ["truth", "observed"]
    for until in runs:
        quality, drawn = scene.run(f"{until.steps} iterations", until, plan.samples, watch)
        for row, sample in zip(rows, drawn.images[:, 0], strict=True):
            row += tiles(sample[None])
        numbers.append({"iterations": until.steps, **quality_of(quality)})
        labels.append(f"iteration {until.steps}\n{lpips_of(quality)}")
    names = [f"sample {k + 1}" for k in range(plan.samples)]
    measured = f"{COMPOSITE} {counted(plan.samples, 'sample')}"
    title = scene.heading("VIPaint, drawn after so many iterations of its fit", measured)
    sheet = grid(rows, labels, side=98, names=names, title=title)
    return Drawing(sheet, {"vipaint": numbers}, described_all({"vipaint": sampler}))
