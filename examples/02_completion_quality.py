"""Completion quality on Fashion-MNIST: VIPaint-2, VIPaint-4 and DPS on the same images and masks.

Rotated-window masks, one seed per image. DPS is run at VIPaint-4's number of refinement steps and
at its number of denoiser calls per sample (its fit included). Each method's result is kept in a
file of its own, so that a run that was stopped goes on where it was.

    python examples/02_completion_quality.py --out quality
    python examples/02_completion_quality.py --out quality-no-labels --no-labels
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, replace
from pathlib import Path

import click
import torch

from vipaint_pyro import DiffusionPrior
from vipaint_pyro.datasets import FASHION_MNIST_FOLDER, fashion_mnist
from vipaint_pyro.evaluation import Quality, evaluate, mean_and_error, paired
from vipaint_pyro.images import to_output
from vipaint_pyro.masks import rotated_window
from vipaint_pyro.plots import grid, observed_picture
from vipaint_pyro.samplers import DPSSampler, VIPaintSampler
from vipaint_pyro.samplers.vipaint import timesteps_for

COLUMNS = ("lpips_raw", "lpips_composite", "psnr", "observed_error", "diversity")


def methods(prior: DiffusionPrior, num_samples: int, smoke: bool) -> dict:
    """Name -> sampler. Settings were chosen on training images only."""
    four = VIPaintSampler(timesteps=timesteps_for(prior, 4))
    if smoke:
        four = replace(four, fit_steps=2, num_chains=1, refinement_steps=4)
    two = replace(four, timesteps=timesteps_for(prior, 2))
    fit = four.fit_steps * four.num_chains * (four.num_levels + len(four.timesteps))
    calls = round(fit / num_samples) + len(four.timesteps) - 1 + four.refinement_steps
    calls = min(calls, prior.schedule.num_timesteps)
    return {
        "VIPaint-4": four,
        "VIPaint-2": two,
        "DPS, equal refinement steps": DPSSampler(four.refinement_steps, zeta=DPSSampler.zeta),
        "DPS, equal calls": DPSSampler(calls, zeta=DPSSampler.zeta),
        "DPS with VIPaint's step, equal calls": DPSSampler(calls, zeta=four.zeta, limit=True),
    }


def table(results: dict[str, Quality]) -> str:
    lines = ["| method | LPIPS raw | LPIPS composite | PSNR (dB) | observed error | diversity | calls |"]
    lines.append("|--|--|--|--|--|--|--|")
    for name, quality in results.items():
        cells = []
        for column in COLUMNS:
            mean, error = mean_and_error(getattr(quality, column))
            digits = 1 if column == "psnr" else 4
            cells.append(f"{mean:.{digits}f} ± {error:.{digits}f}")
        lines.append(f"| {name} | " + " | ".join(cells) + f" | {quality.calls:.0f} |")
    first, *others = results
    lines.append("")
    for name in others:
        for column in COLUMNS[:2]:
            mean, error = paired(getattr(results[first], column), getattr(results[name], column))
            lines.append(f"{first} - {name}, {column}: {mean:+.4f} ± {error:.4f} (paired)")
    return "\n".join(lines)


@click.command(help=__doc__)
@click.option("--out", type=click.Path(path_type=Path), required=True)
@click.option("--images", default=20, show_default=True, help="The first so many of the split.")
@click.option("--samples", default=5, show_default=True)
@click.option("--labels/--no-labels", default=True, show_default=True)
@click.option("--split", type=click.Choice(["test", "train"]), default="test", show_default=True)
@click.option("--data", default=str(FASHION_MNIST_FOLDER), show_default=True)
@click.option("--smoke", is_flag=True, help="Two images, a few steps: does it run?")
def main(out: Path, images: int, samples: int, labels: bool, split: str, data: str, smoke: bool) -> None:
    images, samples = (2, 2) if smoke else (images, samples)
    truth, classes = (v[:images] for v in fashion_mnist(split, data))
    size = tuple(truth.shape[-2:])
    observed = torch.stack(
        [rotated_window(size, torch.Generator().manual_seed(i)) for i in range(images)]
    )
    prior = DiffusionPrior.from_pretrained("fashion-mnist")
    out.mkdir(parents=True, exist_ok=True)
    results = {}
    for name, sampler in methods(prior, samples, smoke).items():
        facts = {"sampler": asdict(sampler), "images": images, "samples": samples, "labels": labels, "split": split}
        facts = json.loads(json.dumps(facts))
        stem = out / name.lower().replace(",", "").replace("'", "").replace(" ", "-")
        path, picture = stem.with_suffix(".json"), stem.with_suffix(".png")
        if path.exists():
            kept = json.loads(path.read_text())
            if kept["facts"] != facts:
                raise click.ClickException(f"{path} comes from other settings; choose another --out")
        else:
            click.echo(f"{name} ...")
            given = classes.tolist() if labels else None
            quality, x = evaluate(sampler, prior, truth, observed, given, samples)
            _sheet(truth, observed, x).save(picture)
            kept = {"facts": facts, "quality": asdict(quality)}
            partial = path.with_suffix(".partial")
            partial.write_text(json.dumps(kept))
            os.replace(partial, path)
        results[name] = Quality(**kept["quality"])
    text = table(results)
    (out / "table.md").write_text(text + "\n")
    click.echo(text)
    assert all(len(q.psnr) == images for q in results.values())


def _sheet(truth, observed, x):
    """Truth, observation and up to five samples of the first eight images."""
    rows = []
    for i in range(min(8, len(truth))):
        unit = truth[i] / 2 + 0.5
        drawn = torch.where(observed[i], truth[i], x[:5, i].clamp(-1, 1)) / 2 + 0.5
        rows.append([*to_output(unit[None], "pil"), observed_picture(unit, observed[i]), *to_output(drawn, "pil")])
    labels = ["truth", "observed", *[f"sample {k}" for k in range(min(5, len(x)))]]
    return grid(rows, labels, side=84)


if __name__ == "__main__":
    main()
