"""Restoration: super-resolution, deblurring or colours by VIPaint-2, VIPaint-4 and DPS, on the same measurements.

A task is one of ``vipaint_pyro.measurements.tasks.TASKS`` with its own settings and noise; those of super-resolution
and deblurring are the paper's. DPS has as many denoiser calls per sample as VIPaint-4 with its fit, as published and
with the step that VIPaint refines with. For scale, the estimate that the methods start from is judged too: the
measurement enlarged, the blurred image as it is. Results are kept image by image, as in
``02_completion_quality.py``.

    python examples/12_restoration.py --out super-resolution
    python examples/12_restoration.py --out deblur --task deblur --images 10
"""

from __future__ import annotations

from pathlib import Path

import click

from vipaint_pyro import DiffusionPrior
from vipaint_pyro.cli.reporting import reporting
from vipaint_pyro.datasets.fashion_mnist import FASHION_MNIST_FOLDER
from vipaint_pyro.evaluation.benchmarks import PRIORS, Benchmark, restoration
from vipaint_pyro.evaluation.engines import STEP, compare, samplers
from vipaint_pyro.evaluation.sheets import sheet
from vipaint_pyro.evaluation.tables import table
from vipaint_pyro.files import write_picture, write_text
from vipaint_pyro.images import to_output
from vipaint_pyro.measurements.tasks import TASKS
from vipaint_pyro.samplers.estimate import Estimate

BASELINE = "the estimate alone"


def methods(prior: DiffusionPrior, num_samples: int, smoke: bool) -> dict:
    """Name -> sampler, and the trivial baseline."""
    found = samplers(prior, num_samples, smoke)
    return {**{n: found[n] for n in ("VIPaint-4", "VIPaint-2", "DPS, equal calls", STEP)}, BASELINE: Estimate()}


def given(benchmark: Benchmark) -> dict:
    """Heading -> picture of an image by its number: what was measured, and the estimate that the methods start from."""
    seen = benchmark.measurement
    shown = {"measurement": seen.y, "estimate": seen.operator.estimate(seen.y)}
    units = {heading: x.clamp(-1, 1) / 2 + 0.5 for heading, x in shown.items()}
    return {h: lambda i, unit=unit: to_output(unit[i : i + 1], "pil")[0] for h, unit in units.items()}


@click.command(help=__doc__)
@click.option("--out", type=click.Path(path_type=Path), required=True)
@click.option("--prior", "name", type=click.Choice(PRIORS), default="cartoon-faces", show_default=True)
@click.option("--task", type=click.Choice(list(TASKS)), default="super-resolution", show_default=True)
@click.option("--images", default=20, show_default=True, help="The first so many of the split.")
@click.option("--samples", default=5, show_default=True)
@click.option("--labels/--no-labels", default=True, show_default=True)
@click.option("--split", type=click.Choice(["test", "train"]), default="test", show_default=True)
@click.option("--method", help="Run this one of the table alone.")
@click.option("--chunk", default=4, show_default=True, help="Images at once, and between two savings.")
@click.option("--data", default=str(FASHION_MNIST_FOLDER), show_default=True)
@click.option("--smoke", is_flag=True, help="Two images, a few steps: does it run?")
def main(out, name, task, images, samples, labels, split, method, chunk, data, smoke) -> None:
    images, samples = (2, 2) if smoke else (images, samples)
    prior = DiffusionPrior.from_pretrained(name)
    with reporting():
        benchmark = restoration(name, task, images, labels, split, data, out)
        complete = compare(out, methods(prior, samples, smoke), benchmark, prior, samples, chunk, method, click.echo)
    results, shown = {name: kept.quality(images) for name, kept in complete.items()}, given(benchmark)
    for name, kept in complete.items():
        if name != BASELINE and kept.shown(1):
            drawn = kept.samples(kept.shown(min(8, images)))
            write_picture(kept.folder.with_suffix(".png"), sheet(benchmark.truth, shown, drawn))
    text = table(results, ["lpips_raw", "psnr", "observed_error", "diversity"], deviation=True)
    says = f"{TASKS[task].text}, noise {TASKS[task].sigma}"
    text = f"{says}; mean ± standard error over {images} images (standard deviation)\n\n{text}"
    write_text(out / "table.md", text + "\n")
    click.echo(text)
    assert results and all(len(q.psnr) == images for q in results.values())
    if len(complete) == 5 and not smoke:  # what a prior is for: closer to the truth, to the eye
        assert min(sum(q.lpips_raw) for q in results.values()) < sum(results[BASELINE].lpips_raw)


if __name__ == "__main__":
    main()
