"""Overhead: a fit step and a refinement step against exactly the network calls they need.

The bare calls are chained and kept for one backward pass as in the fit, where each level's input is
the level above; they are timed in turn with the real steps, in one process. Peak memory (Linux) is
taken in a fresh process each with a batch of 16 images, above what the loaded prior takes at rest.

    python examples/03_overhead.py
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

import click
import pyro
import torch
from pyro.infer import Trace_ELBO

from vipaint_pyro import DiffusionPrior, fit, refine
from vipaint_pyro.guides import HierarchicalGuide
from vipaint_pyro.inference.optimizers import default_optimizer
from vipaint_pyro.measurements.inpainting import Inpainting
from vipaint_pyro.measurements.masks import rotated_window
from vipaint_pyro.measurements.measurement import Measurement
from vipaint_pyro.models import DiffusionModel
from vipaint_pyro.samplers import DPSSampler

TIMES, CHAINS, LEVELS, SAMPLES = (800, 700, 600, 500), 4, 4, 8


def setup(images):
    prior = DiffusionPrior.from_pretrained("fashion-mnist").conditioned([9] * images)
    observed = rotated_window((28, 28), angle=60).expand(images, 1, 28, 28)
    y = torch.zeros(images, 1, 28, 28)
    return prior, observed, y


def fit_step(prior, observed, y):
    """One step of a real fit."""
    model = DiffusionModel(prior, Inpainting(observed), TIMES, num_levels=LEVELS)
    guide = HierarchicalGuide(model, y)
    loss = Trace_ELBO(CHAINS, vectorize_particles=True, max_plate_nesting=3)
    optim, generator = default_optimizer(guide), torch.Generator().manual_seed(0)

    def step():
        fit(model, guide, y, num_steps=1, optim=optim, loss=loss, generator=generator)

    return step


def bare_fit_calls(prior, images):
    """The forward and backward calls of one fit step, and nothing else."""
    above = torch.randint(TIMES[0], prior.schedule.last, (LEVELS, 1))
    leaf = torch.randn(CHAINS, LEVELS, images, 1, 28, 28, requires_grad=True)
    top = torch.randn(CHAINS, images, 1, 28, 28, requires_grad=True)

    def step():
        total = prior.denoise(leaf, above).sum()
        z = top
        for t in TIMES:
            z = prior.denoise(z, t)
        torch.autograd.grad(total + z.sum(), [leaf, top])

    return step


def refinement(prior, observed, y, steps):
    z = torch.randn(SAMPLES, len(y), 1, 28, 28)
    seen = Measurement.of(Inpainting(observed), y)

    def run():
        refine(prior, seen, z, TIMES[-1], sampler=DPSSampler(steps))

    return run


def bare_refinement(prior, images, steps):
    z = torch.randn(SAMPLES, images, 1, 28, 28)

    def run():
        for i in range(steps - 1):
            x = z.detach().requires_grad_()
            torch.autograd.grad(prior.denoise(x, TIMES[-1] - i).sum(), x)
        with torch.no_grad():
            prior.denoise(z, 0)

    return run


def ratio(ours, bare, rounds):
    """Median of the ratios of neighbouring runs, after a warm-up."""
    ours(), bare()
    ratios = []
    for _ in range(rounds):
        seconds = []
        for run in (ours, bare):
            start = time.perf_counter()
            run()
            seconds.append(time.perf_counter() - start)
        ratios.append(seconds[0] / seconds[1])
    return statistics.median(ratios), min(ratios), max(ratios)


def status(field: str) -> float:
    """A line of /proc/self/status, in MiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(field)).split()[1]) / 1024


def peak(name: str) -> float:
    """MiB that a fresh process needs for one run, above what it holds at rest."""
    return float(subprocess.check_output([sys.executable, __file__, "--peak", name], text=True))


def runs(prior, observed, y, steps):
    return {
        "fit": fit_step(prior, observed, y),
        "bare fit": bare_fit_calls(prior, len(y)),
        "refinement": refinement(prior, observed, y, steps),
        "bare refinement": bare_refinement(prior, len(y), steps),
    }


@click.command(help=__doc__)
@click.option("--rounds", default=15, show_default=True)
@click.option("--smoke", is_flag=True)
@click.option("--peak", "peak_of", hidden=True)
def main(rounds: int, smoke: bool, peak_of: str | None) -> None:
    rounds, steps = (1, 2) if smoke else (rounds, 10)
    pyro.set_rng_seed(0)
    every = runs(*setup(16 if peak_of else 1), 2 if peak_of else steps)
    if peak_of:
        at_rest = status("VmRSS")
        Path("/proc/self/clear_refs").write_text("5")  # forget the peak of loading
        every[peak_of]()
        click.echo(f"{status('VmHWM') - at_rest:.1f}")
        return
    for name, goal in (("fit", 1.10), ("refinement", 1.05)):
        median, low, high = ratio(every[name], every[f"bare {name}"], rounds)
        click.echo(f"{name} step / bare calls: {median:.3f} ({low:.3f} to {high:.3f}); goal <= {goal}")
        assert median > 0
        if not smoke:
            ours, bare = peak(name), peak(f"bare {name}")
            click.echo(f"{name} peak memory / bare calls: {ours:.0f} / {bare:.0f} MiB = {ours / bare:.2f}; goal <= 1.3")


if __name__ == "__main__":
    main()
