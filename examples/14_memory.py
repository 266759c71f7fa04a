"""Peak memory: of a fit as its number of levels K grows, and of the refinement; with and without checkpointing.

Every number is that of a fresh process (Linux) with a batch of 8 images, above what the loaded prior takes at
rest. Gradient checkpointing calls the network a second time in the backward pass, so that nothing of a call
but its input is kept until then.

    python examples/14_memory.py
    python examples/14_memory.py --prior fashion-mnist
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click
import torch

from vipaint_pyro import DiffusionPrior, fit, refine
from vipaint_pyro.guides import HierarchicalGuide
from vipaint_pyro.measurements.inpainting import Inpainting
from vipaint_pyro.measurements.masks import rotated_window
from vipaint_pyro.measurements.measurement import Measurement
from vipaint_pyro.samplers import DPSSampler, VIPaintSampler

LEVELS, IMAGES, SAMPLES = (2, 4, 8), 8, 4


def run(prior_name: str, what: str, checkpointing: bool, smoke: bool) -> float:
    """MiB of one step of a fit with K = ``what`` levels, or of two steps of the refinement."""
    images = 1 if smoke else IMAGES
    prior = DiffusionPrior.from_pretrained(prior_name)
    size = prior.image_shape[1:]
    operator = Inpainting(rotated_window(size, angle=60).expand(images, 1, *size))
    seen = Measurement.of(operator, torch.zeros(images, *prior.image_shape))
    if what == "refinement":
        z = torch.randn(SAMPLES, images, *prior.latent_shape)
        prior = prior.checkpointed(checkpointing)

        def step():
            refine(prior, seen, z, 500, sampler=DPSSampler(2))
    else:
        times = tuple(torch.linspace(800, 500, int(what)).long().tolist())
        settled = VIPaintSampler(timesteps=times, gradient_checkpointing=checkpointing).settle(prior, seen)
        prior, seen = settled.prepared(prior, seen)
        model = settled.model(prior, seen)
        guide = HierarchicalGuide(model, seen)

        def step():
            fit(model, guide, seen.y, num_steps=2)

    at_rest = status("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # forget the peak of loading
    step()
    return status("VmHWM") - at_rest


def status(field: str) -> float:
    """A line of /proc/self/status, in MiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(field)).split()[1]) / 1024


@click.command(help=__doc__)
@click.option("--prior", default="cartoon-faces", show_default=True)
@click.option("--smoke", is_flag=True, help="One image: does it run?")
@click.option("--one", hidden=True, help="Of which run, and whether it is checkpointed: 4,1.")
def main(prior: str, smoke: bool, one: str | None) -> None:
    if one:
        what, checkpointing = one.split(",")
        click.echo(f"{run(prior, what, checkpointing == '1', smoke):.1f}")
        return
    peaks = {}
    click.echo("|  | plain | checkpointed |\n|--|--|--|")
    for what in (*map(str, LEVELS[:1] if smoke else LEVELS), "refinement"):
        for flag in "01":
            command = [sys.executable, __file__, "--prior", prior, "--one", f"{what},{flag}", *["--smoke"] * smoke]
            peaks[what, flag] = float(subprocess.check_output(command, text=True))
        name = what if what == "refinement" else f"fit, K = {what}"
        click.echo(f"| {name} | {peaks[what, '0']:.0f} MiB | {peaks[what, '1']:.0f} MiB |")
    if smoke:
        return
    growth = {flag: peaks["8", flag] / peaks["2", flag] for flag in "01"}
    click.echo(f"K = 8 over K = 2: plain {growth['0']:.2f}, checkpointed {growth['1']:.2f}; goal <= 1.3")
    assert growth["1"] <= 1.3


if __name__ == "__main__":
    main()
