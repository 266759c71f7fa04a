"""Is a sampler calibrated on pictures? SBC, coverage and TARP where the posterior over 2,000 pictures is known.

The truth of a problem is a picture of the prior, of which few pixels are seen: over many problems an exact posterior
ranks it uniformly among its samples, covers it as often as it says, and passes TARP. What is asked of a sample is which
picture it is, the one that it is nearest to.

    python examples/19_calibration_of_pictures.py
    python examples/19_calibration_of_pictures.py --method tds --method dps --calls 250 --problems 400
    python examples/19_calibration_of_pictures.py --smoke
"""

from __future__ import annotations

import json
from pathlib import Path

import click
import torch

from vipaint_pyro.calibration import coverage, sbc, tarp
from vipaint_pyro.datasets import FASHION_MNIST_FOLDER
from vipaint_pyro.evaluation.exact_pictures.atoms import Atoms, load_atoms
from vipaint_pyro.evaluation.exact_pictures.cells import cell_named
from vipaint_pyro.evaluation.exact_pictures.methods import DRAWN, draw_row
from vipaint_pyro.evaluation.exact_pictures.problems import Problem, make_problem
from vipaint_pyro.evaluation.exact_pictures.scores import nearest
from vipaint_pyro.evaluation.exact_pictures.streams import stream
from vipaint_pyro.files import write_picture, write_text
from vipaint_pyro.plots import calibration_figure

METHODS = ("exact", "tds", "dps", "pigdm")
FIRST = 1000  # no problem of the tables


def which(x: torch.Tensor, problem: Problem) -> list[int]:
    """The pictures that these are, (S, 1, C, H, W) or (1, C, H, W)."""
    return nearest(x.reshape(-1, *problem.atoms.images.shape[1:]), problem.atoms.images)[0].tolist()


def numbered(method: str, calls: int, cell: str, number: int, draws: int, atoms: Atoms) -> dict:
    """Which picture the truth is, which ones the draws are, and what is ranked of all of them."""
    problem = make_problem(cell_named(cell), number, atoms)
    own = stream(cell, number, f"calibration {method}")
    drawn = draw_row(method, None if method in DRAWN else calls, problem, draws, own)
    picture = [which(problem.truth, problem)[0], *which(drawn.images, problem)]
    fit = problem.posterior.weights.clamp_min(1e-300).log()[picture]
    return {"picture": picture, "log p(picture|y)": fit.tolist()}


def quantities(found: list[dict], atoms: Atoms) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
    """What is ranked, (P, 1 + L) each, and the pictures as points, (P, 1 + L, D): of the truth first."""
    picture = torch.tensor([f["picture"] for f in found])
    points = atoms.images.flatten(1)
    return {
        "brightness": points.mean(1)[picture],
        "kind": atoms.labels[picture, 0].double(),
        "contrast": points.std(1)[picture],
        "log p(picture|y)": torch.tensor([f["log p(picture|y)"] for f in found]),
    }, points[picture]


@click.command(help=__doc__)
@click.option("--method", "methods", multiple=True, help="As of exact --pictures. Default: " + ", ".join(METHODS))
@click.option("--cell", default="garments-few-0.2", show_default=True)
@click.option("--calls", default=100, show_default=True, help="Forward calls per sample.")
@click.option("--problems", default=200, show_default=True)
@click.option("--draws", default=9, show_default=True, help="Samples of each problem.")
@click.option("--data", type=click.Path(path_type=Path), default=FASHION_MNIST_FOLDER, help="Folder of Fashion-MNIST.")
@click.option("--out", type=click.Path(path_type=Path), default="calibrated-pictures", show_default=True)
@click.option("--smoke", is_flag=True, help="Few problems and calls, of fewer pictures: does it run?")
def main(methods, cell, calls, problems, draws, data, out, smoke) -> None:
    problems, calls, size = (8, 10, 200) if smoke else (problems, calls, 2000)
    methods = methods or (("exact", "tds") if smoke else METHODS)
    atoms, results = load_atoms(cell_named(cell).atoms, size, 0, out, data), {}
    for name in methods:
        kept = out / f"{name}-{cell}-{calls}-{draws}-{size}.json"  # it goes on where it was
        found = json.loads(kept.read_text()) if kept.exists() else []
        for number in range(len(found), problems):
            found.append(numbered(name, calls, cell, FIRST + number, draws, atoms))
            write_text(kept, json.dumps(found))
        ranked, points = quantities(found[:problems], atoms)
        rows = torch.stack(list(ranked.values()), -1)
        ranks = sbc(rows[:, 0], rows[:, 1:], names=tuple(ranked))
        fit = ranked["log p(picture|y)"]
        covered, balls = coverage(fit[:, 0], fit[:, 1:]), tarp(points[:, 0], points[:, 1:])
        results[name] = ranks, covered, balls
        click.echo(f"{name}\n  SBC       {ranks.verdict}\n  coverage  {covered.verdict}\n  TARP      {balls.verdict}")
    write_picture(out / "calibration.png", calibration_figure(results))
    click.echo(f"wrote {out / 'calibration.png'}")


if __name__ == "__main__":
    main()
