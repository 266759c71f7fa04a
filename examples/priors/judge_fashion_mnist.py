"""Judge a ``fashion-mnist`` prior: denoising error on test images, a sheet of samples, its loss curve.

    python examples/priors/judge_fashion_mnist.py fashion-mnist --out judged
    python examples/priors/judge_fashion_mnist.py ./my-prior --out judged --losses ./my-prior/losses.json
"""

from __future__ import annotations

import json
from pathlib import Path

import click
import torch

from vipaint_pyro import DiffusionPrior
from vipaint_pyro.datasets.fashion_mnist import FASHION_MNIST_FOLDER, fashion_mnist
from vipaint_pyro.files import write_picture, write_text
from vipaint_pyro.images import from_model, to_output
from vipaint_pyro.plots import grid
from vipaint_pyro.randomness import isolated

NAMES = ("t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "boot")
TIMES = (150, 300, 450, 600, 750, 900)


@torch.no_grad()
def denoising_error(prior, x, labels) -> dict[int, float]:
    """Mean squared error of E[x | z_t] per time, in units of [-1, 1], with one seed for all priors."""
    prior = prior.conditioned(labels)
    generator = torch.Generator().manual_seed(0)
    errors = {}
    for t in TIMES:
        noise = torch.randn(x.shape, generator=generator)
        z = float(prior.schedule.alpha(t)) * x + float(prior.schedule.sigma(t)) * noise
        errors[t] = (prior.denoise(z, t) - x).pow(2).mean().item()
    return errors


@torch.no_grad()
def draw(prior, labels, steps, seed=0):
    """Ancestral samples, one per label, in [0, 1]."""
    with isolated(seed):
        z = torch.randn(len(labels), *prior.latent_shape)
        x = prior.conditioned(labels).sample(z, prior.schedule.last, num_steps=steps)
    return from_model(x)


def loss_figure(losses, window=50):
    from matplotlib.figure import Figure

    v = torch.tensor(losses)
    smooth = v.unfold(0, min(window, len(v)), 1).mean(1)
    figure = Figure(figsize=(6, 3), layout="constrained", dpi=120)
    axes = figure.subplots()
    axes.plot(v.numpy(), color="0.8", lw=0.5)
    axes.plot(range(len(v) - len(smooth), len(v)), smooth.numpy(), color="black", lw=1.2)
    axes.set(xlabel="step", ylabel="weighted v loss", ylim=(0.8 * smooth.min().item(), 1.2 * smooth.max().item()))
    return figure


@click.command(help=__doc__)
@click.argument("prior")
@click.option("--out", type=click.Path(path_type=Path), required=True)
@click.option("--images", default=1000, show_default=True, help="Of the test set.")
@click.option("--steps", default=100, show_default=True, help="Of ancestral sampling.")
@click.option("--losses", type=click.Path(path_type=Path, exists=True), help="losses.json of the training.")
@click.option("--data", default=str(FASHION_MNIST_FOLDER), show_default=True)
@click.option("--smoke", is_flag=True)
def main(prior, out, images, steps, losses, data, smoke):
    images, steps, each = (4, 2, 1) if smoke else (images, steps, 5)
    null = {} if (Path(prior) / "model_index.json").is_file() or prior == "fashion-mnist" else {"null_class": 10}
    loaded = DiffusionPrior.from_pretrained(prior, **null)
    x, labels = (v[:images] for v in fashion_mnist("test", data))
    out.mkdir(parents=True, exist_ok=True)
    errors = denoising_error(loaded, x, labels.tolist())
    write_text(out / "denoising-error.json", json.dumps(errors))
    for t, error in errors.items():
        click.echo(f"t = {t}: mean squared denoising error {error:.5f}")
    # Five of each class, and as many without a label.
    rows = []
    pictures = [to_output(draw(loaded, [c] * each, steps, seed=c), "pil") for c in range(10)]
    pictures.append(to_output(draw(loaded, [None] * each, steps, seed=10), "pil"))
    for k in range(each):
        rows.append([column[k] for column in pictures])
    write_picture(out / "samples.png", grid(rows, [*NAMES, "no label"], side=68))
    if losses:
        write_picture(out / "loss.png", loss_figure(json.loads(losses.read_text())))
    assert errors[TIMES[0]] < errors[TIMES[-1]]


if __name__ == "__main__":
    main()
