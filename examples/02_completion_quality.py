"""Completion quality: VIPaint-4, VIPaint-2 and DPS on the same images under the same masks.

DPS is given as many calls of the network per sample as VIPaint-4 with its share of the fit, once as it is published and
once with steps as long as those that VIPaint refines with, which were chosen for VIPaint. All else is
``vipaint evaluate``, which is told what else is given here: a record per image, so that the same command goes on where
an ended one was, and a report.

    python examples/02_completion_quality.py --out quality
    python examples/02_completion_quality.py --out quality-no-labels --labels none
    python examples/02_completion_quality.py --out quality-faces --prior cartoon-faces --masks rotated,random,small
"""

from __future__ import annotations

import click
import torch

from vipaint_pyro import DiffusionPrior
from vipaint_pyro.cli.evaluate import evaluate
from vipaint_pyro.evaluation.study.claims import calls_of
from vipaint_pyro.evaluation.study.conditions import measured
from vipaint_pyro.evaluation.study.methods import sampler_of


def methods(prior: DiffusionPrior, samples: int, few: str = "") -> list[str]:
    """The rows, as a study writes them: NAME@CALLS:setting=value;setting=value."""
    four = sampler_of(f"vipaint-4{few}", prior, samples)
    seen = measured("rotated", torch.zeros(1, *prior.image_shape), 0, 0)  # of a picture of this size
    dps = f"dps@{round(calls_of(four, prior, seen, samples))}"
    step = f"zeta={four.settle(prior, seen).zeta:g};limit=true{';fraction=0.3' if prior.is_latent else ''}"
    return [f"vipaint-4{few}", f"vipaint-2{few}", dps, f"{dps}:{step}"]


@click.command(help=__doc__, context_settings={"ignore_unknown_options": True})
@click.option("--prior", "name", default="fashion-mnist", show_default=True)
@click.option("--samples", default=5, show_default=True, help="Of an image; they share the calls of a fit.")
@click.option("--smoke", is_flag=True, help="Two images, a few steps: does it run?")
@click.argument("more", nargs=-1, type=click.UNPROCESSED)
def main(name, samples, smoke, more) -> None:
    few, small = "", []
    if smoke:
        few, samples, small = ":fit-steps=2;num-chains=1;refinement-steps=4", 2, ["--images", "2", "--features", "none"]
    rows = ",".join(methods(DiffusionPrior.from_pretrained(name), samples, few))
    chosen = ["--prior", name, "--methods", rows, "--masks", "rotated", "--samples", str(samples)]
    evaluate.main([*chosen, *small, *more], "vipaint evaluate", standalone_mode=False)


if __name__ == "__main__":
    main()
