"""With and without LPIPS: VIPaint-4 on the same images, masks and seeds (the paper's figure 9).

LPIPS has a weight in the fit (the paper's is d, the number of latent dimensions) and one in the refinement: neither,
both, and either alone. Where pixels are known it is lowered itself, so that the composite is the fairer judge. The runs
are a study; differences to VIPaint-4 without the term are taken from its records, as the report compares with others.

    python examples/11_perceptual_ablation.py --out perceptual --images 12
"""

from __future__ import annotations

from itertools import product
from pathlib import Path

import click

from vipaint_pyro import DiffusionPrior
from vipaint_pyro.cli.evaluate import evaluate
from vipaint_pyro.evaluation.means import paired
from vipaint_pyro.evaluation.study.cells import mean_text
from vipaint_pyro.evaluation.study.found import read_study
from vipaint_pyro.evaluation.study.summary import per_image
from vipaint_pyro.measurements.perceptual import published_weight

DIGITS = {"lpips_raw": 4, "lpips_composite": 4, "psnr": 2, "observed_error": 4}


def differences(folder: Path) -> str:
    """Each method minus the first, image by image, ± paired standard error."""
    found = read_study(folder)
    first, *others = found.methods
    lines = [f"| condition | minus {first} | {' | '.join(DIGITS)} |", "|--" * (len(DIGITS) + 2) + "|"]
    for condition, method in product(found.conditions, others):
        cells = []
        for metric, digits in DIGITS.items():
            own, base = (per_image(found, condition, m, metric) for m in (method, first))
            both = sorted(own.keys() & base.keys())
            cells.append(mean_text(paired([own[i] for i in both], [base[i] for i in both]), digits, signed=True))
        lines.append(f"| {condition} | {method} | {' | '.join(cells)} |")
    return "\n".join(lines)


@click.command(help=__doc__, context_settings={"ignore_unknown_options": True})
@click.option("--out", type=click.Path(path_type=Path), required=True)
@click.option("--prior", "name", default="fashion-mnist", show_default=True)
@click.option("--smoke", is_flag=True, help="Two images, a few steps: does it run?")
@click.argument("more", nargs=-1, type=click.UNPROCESSED)
def main(out, name, smoke, more) -> None:
    fit = f"perceptual={published_weight(DiffusionPrior.from_pretrained(name)):.0f}"
    few = ["fit-steps=2", "num-chains=1", "refinement-steps=4"] if smoke else []
    refined = "perceptual-refinement=2"
    rows = [";".join([*few, *terms]) for terms in ([], [fit, refined], [fit], [refined])]
    chosen = ["--prior", name, "--methods", ",".join(f"vipaint-4:{row}".strip(":") for row in rows)]
    small = ["--images", "2", "--samples", "2", "--features", "none"] if smoke else []
    evaluate.main([*chosen, "--masks", "rotated", "--out", str(out), *small, *more], standalone_mode=False)
    click.echo(f"\n{differences(out)}")


if __name__ == "__main__":
    main()
