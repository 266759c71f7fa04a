"""Completion quality: VIPaint-2, VIPaint-4 and DPS on the same images and masks.

One seed per image. DPS is run at VIPaint-4's number of refinement steps and at its number of denoiser calls per
sample (its fit included), there also with the step that VIPaint refines with. Settings were chosen on training
images only. The figures are kept image by image, so that a run that was stopped goes on at the image where it was,
and one with more images takes those that are there.

    python examples/02_completion_quality.py --out quality
    python examples/02_completion_quality.py --out quality-no-labels --no-labels
    python examples/02_completion_quality.py --out quality-faces --prior cartoon-faces --masks random

The methods can be run by several processes, each with ``--method``; the table is written from what is complete.
"""

from __future__ import annotations

from pathlib import Path

import click
import PIL.Image
import torch

from vipaint_pyro import DiffusionPrior
from vipaint_pyro.cli.reporting import reporting
from vipaint_pyro.datasets.fashion_mnist import FASHION_MNIST_FOLDER
from vipaint_pyro.evaluation.benchmarks import PRIORS, Benchmark, completion
from vipaint_pyro.evaluation.engines import compare, samplers
from vipaint_pyro.evaluation.records import Kept
from vipaint_pyro.evaluation.sheets import sheet
from vipaint_pyro.evaluation.tables import HEADINGS, table
from vipaint_pyro.files import write_picture, write_text
from vipaint_pyro.images import from_model
from vipaint_pyro.measurements.masks import MASKS
from vipaint_pyro.plots import observed_picture


def pictured(benchmark: Benchmark, kept: Kept) -> PIL.Image.Image:
    """The sheet of a method: samples with the observed pixels put back."""
    shown = kept.shown(min(8, len(benchmark)))
    truth, observed = benchmark.truth[:shown], benchmark.measurement.operator.observed[:shown]
    x = torch.where(observed, truth, kept.samples(shown))
    return sheet(truth, {"observed": lambda i: observed_picture(from_model(truth[i]), observed[i])}, x)


@click.command(help=__doc__)
@click.option("--out", type=click.Path(path_type=Path), required=True)
@click.option("--prior", "name", type=click.Choice(PRIORS), default="fashion-mnist", show_default=True)
@click.option("--masks", type=click.Choice(list(MASKS)), default="rotated", show_default=True)
@click.option("--images", default=20, show_default=True, help="The first so many of the split.")
@click.option("--samples", default=5, show_default=True)
@click.option("--labels/--no-labels", default=True, show_default=True)
@click.option("--split", type=click.Choice(["test", "train"]), default="test", show_default=True)
@click.option("--method", help="Run this one of the table alone.")
@click.option("--chunk", default=4, show_default=True, help="Images at once, and between two savings.")
@click.option("--data", default=str(FASHION_MNIST_FOLDER), show_default=True)
@click.option("--smoke", is_flag=True, help="Two images, a few steps: does it run?")
def main(out, name, masks, images, samples, labels, split, method, chunk, data, smoke) -> None:
    images, samples = (2, 2) if smoke else (images, samples)
    prior = DiffusionPrior.from_pretrained(name)
    with reporting():
        benchmark = completion(name, masks, images, labels, split, data, out)
        methods = samplers(prior, samples, smoke)
        complete = compare(out, methods, benchmark, prior, samples, chunk, method, click.echo)
    results = {name: kept.quality(images) for name, kept in complete.items()}
    for kept in complete.values():
        if kept.shown(1):
            write_picture(kept.folder.with_suffix(".png"), pictured(benchmark, kept))
    text = table(results, list(HEADINGS))
    write_text(out / "table.md", text + "\n")
    click.echo(text)
    assert results and all(len(q.psnr) == images for q in results.values())


if __name__ == "__main__":
    main()
