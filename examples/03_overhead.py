"""Overhead: a fit step and a refinement step against exactly the network calls they need.

The bare calls are chained and kept for one backward pass as in the fit, where each level's input is
the level above; they are timed in turn with the real steps, in one process. Peak memory is taken in
a fresh process each, above what the imports and the loaded prior take.

    python examples/03_overhead.py
"""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
import time

import click
import pyro
import torch
from pyro.infer import Trace_ELBO
from vipaint_pyro.guides import HierarchicalGuide
from vipaint_pyro.models import DiffusionModel

from vipaint_pyro import DiffusionPrior, fit, refine
from vipaint_pyro.inference import default_optimizer
from vipaint_pyro.masks import rotated_window
from vipaint_pyro.operators import Inpainting

TIMES, CHAINS, LEVELS, SAMPLES = (800, 700, 600, 500), 4, 4, 8


def setup():
    prior = DiffusionPrior.from_pretrained("fashion-mnist").conditioned([9])
    observed = rotated_window((28, 28), angle=60)[None]
    y = torch.zeros(1, 1, 28, 28) * observed
    return prior, observed, y


def fit_steps(prior, observed, y, steps):
    """Seconds of each step of a real fit."""
    model = DiffusionModel(prior, Inpainting(observed), TIMES, num_levels=LEVELS)
    guide = HierarchicalGuide(model, y)
    loss = Trace_ELBO(CHAINS, vectorize_particles=True, max_plate_nesting=3)
    optim, generator = default_optimizer(guide), torch.Generator().manual_seed(0)

    def step():
        fit(model, guide, y, num_steps=1, optim=optim, loss=loss, generator=generator)

    return step


def bare_fit_calls(prior):
    """The forward and backward calls of one fit step, and nothing else."""
    above = torch.randint(TIMES[0], prior.schedule.last, (LEVELS, 1))
    leaf = torch.randn(CHAINS, LEVELS, 1, 1, 28, 28, requires_grad=True)
    top = torch.randn(CHAINS, 1, 1, 28, 28, requires_grad=True)

    def step():
        total = prior.denoise(leaf, above).sum()
        z = top
        for t in TIMES:
            z = prior.denoise(z, t)
        torch.autograd.grad(total + z.sum(), [leaf, top])

    return step


def refinement(prior, observed, y, steps):
    z = torch.randn(SAMPLES, 1, 1, 28, 28)

    def run():
        refine(prior, Inpainting(observed), y, z, TIMES[-1], num_steps=steps)

    return run


def bare_refinement(prior, steps):
    z = torch.randn(SAMPLES, 1, 1, 28, 28)

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


def peak(name: str) -> float:
    """MiB that a fresh process needs for one run, above what it needs to be ready."""
    return float(subprocess.check_output([sys.executable, __file__, "--peak", name], text=True))


def runs(prior, observed, y, steps):
    return {
        "fit": fit_steps(prior, observed, y, 1),
        "bare fit": bare_fit_calls(prior),
        "refinement": refinement(prior, observed, y, steps),
        "bare refinement": bare_refinement(prior, steps),
    }


@click.command(help=__doc__)
@click.option("--rounds", default=15, show_default=True)
@click.option("--smoke", is_flag=True)
@click.option("--peak", "peak_of", hidden=True)
def main(rounds: int, smoke: bool, peak_of: str | None) -> None:
    rounds, steps = (1, 2) if smoke else (rounds, 10)
    pyro.set_rng_seed(0)
    every = runs(*setup(), steps)
    if peak_of:
        def used():
            return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

        before = used()
        for _ in range(3):
            every[peak_of]()
        click.echo(f"{used() - before:.1f}")
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
