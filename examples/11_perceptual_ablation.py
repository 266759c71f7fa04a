"""With and without LPIPS: VIPaint on the same images, masks and seeds (the paper's figure 9).

The perceptual term has a weight in the fit and one in the refinement; four runs tell what each does: neither,
both, and either alone. Rotated-window masks, one seed per image; differences are taken image by image. LPIPS is
what the term lowers where pixels are known, so that LPIPS of the raw samples is no fair judge of it: the
composite, whose known pixels are the truth's, judges the hole alone. Results are kept image by image, as in
``02_completion_quality.py``, whose VIPaint-4 is the run without: given its folder, this one takes it from there.

    python examples/11_perceptual_ablation.py --out perceptual
    python examples/11_perceptual_ablation.py --out quality-faces --prior cartoon-faces
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click
import PIL.Image
import torch

from vipaint_pyro import DiffusionPrior
from vipaint_pyro.cli.reporting import reporting
from vipaint_pyro.datasets.fashion_mnist import FASHION_MNIST_FOLDER
from vipaint_pyro.evaluation.benchmarks import PRIORS, Benchmark, completion
from vipaint_pyro.evaluation.engines import compare, samplers
from vipaint_pyro.evaluation.quality import Quality, mean_and_error, paired
from vipaint_pyro.evaluation.records import Kept
from vipaint_pyro.files import write_picture, write_text
from vipaint_pyro.images import to_output
from vipaint_pyro.measurements.perceptual import published_weight
from vipaint_pyro.plots import grid, observed_picture
from vipaint_pyro.samplers import VIPaintSampler

COLUMNS = {
    "lpips_raw": "LPIPS raw",
    "lpips_composite": "LPIPS composite",
    "psnr": "PSNR (dB)",
    "observed_error": "observed error",
}
FIRST = "VIPaint-4"


def methods(sampler: VIPaintSampler, weight: float, refinement: float) -> dict[str, VIPaintSampler]:
    """Name -> sampler; the first is the one without."""
    return {
        FIRST: sampler,
        "LPIPS in both": replace(sampler, perceptual=weight, perceptual_refinement=refinement),
        "LPIPS in the fit": replace(sampler, perceptual=weight),
        "LPIPS in the refinement": replace(sampler, perceptual_refinement=refinement),
    }


def table(results: dict[str, Quality]) -> str:
    """Means over the images, and differences to the first method, each ± its standard error."""

    def cells(found, sign=""):
        digits = {"psnr": 2}
        return " | ".join(f"{m:{sign}.{digits.get(c, 4)}f} ± {e:.{digits.get(c, 4)}f}" for c, (m, e) in found)

    lines = [f"| method | {' | '.join(COLUMNS.values())} | diversity | s per image |", "|--" * (len(COLUMNS) + 3) + "|"]
    for name, quality in results.items():
        own = cells((c, mean_and_error(getattr(quality, c))) for c in (*COLUMNS, "diversity"))
        lines.append(f"| {name} | {own} | {quality.seconds:.1f} |")
    lines += ["", f"Paired differences to {FIRST}:", "", f"| method | {' | '.join(COLUMNS.values())} | diversity |"]
    lines.append("|--" * (len(COLUMNS) + 2) + "|")
    for name, quality in results.items():
        if name != FIRST:
            both = ((c, paired(getattr(quality, c), getattr(results[FIRST], c))) for c in (*COLUMNS, "diversity"))
            lines.append(f"| {name} | {cells(both, '+')} |")
    return "\n".join(lines)


def sheet(benchmark: Benchmark, complete: dict[str, Kept]) -> PIL.Image.Image | None:
    """Truth, observation and two raw samples of each method, of the first images; None where no samples are kept."""
    shown = {name: kept.shown(min(8, len(benchmark))) for name, kept in complete.items() if kept.shown(1)}
    if not shown:
        return None
    drawn = {name: complete[name].samples(number) for name, number in shown.items()}
    columns, rows = ["truth", "observed"], []
    for name in drawn:
        columns += [name.replace("LPIPS in ", "+ "), ""]
    for i in range(min(shown.values())):
        unit = benchmark.truth[i] / 2 + 0.5
        row = [*to_output(unit[None], "pil"), observed_picture(unit, benchmark.measurement.operator.observed[i])]
        for x in drawn.values():
            row += to_output(x[[0, -1], i].clamp(-1, 1) / 2 + 0.5, "pil")
        rows.append(row)
    return grid(rows, columns, side=104)


@click.command(help=__doc__)
@click.option("--out", type=click.Path(path_type=Path), required=True)
@click.option("--prior", "name", type=click.Choice(PRIORS), default="fashion-mnist", show_default=True)
@click.option("--images", default=12, show_default=True, help="The first so many of the split.")
@click.option("--samples", default=5, show_default=True)
@click.option("--weight", type=float, help="lambda of the fit, nats per unit of LPIPS. Default: the paper's, d.")
@click.option("--refinement", default=2.0, show_default=True, help="Step along LPIPS's gradient in the refinement.")
@click.option("--split", type=click.Choice(["test", "train"]), default="test", show_default=True)
@click.option("--method", help="Run this one of the table alone.")
@click.option("--chunk", default=4, show_default=True, help="Images at once, and between two savings.")
@click.option("--data", default=str(FASHION_MNIST_FOLDER), show_default=True)
@click.option("--smoke", is_flag=True, help="Two images, a few steps: does it run?")
def main(out, name, images, samples, weight, refinement, split, method, chunk, data, smoke) -> None:
    images, samples = (2, 2) if smoke else (images, samples)
    prior = DiffusionPrior.from_pretrained(name)
    weight = published_weight(prior) if weight is None else weight
    with reporting():
        benchmark = completion(name, "rotated", images, True, split, data, out)
        four = methods(samplers(prior, samples, smoke)[FIRST], weight, refinement)
        complete = compare(out, four, benchmark, prior, samples, chunk, method, click.echo)
    if FIRST not in complete:
        click.echo(f"{FIRST}, which the others are held against, is not complete: no table yet")
        return
    results = {name: kept.quality(images) for name, kept in complete.items()}
    text = table(results)
    write_text(out / "perceptual.md", text + "\n")
    if (pictured := sheet(benchmark, complete)) is not None:
        write_picture(out / "perceptual.png", pictured)
    click.echo(text)

    for quality in results.values():
        assert quality.calls == results[FIRST].calls and len(quality.psnr) == images
        assert torch.isfinite(torch.tensor([getattr(quality, c) for c in COLUMNS])).all()
    if len(results) == 4 and not smoke:  # better by its own measure, or at least not worse beyond chance
        change, error = paired(results["LPIPS in both"].lpips_raw, results[FIRST].lpips_raw)
        assert change < 2 * error


if __name__ == "__main__":
    main()
