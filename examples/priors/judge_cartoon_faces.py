"""Judge a ``cartoon-faces`` prior: everything that its model card says.

What the autoencoder loses on test faces; whether samples without a label have the generator's attributes as often
as the generator, and look like the faces that are read off them; how often a label is obeyed; how well the
classifier that does the reading reads. Figures go to OUT/figures.md, pictures beside it; with --card also into
OUT/README.md, which is the card with its lines ``<!-- name -->`` filled.

    python examples/priors/judge_cartoon_faces.py cartoon-faces --out judged
    python examples/priors/judge_cartoon_faces.py ./cartoon-prior/prior --out judged --card CARD.md
"""

from __future__ import annotations

from pathlib import Path

import click
import torch
from torch import Tensor

from vipaint_pyro import DiffusionPrior
from vipaint_pyro.datasets.cartoon_faces.classifier import read_attributes
from vipaint_pyro.datasets.cartoon_faces.faces import ATTRIBUTES, cartoon_faces, shows
from vipaint_pyro.datasets.cartoon_faces.posterior import FacePosterior
from vipaint_pyro.evaluation.metrics import psnr
from vipaint_pyro.evaluation.under_the_mask.frequencies import (
    as_tensor,
    bootstrap_error,
    counts,
    exact_outcomes,
    exact_total_variation,
    faces_read,
    outcomes,
    total_variation,
)
from vipaint_pyro.files import write_picture, write_text
from vipaint_pyro.images import from_bytes, from_model, to_output
from vipaint_pyro.measurements.lpips import LPIPS
from vipaint_pyro.plots import grid
from vipaint_pyro.randomness import isolated

#: The generator itself: all attributes for themselves, as they are drawn.
GENERATOR = FacePosterior(
    [
        ([{name: choice} for choice in odds], torch.tensor([*odds.values()], dtype=torch.float64))
        for name, odds in ATTRIBUTES.items()
    ]
)


@torch.no_grad()
def draw(prior: DiffusionPrior, labels: list, steps: int, seed: int, batch: int = 50) -> Tensor:
    """Ancestral samples, one per label, in [-1, 1]."""
    parts = []
    with isolated(seed):
        for i in range(0, len(labels), batch):
            own = labels[i : i + batch]
            z = prior.schedule.terminal_std * torch.randn(len(own), *prior.latent_shape)
            z = prior.conditioned(own).sample(z, prior.schedule.last, num_steps=steps)
            parts.append(prior.decode(z).clamp(-1, 1))
            click.echo(f"{i + len(own)} of {len(labels)} samples")
    return torch.cat(parts)


@torch.no_grad()
def reconstructions(prior: DiffusionPrior, x: Tensor) -> Tensor:
    return torch.cat([prior.decode(prior.encode(part)).clamp(-1, 1) for part in x.split(50)])


@torch.no_grad()
def distances(x: Tensor, truth: Tensor) -> tuple[Tensor, Tensor]:
    """PSNR and LPIPS (AlexNet) of each image."""
    lpips = LPIPS("alex")
    pairs = zip(x.split(50), truth.split(50))
    return psnr(x, truth), torch.cat([lpips(a, b) for a, b in pairs])


def spread(values: Tensor, digits: int) -> str:
    """Mean ± standard deviation over images."""
    return f"{values.mean():.{digits}f} ± {values.std():.{digits}f}"


def closeness(rows: dict[str, tuple[Tensor, Tensor]]) -> str:
    lines = ["| | images | PSNR (dB) | LPIPS (AlexNet) |", "|--|--|--|--|"]
    for name, (decibels, lpips) in rows.items():
        lines.append(f"| {name} | {len(lpips)} | {spread(decibels, 1)} | {spread(lpips, 4)} |")
    return "\n".join([*lines, "", "Means ± standard deviations over images."])


def frequencies(read: Tensor) -> str:
    found = outcomes(read)
    lines = [f"| attribute | total variation of {len(read)} samples | of as many exact draws |", "|--|--|--|"]
    for name in ATTRIBUTES:
        odds = exact_outcomes(GENERATOR, name)
        counted, exact = counts(found[name], odds), as_tensor(odds)
        mean, std = exact_total_variation(exact, len(read), 500)
        error = bootstrap_error(counted, exact, 500)
        lines.append(f"| {name} | {total_variation(counted, exact):.3f} ± {error:.3f} | {mean:.3f} ± {std:.3f} |")
    return "\n".join(lines)


def accuracy(attributes: Tensor, rows: dict[str, Tensor]) -> str:
    """Shares of what shows that is read rightly."""
    seen = shows(attributes)
    lines = [f"| read off | {' | '.join(ATTRIBUTES)} |", "|--" * (len(ATTRIBUTES) + 1) + "|"]
    for name, read in rows.items():
        right = [(read == attributes)[seen[:, k], k].float().mean() for k in range(len(ATTRIBUTES))]
        lines.append(f"| {name} | {' | '.join(f'{v:.4f}' for v in right)} |")
    return "\n".join(lines)


