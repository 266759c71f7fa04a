"""Pictures of a few photons: a measurement with Poisson noise, through the pipeline.

``Nonlinear`` takes a function from an image to the rate of each count, and the family of the counts. The guide is
fitted to their density; the refinement goes down their deviance, and stops where counts drawn at its own
prediction would leave as much of it (``stop_at_noise``). For comparison: without that stop, where the noise is
fitted too, and the counts themselves as a picture.

    python examples/15_photon_counts.py --out photon-counts.png
"""

from __future__ import annotations

from pathlib import Path

import click
import pyro.distributions as dist
import torch

from vipaint_pyro import Nonlinear, VIPaintPipeline
from vipaint_pyro.datasets.fashion_mnist import FASHION_MNIST_FOLDER, fashion_mnist
from vipaint_pyro.evaluation.means import mean_of
from vipaint_pyro.evaluation.metrics import psnr
from vipaint_pyro.evaluation.study.cells import mean_text
from vipaint_pyro.files import write_picture
from vipaint_pyro.images import from_model, to_model, to_output
from vipaint_pyro.measurements.any_family import Family
from vipaint_pyro.plots import grid

DARK = 0.3  # counts of a black pixel


def photons(peak: float, shape: tuple[int, int, int], num_images: int, stop: bool = True) -> Nonlinear:
    """Counts with this mean in a white pixel, and DARK more by chance everywhere."""
    return Nonlinear(
        lambda x: DARK + peak / 2 * (x.clamp_min(-1) + 1), Family(dist.Poisson, stop_at_noise=stop), shape, num_images,
        start=lambda y: 2 * y / peak - 1,
    )  # fmt: skip


@click.command(help=__doc__)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="A picture of the first four.")
@click.option(
    "--peak", "peaks", type=float, multiple=True, default=(6, 30), show_default=True, help="Photons of a white pixel."
)
@click.option("--images", default=8, show_default=True, help="The first so many of the test split.")
@click.option("--samples", default=4, show_default=True)
@click.option("--data", default=str(FASHION_MNIST_FOLDER), show_default=True)
@click.option("--smoke", is_flag=True, help="Two images, a few steps: does it run?")
def main(out, peaks, images, samples, data, smoke) -> None:
    few = {"fit_steps": 2, "num_inference_steps": 3} if smoke else {}
    images, samples = (2, 2) if smoke else (images, samples)
    x = fashion_mnist("test", data)[0][:images]
    pipe = VIPaintPipeline.from_pretrained("fashion-mnist")
    rows = []
    click.echo("| photons | method | PSNR (dB) | deviance per count |\n|--|--|--|--|")
    for peak in peaks:
        operator = photons(peak, tuple(x.shape[1:]), images)
        y = torch.poisson(operator(x), generator=torch.Generator().manual_seed(0))
        counts = (2 * y / peak - 1).clamp(-1, 1)
        truth = float(operator.likelihood.deviance(operator, y, x).mean()) / y[0].numel()
        click.echo(f"| {peak:g} | the truth | | {truth:.2f} |")
        click.echo(row(peak, "the counts as a picture", psnr(counts, x), 0.0))
        for stop in (False, True):
            operator = photons(peak, tuple(x.shape[1:]), images, stop)
            seeded = [torch.Generator().manual_seed(i) for i in range(images)]
            result = pipe(y, operator=operator, num_samples=samples, generator=seeded, output_type="pt", **few)
            drawn = to_model(result.images).unflatten(0, (images, samples))
            near = psnr(drawn, x[:, None]).mean(1)
            deviance = operator.likelihood.deviance(operator, y, drawn.transpose(0, 1)).mean() / y[0].numel()
            click.echo(row(peak, "stops at the noise" if stop else "without the stop", near, float(deviance)))
        for i in range(min(4, images)):
            pictures = torch.cat([x[i : i + 1], counts[i : i + 1], drawn[i]])
            rows.append(to_output(from_model(pictures), "pil"))
    write_picture(out, grid(rows, ["truth", "counts", *[f"sample {k}" for k in range(samples)]]))


def row(peak: float, name: str, values: torch.Tensor, deviance: float) -> str:
    return f"| {peak:g} | {name} | {mean_text(mean_of(values.tolist()), 1)} | {deviance:.2f} |"


if __name__ == "__main__":
    main()
