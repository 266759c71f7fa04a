r"""Guides swapped by one word, in one table.

Where the answer is known (a cell of the mixture benchmark, its tuning problems): the bound on log p(y), the gap, the KL
of each level, Pareto k of the importance weights, total variation of the mode weights and sliced W1, both without
correction. On pictures (Fashion-MNIST, half hidden by a rotated window): LPIPS of the raw samples, seconds, denoiser
calls per sample with the fit's share, and peak memory above rest (Linux), each guide in a process of its own. RED-diff,
which fits a point at the clean image, is a method of its own: its rows are there to compare with. Without the KL of
each level, the memory and RED-diff the same is a command: vipaint ablate --on 8,2 --guide hierarchical,mean-field.

    python examples/07_swapping_guides.py --out guides
    python examples/07_swapping_guides.py --out guides --guide hierarchical --guide mixture --images 2
    python examples/07_swapping_guides.py --smoke
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import click
import torch

from vipaint_pyro import DiffusionPrior
from vipaint_pyro.datasets.fashion_mnist import FASHION_MNIST_FOLDER, fashion_mnist
from vipaint_pyro.evaluation.exact_methods import Lab, draw_named
from vipaint_pyro.evaluation.exact_table import score
from vipaint_pyro.evaluation.means import mean_of
from vipaint_pyro.exact import mixture_problems
from vipaint_pyro.exact.likelihood import ExactGaussian
from vipaint_pyro.files import write_text
from vipaint_pyro.guides import GUIDES, MarkovGuide, make_guide, recipe
from vipaint_pyro.inference.fit import fit
from vipaint_pyro.measurements.inpainting import Inpainting
from vipaint_pyro.measurements.lpips import shared_lpips
from vipaint_pyro.measurements.masks import rotated_window
from vipaint_pyro.measurements.measurement import Measurement
from vipaint_pyro.models import DiffusionModel
from vipaint_pyro.samplers import METHODS, Sampler, make_sampler

DEFAULT = (
    "hierarchical", "hierarchical-x0", "gaussian", "mean-field", "mixture", "flow", "red-diff", "red-diff-v",
    "AutoNormal", "AutoLowRankMultivariateNormal",
)  # fmt: skip


def known(name: str, cell: tuple[int, int], problems: int, lab: Lab) -> dict[str, float]:
    """The columns that need the exact posterior, means over problems."""
    set_ = mixture_problems(*cell, range(20, 20 + problems))
    draws = draw_named(name, set_, lab)
    scores = score(set_, draws, 200)
    result = {c: sum(v) / problems for c, v in scores.items()}
    if draws.bound is not None:
        result["bound"] = float(draws.bound[0].mean())
        result["kl"] = level_terms(name, set_[0], lab)
    return result


def level_terms(name: str, problem, lab: Lab) -> dict[str, float]:
    """Terms of minus the bound at the end of a fit of the first problem, in nats by site."""
    times = tuple(problem.prior.schedule.time_of_ratio(r) for r in lab.ratios[: recipe(name).levels])
    model = DiffusionModel(
        problem.prior, problem.operator, times, ExactGaussian(problem.sigma), form="marginal"
    )
    guide = make_guide(name, model, problem.y)
    record = fit(model, guide, problem.y, num_steps=lab.fit_steps, generator=torch.Generator().manual_seed(0))
    dims = torch.Size(problem.prior.latent_shape).numel()
    last = -(-lab.fit_steps // 4)
    if not isinstance(guide, MarkovGuide) and name != "AutoNormal":
        return {}  # one joint density, of which no level has a share
    terms: dict[str, float] = {}
    for site, term in record.terms.items():
        if site.startswith("z_"):  # AutoNormal has its density at a site of another name
            level = site.removesuffix("_unconstrained")
            terms[level] = terms.get(level, 0.0) + float(term[-last:].mean()) * dims
    return terms


def sampler_of(name: str, smoke: bool) -> Sampler:
    """VIPaint with the guide of this name, or RED-diff, whose guide is its answer."""
    if name in METHODS:
        return make_sampler(name, num_steps=2 if smoke else 100)
    few = {"fit_steps": 2, "refinement_steps": 4, "num_chains": 2} if smoke else {}
    return make_sampler("vipaint", guide_name=name, **few)


def pictures(name: str, images: int, samples: int, data: str, smoke: bool) -> dict[str, float]:
    """The columns of pictures, for one guide, in this process."""
    truth, labels = (v[:images] for v in fashion_mnist("train", data))
    size = tuple(truth.shape[-2:])
    observed = torch.stack([rotated_window(size, torch.Generator().manual_seed(i)) for i in range(images)])
    prior = DiffusionPrior.from_pretrained("fashion-mnist")
    operator = Inpainting(observed)
    seen = Measurement.of(operator, operator(truth))
    distance, rest = shared_lpips("alex", None, torch.device("cpu")), _status("VmRSS")
    start = time.perf_counter()
    sampler, lpips, calls = sampler_of(name, smoke), [], 0.0
    for i in range(images):  # one at a time: some AutoGuides couple what they are fitted to
        given, generator = prior.conditioned([int(labels[i])]), torch.Generator().manual_seed(1000 * i)
        drawn = sampler(given, seen.part(i, i + 1), samples, generator)
        lpips.append(float(distance(drawn.images[:, 0].clamp(-1, 1), truth[i]).mean()))
        calls += sum(drawn.calls.values()) / samples / images
    mean = mean_of(lpips)
    return {
        "lpips": mean.mean, "lpips_error": mean.error, "calls": calls,
        "seconds": time.perf_counter() - start, "memory": _status("VmHWM") - rest,
    }  # fmt: skip


def _status(field: str) -> float:
    """A line of /proc/self/status in MiB; nan where there is none."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return float("nan")
    return next((float(line.split()[1]) / 1024 for line in lines if line.startswith(field)), float("nan"))


