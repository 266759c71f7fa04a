"""Every sampler on Gaussian priors seen through a mask, where the posterior is known: how wrong is each?

At about 100 denoiser calls per sample, and on 4x4 pixels also at its default settings. Rows that are in the CSV file
beside the table are not run again.

    python examples/16_gaussian_errors.py --out gaussian-errors.md
"""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import click
import torch

from vipaint_pyro.evaluation.gaussian_errors import COLUMNS, errors, gaussian_problem
from vipaint_pyro.evaluation.means import mean_of
from vipaint_pyro.files import write_text
from vipaint_pyro.samplers.registry import METHODS, make_sampler

SIZES = (2, 4, 8)
NOISE = (0.0, 0.05, 0.2)
#: Settings that make about 100 forward calls a sample; methods that are not here have 100 by default.
EQUAL = {
    "vipaint": {"refinement_steps": 100, "refine": "dps"},
    "dps": {"num_steps": 100},
    "blended": {"num_steps": 100},
    "repaint": {"num_steps": 20, "jump_length": 4, "jump_n_sample": 6},
    "copaint": {"num_steps": 33},
    "copaint-tt": {"num_steps": 17, "jump_length": 4},
    "daps": {"num_steps": 20},
    "mgps": {"num_steps": 25, "first_intense": 2, "intense_gradients": 10},
    "mgdm": {"num_steps": 6, "denoising_steps": 10, "intense_gradients": 6},
}
HEADS = ("pixels", "noise", "method", "settings", "calls", "backward", "seconds", "samples", "images")


@click.command(help=__doc__)
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="A Markdown file.")
@click.option("--samples", default=500, show_default=True, help="Per image.")
@click.option("--images", default=6, show_default=True, help="Drawn from the prior, each with its own noise in y.")
@click.option("--method", "methods", multiple=True, type=click.Choice(sorted(METHODS)), help="All on pixels.")
@click.option("--smoke", is_flag=True, help="Four images of four pixels, two methods, fewer draws.")
def main(out, samples, images, methods, smoke) -> None:
    sizes, noises = (SIZES[:1], NOISE[:2]) if smoke else (SIZES, NOISE)
    samples, images = (200, 4) if smoke else (samples, images)
    pixel = [name for name, method in METHODS.items() if "latent" not in method.needs]
    names = ["exact", *(methods or (("ddnm", "blended") if smoke else pixel))]
    path = out.with_suffix(".csv")
    rows = read(path, samples, images)
    for size, noise, name, settings in cases(sizes, noises, names):
        key = (str(size**2), f"{noise:g}", name, settings)
        if key not in rows:
            rows[key] = row(key, size, noise, samples, images)
            write(path, rows)
            click.echo(" ".join(key) + f": {rows[key]['seconds']} s")
    write_text(out, table(rows))
    click.echo(f"{table(rows)}\nwrote {out} and {path}")


def cases(sizes, noises, names) -> Iterator[tuple[int, float, str, str]]:
    """What is run, the dear ones last."""
    for size, noise, name in product(sizes, noises, names):
        yield size, noise, name, "equal" if name in EQUAL else "default"
    for size, noise, name in product(sizes, noises, names):
        if size == 4 and name in EQUAL:
            yield size, noise, name, "default"


def problem(size: int, noise: float, images: int):
    """Half of 2x2 and of 4x4 pixels seen, and every third of 8x8."""
    if size == 8:
        observed = (torch.arange(64) % 3 == 0).reshape(8, 8)
    else:
        observed = (torch.arange(size) < size // 2).expand(size, size)
    return gaussian_problem(size, 3.0, observed, noise, images)


def row(key: tuple[str, ...], size: int, noise: float, samples: int, images: int) -> dict[str, str]:
    """One method on one problem: each column's mean and standard error over images."""
    case, (_, _, name, settings) = problem(size, noise, images), key
    generator, start = torch.Generator().manual_seed(1), time.perf_counter()
    if name == "exact":
        x, calls, backward = case.posterior().sample(samples, generator), 0.0, 0.0
    else:
        sampler = make_sampler(name, **(EQUAL[name] if settings == "equal" else {}))
        drawn = sampler(case.prior, case.measurement, samples, generator)
        x, calls, backward = (drawn.images, *(sum(n.values()) / samples for n in (drawn.calls, drawn.backward)))
    seconds = time.perf_counter() - start
    facts = [*key, f"{calls:.0f}", f"{backward:.0f}", f"{seconds:.1f}", str(samples), str(images)]
    found = dict(zip(HEADS, facts))
    for column, values in errors(case, x).items():
        mean = mean_of(values)
        found[column], found[f"{column}_se"] = f"{mean.mean:.4f}", f"{mean.error:.4f}"
    return found


def read(path: Path, samples: int, images: int) -> dict[tuple[str, ...], dict[str, str]]:
    """Rows of an earlier run, by what they are of."""
    if not path.exists():
        return {}
    with open(path, newline="") as file:
        rows = list(csv.DictReader(file))
    if any((r.get("samples"), r.get("images")) != (str(samples), str(images)) for r in rows):
        raise click.ClickException(f"{path} has rows of other --samples or --images: give another --out, or move it")
    return {tuple(r[h] for h in HEADS[:4]): r for r in rows}


def write(path: Path, rows: dict[tuple[str, ...], dict[str, str]]) -> None:
    text = io.StringIO()
    heads = [*HEADS, *(f"{c}{end}" for c in COLUMNS for end in ("", "_se"))]
    writer = csv.DictWriter(text, heads, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows.values())
    write_text(path, text.getvalue())


def table(rows: dict[tuple[str, ...], dict[str, str]]) -> str:
    """A table for each number of pixels and each noise."""
    short = {"mean_hidden": "mean", "std_hidden": "sd", "kl_hidden": "KL", "mean_seen": "mean, seen",
             "std_seen": "sd, seen", "sliced_w1": "sliced W1"}  # fmt: skip
    lines = [f"- {short[c]}: {words}" for c, words in COLUMNS.items()]
    for pixels, noise in dict.fromkeys(key[:2] for key in rows):
        head = " | ".join(short.values())
        lines += ["", f"{pixels} pixels, noise {noise}:", "", f"| method | calls | {head} |", "|--" * 8 + "|"]
        for (p, n, name, settings), r in sorted(rows.items(), key=lambda item: item[0][3] == "equal"):
            if (p, n) == (pixels, noise):
                cells = [f"{float(r[c]):.2f} ± {float(r[f'{c}_se']):.2f}" if r.get(c) else "" for c in short]
                shown = name if settings == "default" else f"{name}, equal calls"
                backward = "" if r["backward"] == "0" else f" F + {r['backward']} B"
                lines.append(f"| {shown} | {r['calls']}{backward} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
