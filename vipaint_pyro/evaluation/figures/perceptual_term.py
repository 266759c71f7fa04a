"""Figure 9: VIPaint with and without LPIPS in its likelihood, on the same images, masks and seeds."""

from __future__ import annotations

from vipaint_pyro.evaluation.figures.drawing import Drawing
from vipaint_pyro.evaluation.figures.plan import Plan
from vipaint_pyro.evaluation.figures.quality import Quality
from vipaint_pyro.evaluation.figures.reported import COMPOSITE, described_all, lpips_of, quality_of
from vipaint_pyro.evaluation.figures.scene import Scene, tiles
from vipaint_pyro.evaluation.figures.watch import Watch
from vipaint_pyro.evaluation.means import paired
from vipaint_pyro.measurements.perceptual import published_weight
from vipaint_pyro.plots import grid
from vipaint_pyro.wording import counted

__all__ = ["draw"]

_WITHOUT, _WITH = "without LPIPS", "with LPIPS"
_COLUMNS = ("lpips_raw", "lpips_composite", "psnr", "observed_error", "diversity")
# What a step of the refinement goes down LPIPS's gradient by: its own weight, which no limit holds.
_REFINEMENT = 2.0


def draw(scene: Scene, plan: Plan, watch: Watch) -> Drawing:
    """A row per image: truth, observed, samples without, samples with, the paper's weight in the fit."""
    settings = dict(plan.settings.get("vipaint", {}))
    weights = {"perceptual": published_weight(scene.prior), "perceptual_refinement": _REFINEMENT}
    samplers = {_WITHOUT: scene.sampler("vipaint", **settings), _WITH: scene.sampler("vipaint", **settings, **weights)}
    qualities, samples = scene.run_all(samplers, plan.samples, watch)
    rows = []
    for i in range(len(scene)):
        rows.append([*scene.given(i), *(tile for x in samples.values() for tile in tiles(x[:, i]))])
    shown = []
    for name, quality in qualities.items():
        shown += [f"{name}\nin VIPaint\n{lpips_of(quality)}", *(f"sample\n{k + 2}" for k in range(plan.samples - 1))]
    numbers: dict[str, object] = {name: quality_of(q) for name, q in qualities.items()}
    numbers["with minus without, image by image"] = _differences(qualities[_WITH], qualities[_WITHOUT])
    title = scene.heading(f"VIPaint; {COMPOSITE} {counted(plan.samples, 'sample')} of each")
    sheet = grid(rows, ["truth", "observed", *shown], side=98, names=scene.names, title=title)
    return Drawing(sheet, numbers, described_all(samplers))


def _differences(a: Quality, b: Quality) -> dict[str, dict[str, float]]:
    found = {column: paired(vars(a)[column], vars(b)[column]) for column in _COLUMNS}
    return {column: {"mean": mean.mean, "standard_error": mean.error} for column, mean in found.items()}