def obedience(labels: list[int], read: Tensor, names: tuple[str, ...]) -> str:
    """How often the label is read off a sample that was given it."""
    lines = [f"| {' | '.join(names)} | all |", "|--" * (len(names) + 1) + "|"]
    right = torch.tensor(labels) == read[:, [*ATTRIBUTES].index("top")]
    shares = [right[torch.tensor(labels) == k].float().mean() for k in range(len(names))]
    return "\n".join([*lines, f"| {' | '.join(f'{v:.2f}' for v in [*shares, right.float().mean()])} |"])


def chart(read: Tensor):
    """Frequencies of every attribute; black: the generator's odds, with the spread of as many draws."""
    from matplotlib.figure import Figure

    found = outcomes(read)
    figure = Figure(figsize=(15, 8), layout="constrained", dpi=90)
    panels = figure.subplots(3, 4).flat
    for axes, name in zip(panels, ATTRIBUTES):
        odds = exact_outcomes(GENERATOR, name)
        exact, place = as_tensor(odds)[: len(odds)], torch.arange(len(odds))
        axes.bar(place.numpy(), (counts(found[name], odds)[: len(odds)] / len(read)).numpy(), color="C0")
        error = (exact * (1 - exact) / len(read)).sqrt()
        axes.errorbar(place.numpy(), exact.numpy(), error.numpy(), fmt="k_", ms=14, capsize=3)
        axes.set_xticks(place.numpy(), [v.lower().replace("_", " ") for v in odds], rotation=60, fontsize=7)
        axes.set_title(name, fontsize=9)
    for axes in panels:
        axes.set_axis_off()
    return figure


def side_by_side(left: Tensor, right: Tensor, names: tuple[str, str], rows: int = 6, columns: int = 6):
    """Two blocks of pictures, the name of its block over each column."""
    blocks = [to_output(from_model(x[: rows * columns]), "pil") for x in (left, right)]
    columns = min(columns, len(blocks[0]))
    lines = [[p for b in blocks for p in b[r * columns : (r + 1) * columns]] for r in range(rows)]
    heads = [name for name in names for _ in range(columns)]
    return grid([line for line in lines if len(line) == len(heads)], heads, side=80)


@click.command(help=__doc__)
@click.argument("prior")
@click.option("--out", type=click.Path(path_type=Path), required=True)
@click.option("--faces", default=500, show_default=True, help="Of the test split.")
@click.option("--samples", default=1000, show_default=True, help="Without a label.")
@click.option("--per-label", default=20, show_default=True, help="Samples of each label.")
@click.option("--steps", default=50, show_default=True, help="Of ancestral sampling.")
@click.option("--card", type=click.Path(path_type=Path, exists=True), help="A model card to fill with the figures.")
@click.option("--smoke", is_flag=True, help="A handful of pictures and two steps: does it run?")
def main(prior, out, faces, samples, per_label, steps, card, smoke):
    if smoke:
        faces, samples, per_label, steps = 8, 8, 1, 2
    loaded = DiffusionPrior.from_pretrained(prior)
    out.mkdir(parents=True, exist_ok=True)
    images, attributes = cartoon_faces("test", faces)
    x = from_bytes(images)
    y = reconstructions(loaded, x)
    drawn = draw(loaded, [None] * samples, steps, seed=0)
    labels = [k for k in range(loaded.num_classes) for _ in range(per_label)]
    labelled = draw(loaded, labels, steps, seed=1)
    read = read_attributes(drawn)
    sections = {
        "closeness": closeness(
            {
                "reconstructions of test faces": distances(y, x),
                "samples, to the face that is read off them": distances(drawn, faces_read(read)),
            }
        ),
        "frequencies": frequencies(read),
        "classifier": accuracy(
            attributes, {"test faces": read_attributes(x), "their reconstructions": (again := read_attributes(y))}
        ),
        "labels": obedience(labels, read_attributes(labelled), loaded.class_names),
    }
    text = "\n\n".join(f"## {name}\n\n{section}" for name, section in sections.items())
    write_text(out / "figures.md", text + "\n")
    click.echo(text)
    write_picture(out / "frequencies.png", chart(read))
    write_picture(out / "samples.png", side_by_side(x, drawn, ("generator", "sample")))
    write_picture(out / "reconstructions.png", side_by_side(x, y, ("generator", "rebuilt")))
    if card is not None:
        filled = card.read_text()
        for name, section in sections.items():
            if (place := f"<!-- {name} -->") not in filled:
                raise click.ClickException(f"{card} has no line {place}")
            filled = filled.replace(place, section)
        write_text(out / "README.md", filled)
    assert ((again == attributes) | ~shows(attributes)).float().mean() > 0.9


if __name__ == "__main__":
    main()
