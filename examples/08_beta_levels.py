r"""What beta, the number of levels K and the top level T_e do, where the right answer is known.

1. beta. E_q[log p(y|x)] - beta KL(q || p) has its maximum at p(x) p(y|x)^(1/beta), the exact posterior under noise of
   variance beta sigma^2. A guide that can be that distribution (a mixture) follows it, modes' weights and all; one
   that cannot (a Gaussian) widens with beta too, and stays in its mode.
2. K and T_e. Between T_e and T the bound costs nothing, but a Gaussian at T_e sees one mode unless the modes have
   merged there. Rows have equal denoiser calls in the fit: a sweep for each, all in one folder, so that a run that was
   ended goes on. (A plain grid is a command: vipaint ablate --on 8,1 --levels 1,2,4 --T_e 5,20,100.)

    python examples/08_beta_levels.py
    python examples/08_beta_levels.py --smoke
"""

from __future__ import annotations

import itertools

import click
import pyro
import torch
from pyro.infer import Trace_ELBO

from vipaint_pyro.calibration import mode_total_variation, sliced_wasserstein
from vipaint_pyro.evaluation import sweep
from vipaint_pyro.exact import GaussianMixturePrior, Problems
from vipaint_pyro.exact.likelihood import ExactGaussian
from vipaint_pyro.guides import make_guide
from vipaint_pyro.inference.fit import fit
from vipaint_pyro.inference.weights import draw_path
from vipaint_pyro.measurements.matrix import Matrix
from vipaint_pyro.models import DiffusionModel
from vipaint_pyro.priors.schedules import NoiseSchedule
from vipaint_pyro.randomness import isolated


def two_dimensions() -> Problems:
    """Three Gaussians in the plane, of which one coordinate is measured."""
    means = torch.tensor([[-1.2, 0.8], [1.2, 0.9], [0.0, -1.0]], dtype=torch.float64)
    prior = GaussianMixturePrior(
        torch.tensor([0.3, 0.3, 0.4]), means, NoiseSchedule.variance_preserving(), variances=0.1
    )
    row = torch.tensor([[[0.25, 1.0]]], dtype=torch.float64)
    sigma = torch.full((1, 1, 1, 1), 0.25, dtype=torch.float64)
    y = torch.full((1, 1, 1, 1), 0.9, dtype=torch.float64)
    return Problems(prior, Matrix(row), y, sigma, means[:1].reshape(1, 1, 1, 2))


def fitted(problems: Problems, guide_name: str, beta: float, steps: int, samples: int) -> torch.Tensor:
    """x from a guide at the cleanest level, where z_0 is x but for sigma_0 = 0.01."""
    model = DiffusionModel(
        problems.prior, problems.operator, (0,), ExactGaussian(problems.sigma), beta=beta, form="marginal"
    )
    loss = Trace_ELBO(num_particles=32, vectorize_particles=True, max_plate_nesting=3)
    generator = torch.Generator().manual_seed(0)
    with isolated(0):
        settings = {"num_components": 6, "spread": 1.5} if guide_name == "mixture" else {}
        guide = make_guide(guide_name, model, problems.y, **settings)
        guide.tau_0 = torch.full_like(guide.tau_0, 0.3)  # from sigma_0 it would take thousands of steps
        for rate, share in ((0.05, 0.6), (0.005, 0.4)):  # the second stage averages the noise out
            optim = pyro.optim.Adam({"lr": rate})
            fit(model, guide, problems.y, num_steps=int(share * steps), optim=optim, loss=loss, generator=generator)
        return draw_path(model, guide, samples).z[0].detach()


def temperature(betas: tuple, steps: int, samples: int) -> dict[tuple[str, float], tuple[float, float, float]]:
    problems = two_dimensions()
    click.echo("beta  guide      misfit (tempered)   sliced W1 to: exact / tempered   mode TV to: exact / tempered")
    found = {}
    for beta in betas:
        exact, tempered = problems.posterior(), problems.posterior(beta)
        draws = {p: p.sample(samples, torch.Generator().manual_seed(k)) for k, p in enumerate((exact, tempered))}

        def misfit(x):
            return float(((problems.y - problems.operator(x)) / problems.sigma).square().mean())

        for name in ("mixture", "gaussian"):
            x = fitted(problems, name, beta, steps, samples)
            r = exact.log_responsibilities(x).exp().transpose(0, 1)
            w = [sliced_wasserstein(x[:, 0].flatten(1), d[:, 0].flatten(1), 200).distance for d in draws.values()]
            tv = [float(mode_total_variation(r, p.weights).total_variation) for p in draws]
            found[name, beta] = (w[0], w[1], tv[1])
            click.echo(
                f"{beta:4.0f}  {name:9s}  {misfit(x):5.2f} ({misfit(draws[tempered]):5.2f})          "
                f"{w[0]:.3f} / {w[1]:.3f}                    {tv[0]:.3f} / {tv[1]:.3f}"
            )
    return found


def levels(
    cells: tuple, tops: tuple, ks: tuple, problems: int, samples: int, fit_steps: int, out: str
) -> dict[tuple[int, float], float]:
    """log p(y) - bound and mode TV for K levels from T_e on towards a ratio of 2, at equal calls of the fit.

    K levels are the first K of K + 1 that lie geometrically between T_e and that ratio.
    """
    click.echo("\n d, d_y   K  sigma/alpha at T_e   log p(y) - bound   mode TV: guide / with SMC")
    found = {}
    about = {"problems": problems, "samples": samples, "tune": True, "out": out}
    for top, k in itertools.product(tops, ks):
        bottom = top * (2 / top) ** ((k - 1) / k)
        guides = ["hierarchical", "hierarchical+smc"]
        grid = sweep(cells, guide=guides, levels=k, T_e=top, T_s=bottom, fit_steps=fit_steps * 4 // k, **about)
        for plain, smc in zip(*([r for r in grid.table() if r["guide"] == name] for name in guides)):
            found[k, top] = plain["bound_gap"]
            tv = f"{plain['mode_tv']:.2f} / {smc['mode_tv']:.2f}"
            click.echo(f" {plain['on']}     {k}  {top:6.0f}               {plain['bound_gap']:8.2f}           {tv}")
        assert max(r["bound_z"] for r in grid.records) < 3  # a bound is a bound
    return found


@click.command(help=__doc__)
@click.option("--out", default="beta-levels", show_default=True, help="Where the records of part 2 are kept.")
@click.option("--smoke", is_flag=True, help="Short fits, few samples: does it run?")
def main(out: str, smoke: bool) -> None:
    found = temperature(*(((10.0,), 150, 1000) if smoke else ((1.0, 2.0, 5.0, 10.0), 1000, 4000)))
    # The flexible guide is nearer to the tempered posterior than to the exact one.
    exact, tempered, _ = found["mixture", 10.0]
    assert tempered < exact, (exact, tempered)
    every = (5.0, 20.0, 100.0), (1, 2, 4), 20, 1000, 200
    gaps = levels(("8,1",), *(((5.0, 100.0), (4,), 3, 100, 40) if smoke else every), out)
    # The modes have merged at a ratio of 100, and not at 5.
    assert gaps[4, 100.0] < gaps[4, 5.0]


if __name__ == "__main__":
    main()
