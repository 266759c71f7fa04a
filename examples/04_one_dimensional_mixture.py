r"""One dimension: a diffusion prior, its reverse kernels and three guides, every curve of them exact.

The prior is a mixture of two Gaussians, y = x + noise lies between the two, and the posterior has two
modes. log p(y) is known, so that log p(y) minus the bound of a guide is the KL divergence that is left:
a number that no network's prior would let you see.

    python examples/04_one_dimensional_mixture.py
    python examples/04_one_dimensional_mixture.py --smoke
"""

from __future__ import annotations

from pathlib import Path

import click
import pyro
import torch
from matplotlib.figure import Figure
from pyro.infer import Trace_ELBO
from torch import Tensor

from vipaint_pyro import NoiseSchedule, fit
from vipaint_pyro.exact import ExactPosterior, GaussianMixturePrior, exact_posterior
from vipaint_pyro.exact.likelihood import ExactGaussian
from vipaint_pyro.guides import make_guide
from vipaint_pyro.inference.weights import draw_path, log_importance_weights
from vipaint_pyro.measurements.matrix import Matrix
from vipaint_pyro.models import DiffusionModel
from vipaint_pyro.priors.schedules import CLEAN

SCHEDULE = NoiseSchedule.variance_preserving()
WEIGHTS = torch.tensor([0.6, 0.4])
MEANS = torch.tensor([[-1.5], [1.5]], dtype=torch.float64)
VARIANCES = torch.tensor([[0.25], [0.35]], dtype=torch.float64) ** 2
Y, NOISE = 0.2, 1.0  # y = x + noise, between the modes

# Every guide ends at T_s = 100, where z still shows in which mode x is.
GUIDES = {
    "one Gaussian": ("gaussian", (100,), {}),
    "hierarchical, K = 4": ("hierarchical", (396, 278, 174, 100), {}),
    "mixture of two": ("mixture", (100,), {"num_components": 2, "spread": 1.5}),
}
GREY, INK, COLOURS = "#d5d5db", "#2b2b33", ("#c8553d", "#2a6f97", "#588157")


def make_prior(kernel: str = "exact") -> GaussianMixturePrior:
    return GaussianMixturePrior(WEIGHTS, MEANS, SCHEDULE, variances=VARIANCES, kernel=kernel)


def problem() -> tuple[GaussianMixturePrior, Matrix, Tensor]:
    """The prior, the operator A = 1 and the measurement y."""
    return make_prior(), Matrix(torch.ones(1, 1, dtype=torch.float64)), torch.full((1, 1, 1, 1), Y).double()


def fit_guide(name: str, times, settings, num_steps: int, num_chains: int):
    """A guide, fitted; its model uses the exact p(y | z_t), so its bound is one on log p(y)."""
    pyro.set_rng_seed(0)
    prior, operator, y = problem()
    model = DiffusionModel(prior, operator, times, ExactGaussian(NOISE), form="marginal")
    guide = make_guide(name, model, y, **settings)
    loss = Trace_ELBO(num_particles=num_chains, vectorize_particles=True, max_plate_nesting=3)
    fit(model, guide, y, num_steps=num_steps, loss=loss)
    return model, guide


def bound(model, guide, y: Tensor, num_draws: int) -> tuple[float, float]:
    """The bound E_q[log p(y, z) - log q(z)] and its standard error."""
    log_w = log_importance_weights(model, draw_path(model, guide, num_draws), y)[:, 0]
    return log_w.mean().item(), log_w.std().item() / num_draws**0.5


def density(distribution, grid: Tensor) -> Tensor:
    """p at every point of the grid, averaged over the distribution's batch."""
    with torch.no_grad():
        p = distribution.log_prob(grid[:, None, None, None, None, None]).exp()
    return p.flatten(1).mean(1)


def guide_posterior(model, guide, y: Tensor, grid: Tensor, num_draws: int) -> Tensor:
    """The guide's q(x): the mean of p(x | z, y) over its draws of z = z_{T_s}."""
    t = model.timesteps[-1]
    z = draw_path(model, guide, num_draws).z[t]
    return density(ExactPosterior(model.prior.exactly_measured(model.operator, NOISE, z, t), y), grid)


def draw_marginals(axes, grid: Tensor) -> None:
    """p(x) and what noise makes of it, one line above the other."""
    for i, t in enumerate((CLEAN, 100, 278, 500, SCHEDULE.last)):
        p = density(make_prior().marginal(t), grid)
        axes.fill_between(grid, -i, 0.85 * p / p.max() - i, color=COLOURS[1], alpha=0.9 - 0.17 * i, lw=0, zorder=i)
        axes.text(3.4, 0.12 - i, "x" if t == CLEAN else rf"$z_{{{t}}}$", ha="right", color=INK)
    axes.set(title="The prior and its noised marginals", yticks=[], xlabel=r"$z_t$", xlim=(-3.5, 3.5))


