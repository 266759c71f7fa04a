"""Figure 2: the mean and a sample of RED-diff, RED-diff-V and VIPaint, over the iterations of their fits.

All three begin at the measurement itself, holes in mid-grey, with the same seed.
"""

from __future__ import annotations

from vipaint_pyro.evaluation.figures.drawing import Drawing
from vipaint_pyro.evaluation.figures.plan import Plan
from vipaint_pyro.evaluation.figures.reported import described_all, quality_of
from vipaint_pyro.evaluation.figures.scene import Scene, tiles
from vipaint_pyro.evaluation.figures.until import Until
from vipaint_pyro.evaluation.figures.watch import Watch
from vipaint_pyro.evaluation.metrics import observed_error, psnr
from vipaint_pyro.plots import grid

__all__ = ["draw"]

_NAMES = {"red-diff": "RED-diff", "red-diff-v": "RED-diff-V", "vipaint": "VIPaint"}


def draw(scene: Scene, plan: Plan, watch: Watch) -> Drawing:
    """Two rows per method, its mean and one sample; a column per number of iterations."""
    count = plan.iterations[-1]
    lengths = {"red-diff": {"num_steps": count}, "red-diff-v": {"num_steps": count}, "vipaint": {"fit_steps": count}}
    samplers = {name: scene.sampler(name, **plan.settings.get(name, {}), **lengths[name]) for name in _NAMES}
    ended = {name: [Until(sampler, k) for k in plan.iterations] for name, sampler in samplers.items()}
    watch.expect(sum(until.expected() for runs in ended.values() for until in runs))
    rows, numbers, observed = [], {}, scene.measurement.operator.observed
    for name, runs in ended.items():
        mean_row, sample_row, numbers[name] = scene.given(0), scene.given(0), []
        for until in runs:
            quality, x = scene.run(f"{_NAMES[name]}, {until.steps}", until, plan.samples, watch)
            x = x.clamp(-1, 1)
            mean = x.mean(0)
            mean_row += tiles(mean)
            sample_row += tiles(x[0])
            numbers[name].append({
                "iterations": until.steps,
                **quality_of(quality),
                "psnr_of_mean": psnr(mean, scene.truth).tolist(),
                "observed_error_of_mean": observed_error(mean, scene.truth, observed).tolist(),
            })  # fmt: skip
        rows += [mean_row, sample_row]
    names = [f"{_NAMES[name]}\n{what}" for name in ended for what in (f"mean of {plan.samples}", "a sample")]
    labels = ["truth", "observed", *map(str, plan.iterations)]
    return Drawing(grid(rows, labels, side=84, names=names), numbers, described_all(samplers))
