"""Figures 5 and 6: one completion of each image by each method, of a pixel prior and of a latent one."""

from __future__ import annotations

from vipaint_pyro.evaluation.figures.drawing import Drawing
from vipaint_pyro.evaluation.figures.plan import Plan
from vipaint_pyro.evaluation.figures.reported import RAW, described_all, lpips_of, means, quality_of
from vipaint_pyro.evaluation.figures.scene import Scene, tiles
from vipaint_pyro.evaluation.figures.watch import Watch
from vipaint_pyro.plots import grid
from vipaint_pyro.wording import counted

__all__ = ["draw"]


def draw(scene: Scene, plan: Plan, watch: Watch) -> Drawing:
    """A row per image, a column per method; the raw samples, known pixels not put back."""
    samplers = {name: scene.sampler(name, **plan.settings.get(name, {})) for name in plan.methods}
    qualities, samples = scene.run_all(samplers, 1, watch)
    rows = []
    for i in range(len(scene)):
        rows.append([*scene.given(i), *(tile for x in samples.values() for tile in tiles(x[0, i : i + 1]))])
    numbers = {name: quality_of(q) | {"lpips": means(q, "lpips_raw")} for name, q in qualities.items()}
    labels = ["truth", "observed", *(f"{name}\n{lpips_of(q, 'lpips_raw')}" for name, q in qualities.items())]
    title = scene.heading(f"{RAW} {counted(len(scene), 'image')}")
    return Drawing(grid(rows, labels, side=84, names=scene.names, title=title), numbers, described_all(samplers))