def draw_kernel(axes, t: int, s: int, z_t: float, grid: Tensor, title: str) -> None:
    """p(z_s | z_t), exact, and the Gaussian that DDIM takes for it."""
    z = torch.full((1, 1, 1, 1), z_t, dtype=torch.float64)
    exact = density(make_prior().transition(z, t, s), grid)
    gaussian = density(make_prior("gaussian").transition(z, t, s), grid)
    axes.fill_between(grid, exact, color=GREY, lw=0, label="exact")
    axes.plot(grid, gaussian, color=COLOURS[0], lw=1.8, label="DDIM")
    axes.set(title=f"{title}, {t} to {s}", yticks=[], xlabel=rf"$z_{{{s}}}$ given $z_{{{t}}} = {z_t:g}$")
    axes.set(ylim=(0, 1.35 * max(exact.max(), gaussian.max())), xlim=(grid[0], grid[-1]))
    axes.legend(frameon=False, loc="upper right", fontsize=9)


def draw_posterior(
    axes, grid: Tensor, exact: Tensor, q: Tensor, colour: str, name: str, gap: float, error: float
) -> None:
    """p(x | y), and what a guide makes of it."""
    axes.fill_between(grid, exact, color=GREY, lw=0, label="exact posterior")
    axes.plot(grid, q, color=colour, lw=1.8, label=f"guide, gap {gap:.3f} ± {error:.3f} nats")
    axes.axvline(Y, color=INK, lw=0.8, ls=":")
    axes.text(Y + 0.08, 1.0, "y", color=INK)
    axes.set(title=f"Posterior: {name}", yticks=[], xlabel="x", ylim=(0, 1.65), xlim=(-2.8, 2.8))
    axes.legend(frameon=False, loc="upper left", fontsize=9)


def picture(fits: dict, num_draws: int = 2000) -> Figure:
    """All panels; ``fits`` maps a guide's name to (model, guide, gap, its standard error)."""
    figure = Figure(figsize=(12, 6.4), layout="constrained", dpi=110)
    figure.get_layout_engine().set(w_pad=0.12, h_pad=0.1)
    top, bottom = figure.subplots(2, 3)
    draw_marginals(top[0], torch.linspace(-4, 4, 601).double())
    draw_kernel(top[1], 500, 100, 0.1, torch.linspace(-2.8, 2.8, 601).double(), "A large jump")
    draw_kernel(top[2], 110, 100, 0.1, torch.linspace(-0.3, 0.5, 601).double(), "A small jump")
    prior, operator, y = problem()
    grid = torch.linspace(-2.8, 2.8, 401).double()
    exact = density(exact_posterior(prior, operator, y, NOISE), grid)
    for axes, colour, (name, (model, guide, gap, error)) in zip(bottom, COLOURS, fits.items()):
        pyro.set_rng_seed(2)
        q = guide_posterior(model, guide, y, grid, num_draws)
        draw_posterior(axes, grid, exact, q, colour, name, gap, error)
    for axes in (*top, *bottom):
        axes.spines[["top", "left", "right"]].set_visible(False)
    return figure


def compare(num_steps: int = 400, num_chains: int = 64, num_draws: int = 20_000) -> dict:
    """Fit each guide, print its gap, and check what theory promises."""
    prior, operator, y = problem()
    posterior = exact_posterior(prior, operator, y, NOISE)
    log_p = posterior.log_evidence.item()
    weights = ", ".join(f"{w:.3f}" for w in posterior.weights[0].tolist())
    print(f"log p(y) = {log_p:.4f}; posterior weights of the modes {weights}")
    fits = {}
    for name, (kind, times, settings) in GUIDES.items():
        model, guide = fit_guide(kind, times, settings, num_steps, num_chains)
        pyro.set_rng_seed(1)
        value, error = bound(model, guide, y, num_draws)
        print(f"{name:20} bound {value:.4f} ± {error:.4f}, gap {log_p - value:.4f}")
        assert value <= log_p + 2 * error, f"the bound of {name} lies above log p(y)"
        fits[name] = model, guide, log_p - value, error
    gaps = [gap for _, _, gap, _ in fits.values()]
    assert gaps == sorted(gaps, reverse=True), "a guide that can bend more has come out worse"
    return fits


@click.command(help=__doc__)
@click.option("--out", default="vipaint-one-dimension.png", show_default=True)
@click.option("--smoke", is_flag=True, help="Fewer steps and draws; the gaps and the picture still show the point.")
def main(out: str, smoke: bool) -> None:
    fits = compare(60, 16, 4000) if smoke else compare()
    picture(fits, 200 if smoke else 2000).savefig(out)
    click.echo(f"wrote {Path(out).name}")


if __name__ == "__main__":
    main()
