"""Figure 24: one image, one hole, and completions under different labels."""

from __future__ import annotations

from vipaint_pyro.evaluation.figures.drawing import Drawing
from vipaint_pyro.evaluation.figures.plan import Plan
from vipaint_pyro.evaluation.figures.reported import COMPOSITE, described_all, lpips_of, quality_of
from vipaint_pyro.evaluation.figures.scene import Scene, tiles
from vipaint_pyro.evaluation.figures.watch import Watch
from vipaint_pyro.plots import grid
from vipaint_pyro.priors.diffusion import DiffusionPrior
from vipaint_pyro.wording import counted

__all__ = ["draw"]


def draw(scene: Scene, plan: Plan, watch: Watch) -> Drawing:
    """A row per sample, a column per label; all columns take the same noise. The image's own label has a star."""
    numbers, names = _labels(scene.prior, plan)
    own = scene.labels[0] if scene.labels else None
    scenes = {name: scene.of_labels(number) for number, name in zip(numbers, names, strict=True)}
    settings = plan.settings.get("vipaint", {})
    samplers = {name: labelled.sampler("vipaint", **settings) for name, labelled in scenes.items()}
    rows, found, lpips = [scene.given(0) for _ in range(plan.samples)], {}, {}
    for number, (name, labelled) in zip(numbers, scenes.items(), strict=True):
        qualities, samples = labelled.run_all({name: samplers[name]}, plan.samples, watch)
        found[name] = quality_of(qualities[name]) | {"label": number, "own": number == own}
        lpips[name] = lpips_of(qualities[name])
        for row, sample in zip(rows, samples[name][:, 0], strict=True):
            row += tiles(sample[None])
    shown = [name.replace(" ", "\n", 1) + (" *\n" if found[name]["own"] else "\n") + lpips[name] for name in names]
    title = scene.heading("VIPaint under other labels; * its own", f"{COMPOSITE} {counted(plan.samples, 'sample')}")
    drawn = [f"sample {k + 1}" for k in range(plan.samples)]
    sheet = grid(rows, ["truth", "observed", *shown], side=98, names=drawn, title=title)
    return Drawing(sheet, found, described_all(samplers))


def _labels(prior: DiffusionPrior, plan: Plan) -> tuple[list[int], list[str]]:
    """The labels' numbers and names.

    Raises:
        ValueError: for a prior without labels, a label that it does not know, or one that is given twice.
    """
    known = prior.conditioning
    if not known.num_classes:
        raise ValueError("labels is of priors that know classes, and this one knows none")
    chosen = list(plan.labels)
    if not chosen:
        every = [k for k in range(known.num_classes) if k != known.null_class]
        count = min(plan.num_labels or len(every), len(every))
        chosen = [every[round(i * (len(every) - 1) / max(count - 1, 1))] for i in range(count)]
    numbers = known.numbers(chosen)
    if len(set(numbers)) < len(numbers):
        raise ValueError(f"labels is a list of different ones, but is {', '.join(map(str, chosen))}")
    return numbers, [known.class_names[k] if known.class_names else str(k) for k in numbers]