def table(rows: dict[str, dict], cell: tuple[int, int]) -> str:
    lines = [
        f"| guide | bound ({cell[0]}, {cell[1]}) | gap | KL by site (first problem) | k | mode TV | sliced W1 | LPIPS "
        "| seconds | calls | peak MiB |",
        "|--|--|--|--|--|--|--|--|--|--|--|",
    ]
    for name, r in rows.items():
        kl = ", ".join(f"{s} {v:.2f}" for s, v in r.get("kl", {}).items())
        lines.append(
            f"| {name} | {_(r, 'bound', '.2f')} | {_(r, 'bound_gap', '.2f')} | {kl} | {_(r, 'k_hat', '.2f')} | "
            f"{r['mode_tv']:.2f} | {r['sliced_w1']:.2f} | {r['lpips']:.4f} ± {r['lpips_error']:.4f} | "
            f"{r['seconds']:.0f} | {r['calls']:.0f} | {r['memory']:.0f} |"
        )
    return "\n".join(lines)


def _(row: dict, name: str, form: str) -> str:
    return format(row[name], form) if name in row else ""


@click.command(help=__doc__)
@click.option("--out", type=click.Path(path_type=Path), default="guides", show_default=True)
@click.option(
    "--guide", "guides", multiple=True, type=click.Choice(list(GUIDES)),
    help="May be repeated. Default: " + ", ".join(DEFAULT),
)
@click.option("--cell", nargs=2, type=int, default=(8, 2), show_default=True)
@click.option("--problems", default=10, show_default=True)
@click.option("--images", default=8, show_default=True, help="Training images: this is no final figure.")
@click.option("--samples", default=4, show_default=True)
@click.option("--data", default=str(FASHION_MNIST_FOLDER), show_default=True)
@click.option("--pictures", "only", hidden=True, help="The columns of pictures of this guide, as JSON.")
@click.option("--smoke", is_flag=True, help="Two guides, a few steps: does it run?")
def main(out, guides, cell, problems, images, samples, data, only, smoke) -> None:
    if smoke:
        problems, images, samples = 2, 1, 2
    if only:
        click.echo(json.dumps(pictures(only, images, samples, data, smoke)))
        return
    guides = guides or (("hierarchical", "mean-field") if smoke else DEFAULT)
    lab = Lab(samples=100, fit_steps=20, steps=5) if smoke else Lab(samples=1000)
    out.mkdir(parents=True, exist_ok=True)
    rows = {}
    for name in guides:
        path = out / f"{name}.json"
        facts = {"cell": list(cell), "problems": problems, "images": images, "samples": samples, "smoke": smoke}
        kept = json.loads(path.read_text()) if path.exists() else {"facts": facts}
        if kept["facts"] != facts:
            raise click.ClickException(f"{path} comes from other settings; choose another --out")
        if "row" not in kept:
            click.echo(f"{name} ...")
            command = [sys.executable, __file__, "--pictures", name, "--images", str(images), "--samples", str(samples)]
            command += ["--data", data, *(["--smoke"] if smoke else [])]
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode:
                raise click.ClickException(done.stderr)
            kept["row"] = {**known(name, cell, problems, lab), **json.loads(done.stdout.splitlines()[-1])}
            write_text(path, json.dumps(kept))
        rows[name] = kept["row"]
    text = table(rows, cell)
    write_text(out / "table.md", text + "\n")
    click.echo(text)
    # A guide whose levels cannot see each other has no better bound than one whose levels can.
    if {"hierarchical", "mean-field"} <= set(rows) and not smoke:
        assert rows["mean-field"]["bound_gap"] > rows["hierarchical"]["bound_gap"] - 0.05
    assert all(r.get("bound_z", 0) < 3 for r in rows.values())


if __name__ == "__main__":
    main()
