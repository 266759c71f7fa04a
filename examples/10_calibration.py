r"""Is a posterior calibrated? SBC, coverage and TARP of guides, where exact draws show what passing looks like.

The problems of the mixture benchmark come with the x they were made from, drawn from the prior: over many of them an
exact posterior ranks the truth uniformly among its samples, covers it as often as it says, and passes TARP.

    python examples/10_calibration.py
    python examples/10_calibration.py --problems 400 --method exact --method hierarchical+psis
    python examples/10_calibration.py --smoke
"""

from __future__ import annotations

from pathlib import Path

import click
import torch

from vipaint_pyro.calibration import coverage, sbc, tarp
from vipaint_pyro.evaluation.exact_methods import Lab, draw_named
from vipaint_pyro.exact import Problems, mixture_problems
from vipaint_pyro.files import write_picture
from vipaint_pyro.plots import calibration_figure

METHODS = ("exact", "hierarchical", "hierarchical+smc", "dps", "one-mode")
DRAWS = 99  # so that the ranks, and the levels of coverage, come out whole


def quantities(problems: Problems, x: torch.Tensor) -> dict[str, torch.Tensor]:
    """What is ranked, each (*, N): where x is, which mode it belongs to, and how well it fits y."""
    misfit = (problems.y - problems.operator(x)) / problems.sigma
    mode = problems.posterior().log_responsibilities(x).argmax(-1)
    return {
        "first entry": x[..., 0, 0, 0],
        "length": x.flatten(-3).norm(dim=-1),
        "mode": mode.to(x.dtype),
        "log p(y|x)": -0.5 * misfit.square().sum((-3, -2, -1)),
    }


@click.command(help=__doc__)
@click.option("--method", "methods", multiple=True, help="As of vipaint exact. Default: " + ", ".join(METHODS))
@click.option("--cell", nargs=2, type=int, default=(8, 1), show_default=True)
@click.option("--problems", default=200, show_default=True)
@click.option("--out", type=click.Path(path_type=Path), default="calibration.png", show_default=True)
@click.option("--smoke", is_flag=True, help="Few problems and short fits: does it run?")
def main(methods, cell, problems, out, smoke) -> None:
    problems = 60 if smoke else problems
    methods = methods or (("exact", "one-mode") if smoke else METHODS)
    # Enough particles that the hundred taken from them are nearly independent.
    lab = Lab(samples=198 if smoke else 990)
    set_ = mixture_problems(*cell, range(20, 20 + problems))
    posterior, truth = set_.posterior(), set_.truth
    results = {}
    for name in methods:
        # Resampling leaves copies side by side: an even stride takes one of each ten.
        x = draw_named(name, set_, lab).x[:: lab.samples // DRAWS][:DRAWS]
        true, drawn = (quantities(set_, v) for v in (truth, x))
        ranks = sbc(
            torch.stack(list(true.values()), -1),
            torch.stack([v.T for v in drawn.values()], -1),
            names=tuple(true),
        )
        covered = coverage(posterior.log_prob(truth), posterior.log_prob(x).T)
        points = tarp(truth.flatten(1), x.flatten(2).transpose(0, 1))
        results[name] = ranks, covered, points
        click.echo(f"{name}\n  SBC       {ranks.verdict}\n  coverage  {covered.verdict}\n  TARP      {points.verdict}")
    write_picture(out, calibration_figure(results))
    click.echo(f"wrote {out}")
    if "exact" in results:
        assert min(r.p_value for r in results["exact"]) > 0.001
    if "one-mode" in results:  # whoever knows one mode only is too sure
        assert results["one-mode"][0].p_value < 0.01


if __name__ == "__main__":
    main()
