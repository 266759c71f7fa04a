"""Figure 2: the mean and a sample of RED-diff, RED-diff-V and VIPaint, over the iterations of their fits.

All three begin at the measurement itself, holes in mid-grey, with the same seed.
"""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor

from vipaint_pyro.evaluation.figures.drawing import Drawing
from vipaint_pyro.evaluation.figures.plan import Plan
from vipaint_pyro.evaluation.figures.reported import described_all, quality_of
from vipaint_pyro.evaluation.figures.scene import Scene, tiles
from vipaint_pyro.evaluation.figures.until import Until
from vipaint_pyro.evaluation.figures.watch import Watch
from vipaint_pyro.evaluation.metrics import observed_error, psnr
from vipaint_pyro.measurements.inpainting import Inpainting
from vipaint_pyro.plots import grid
from vipaint_pyro.samplers.base import Samples

__all__ = ["draw"]

_NAMES = {"red-diff": "RED-diff", "red-diff-v": "RED-diff-V", "vipaint": "VIPaint"}


def draw(scene: Scene, plan: Plan, watch: Watch) -> Drawing:
    """Rows per method, the mean of its samples and one of them; a column per number of iterations."""
    scene, count = from_grey(scene), plan.iterations[-1]
    lengths = {"red-diff": {"num_steps": count}, "red-diff-v": {"num_steps": count}, "vipaint": {"fit_steps": count}}
    samplers = {name: scene.sampler(name, **plan.settings.get(name, {}), **lengths[name]) for name in _NAMES}
    ended = {name: [Until(sampler, k) for k in plan.iterations] for name, sampler in samplers.items()}
    watch.expect(sum(until.expected() for runs in ended.values() for until in runs))
    rows, numbers = [], {}
    for name, runs in ended.items():
        found = [scene.run(f"{_NAMES[name]}, {until.steps}", until, plan.samples, watch) for until in runs]
        for what, pictures in _rows(name, [samples for _, samples in found], plan.samples).items():
            rows.append((what, [*scene.given(0), *(tile for x in pictures for tile in tiles(x))]))
        numbers[name] = [
            {"iterations": until.steps, **quality_of(quality), **_of_mean(scene, samples.images)}
            for until, (quality, samples) in zip(runs, found, strict=True)
        ]
    labels = ["truth", "observed", *(f"iteration\n{k}" for k in plan.iterations)]
    title = scene.heading("means and samples after so many iterations of the fits")
    sheet = grid([row for _, row in rows], labels, side=84, names=[what for what, _ in rows], title=title)
    return Drawing(sheet, numbers, described_all(samplers))


class _Grey(Inpainting):
    """Begun by every method where RED-diff begins by itself."""

    estimate = Inpainting.scaled_estimate


def from_grey(scene: Scene) -> Scene:
    """The same scene, where a guide begins with its holes in mid-grey, too."""
    seen = scene.measurement
    return replace(scene, measurement=replace(seen, operator=_Grey(seen.operator.observed)))


def _rows(name: str, found: list[Samples], count: int) -> dict[str, list[Tensor]]:
    """What a row shows -> its pictures (1, C, H, W), one per number of iterations."""
    rows = {}
    if all(samples.levels for samples in found):  # E[x | z_{T_s}]: the guide's own, before its draws are refined
        rows[f"{_NAMES[name]}'s guide\nmean of {count}"] = [s.levels[min(s.levels)].mean(0) for s in found]
    rows[f"{_NAMES[name]}\nmean of {count}"] = [samples.images.clamp(-1, 1).mean(0) for samples in found]
    rows[f"{_NAMES[name]}\na sample"] = [samples.images[0] for samples in found]
    return rows


def _of_mean(scene: Scene, x: Tensor) -> dict[str, list[float]]:
    """Of the mean of samples (S, N, C, H, W), a number per image."""
    mean, observed = x.detach().cpu().clamp(-1, 1).mean(0), scene.measurement.operator.observed
    return {
        "psnr_of_mean": psnr(mean, scene.truth).tolist(),
        "observed_error_of_mean": observed_error(mean, scene.truth, observed).tolist(),
    }
