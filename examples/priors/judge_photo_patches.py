"""Judge a ``photo-patches`` prior on photographs it was not trained on: everything that its model card says.

The denoising error by noise level, of the prior with and without its class, of the Gaussian with the training patches'
own mean and covariance, and of a mixture fitted to them; samples beside patches. Figures go to OUT/figures.md, pictures
beside it.

    python examples/priors/judge_photo_patches.py photo-prior/prior --data photographs --out judged
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click
import torch
from safetensors import safe_open
from torch import Tensor

from patch_models import CosineGaussian, CosineMixture
from photographs import Patches, all_scales
from vipaint_pyro import DiffusionPrior
from vipaint_pyro.datasets.shares import SHARES
from vipaint_pyro.files import write_text
from vipaint_pyro.images import from_model, to_output
from vipaint_pyro.plots import grid
from vipaint_pyro.randomness import isolated

#: sigma / alpha as a standard deviation in grey levels of 255.
LEVELS = (5, 10, 25, 50, 100, 200, 400)


def of_prior(prior: DiffusionPrior, labels: list[int | None]) -> Callable[[Tensor, int], Tensor]:
    """(z_t, t) -> E[x given z_t] of a network, in batches."""

    def denoise(z: Tensor, t: int) -> Tensor:
        with torch.no_grad():
            parts = [
                prior.conditioned(labels[i : i + 50]).denoise(z[i : i + 50], t) for i in range(0, len(z), 50)
            ]
        return torch.cat(parts)

    return denoise


def errors(denoise: Callable[[Tensor, int], Tensor], schedule, x: Tensor, levels=LEVELS) -> Tensor:
    """Mean squared error of each patch at each level (levels, patches), in units of [-1, 1]; one noise for all."""
    generator = torch.Generator().manual_seed(0)
    rows = []
    for level in levels:
        t = schedule.time_of_ratio(level / 127.5)
        z = float(schedule.alpha(t)) * x + float(schedule.sigma(t)) * torch.randn(x.shape, generator=generator)
        rows.append((denoise(z, t) - x).pow(2).mean((1, 2, 3)))
        click.echo(f"noise {level}: {decibels(rows[-1].mean()):.2f} dB")
    return torch.stack(rows)


def decibels(error: Tensor) -> Tensor:
    """PSNR of a mean squared error between images in [-1, 1]."""
    return 10 * torch.log10(4 / error)


def error_table(found: dict[str, Tensor], reference: str, levels=LEVELS) -> str:
    """PSNR of the mean error by level, and in how many patches the first row's error is below the reference's."""
    lines = ["| noise (of 255) | " + " | ".join(map(str, levels)) + " |", "|--" * (len(levels) + 1) + "|"]
    for name, error in found.items():
        lines.append(f"| {name} | " + " | ".join(f"{v:.2f}" for v in decibels(error.mean(1)).tolist()) + " |")
    first = next(iter(found.values()))
    share = (first < found[reference]).float().mean(1)
    lines.append(f"| patches where the prior beats the {reference} | " + " | ".join(f"{v:.0%}" for v in share) + " |")
    return "\n".join([*lines, "", f"PSNR in dB of the mean squared error over {first.shape[1]} patches."])


def class_table(found: dict[str, Tensor], labels: Tensor, level: int, levels=LEVELS) -> str:
    """PSNR at one level for each class of patches."""
    lines = ["| | " + " | ".join(SHARES) + " |", "|--" * (len(SHARES) + 1) + "|"]
    for name, error in found.items():
        row = error[levels.index(level)]
        values = [decibels(row[labels == k].mean()).item() for k in range(len(SHARES))]
        lines.append(f"| {name} | " + " | ".join(f"{v:.2f}" if v == v else "" for v in values) + " |")
    return "\n".join([*lines, "", f"PSNR in dB by what the patch spans, at a noise of {level}."])


@torch.no_grad()
def draw(prior: DiffusionPrior, labels: list[int | None], steps: int, seed: int = 0) -> Tensor:
    """Ancestral samples, one per label, in [-1, 1]."""
    with isolated(seed):
        z = prior.schedule.terminal_std * torch.randn(len(labels), *prior.latent_shape)
        z = prior.conditioned(labels).sample(z, prior.schedule.last, num_steps=steps)
        return prior.decode(z).clamp(-1, 1)


def sheet(x: Tensor, columns: int, heads: list[str]):
    pictures = to_output(from_model(x), "pil")
    return grid([pictures[i : i + columns] for i in range(0, len(pictures), columns)], heads, side=96)


def loss_figure(losses: Tensor, window: int = 100):
    from matplotlib.figure import Figure

    smooth = losses.unfold(0, min(window, len(losses)), 1).mean(1)
    figure = Figure(figsize=(6, 3), layout="constrained", dpi=120)
    axes = figure.subplots()
    axes.plot(range(len(losses) - len(smooth), len(losses)), smooth.numpy(), color="black", lw=1.0)
    axes.set(xlabel="step", ylabel="weighted v loss", yscale="log")
    return figure


@click.command(help=__doc__)
@click.argument("prior")
@click.option("--data", type=click.Path(path_type=Path), required=True, help="Where the photographs are kept.")
@click.option("--out", type=click.Path(path_type=Path), required=True)
@click.option("--patches", default=400, show_default=True, help="Of the test photographs.")
@click.option("--fit", default=30000, show_default=True, help="Training patches for the Gaussian and the mixture.")
@click.option("--components", default=64, show_default=True, help="Of the mixture.")
@click.option("--steps", default=100, show_default=True, help="Of ancestral sampling.")
@click.option("--split", default="test", type=click.Choice(["validation", "test"]), show_default=True)
@click.option("--checkpoint", type=click.Path(path_type=Path, exists=True), help="Of the training: its loss curve.")
@click.option("--smoke", is_flag=True, help="A handful of patches and two steps: does it run?")
def main(prior, data, out, patches, fit, components, steps, split, checkpoint, smoke):
    if smoke:
        patches, fit, components, steps = 8, 40, 2, 2
    loaded = DiffusionPrior.from_pretrained(prior)
    out.mkdir(parents=True, exist_ok=True)
    x, labels = Patches(all_scales(split, data)).draw(patches, torch.Generator().manual_seed(1))
    training, _ = Patches(all_scales("train", data)).draw(fit, torch.Generator().manual_seed(2))
    schedule = loaded.schedule
    found = {
        "prior": errors(of_prior(loaded, [None] * patches), schedule, x),
        "prior, told the class": errors(of_prior(loaded, labels.tolist()), schedule, x),
    }
    mixture = CosineMixture(training, components, torch.Generator().manual_seed(3))
    found["mixture"] = errors(lambda z, t: mixture.denoise(z, schedule.alpha(t), schedule.sigma(t)), schedule, x)
    gaussian = CosineGaussian(training)
    found["Gaussian"] = errors(lambda z, t: gaussian.denoise(z, schedule.alpha(t), schedule.sigma(t)), schedule, x)
    sections = {"denoising": error_table(found, "mixture"), "by class": class_table(found, labels, 50)}
    text = "\n\n".join(f"## {name}\n\n{section}" for name, section in sections.items())
    write_text(out / "figures.md", text + "\n")
    click.echo(text)
    columns = 2 if smoke else 8
    sheet(x[: columns * columns], columns, [""] * columns).save(out / "patches.png")
    sheet(draw(loaded, [None] * columns**2, steps), columns, [""] * columns).save(out / "samples.png")
    told = [k for _ in range(columns) for k in range(len(SHARES))]
    sheet(draw(loaded, told, steps, seed=1), len(SHARES), [*SHARES]).save(out / "samples-by-class.png")
    if checkpoint is not None:
        with safe_open(checkpoint, "pt") as file:
            loss_figure(file.get_tensor("losses")).savefig(out / "loss.png")
    assert all(error.isfinite().all() for error in found.values())


if __name__ == "__main__":
    main()
