r"""Two dimensions: what a guide sees of a posterior, level by level, and what it makes of the clean point.

The prior is a ring of seven Gaussians, seen is x_1 through noise: the posterior lies on both sides of the ring. Blue:
the exact p(z_t | y) and p(x | y). Red: draws of a guide, and q(x) of four, each with its gap, log p(y) less its bound.

    python examples/18_two_dimensions.py
    python examples/18_two_dimensions.py --smoke
"""

from __future__ import annotations

import click
import pyro
import torch
from matplotlib.figure import Figure
from pyro.infer import Trace_ELBO

from vipaint_pyro import NoiseSchedule, fit
from vipaint_pyro.exact import GaussianMixturePrior, exact_posterior
from vipaint_pyro.exact.likelihood import ExactGaussian
from vipaint_pyro.files import write_picture
from vipaint_pyro.guides import make_guide
from vipaint_pyro.inference import draw, draw_path, guide_log_density, log_importance_weights
from vipaint_pyro.measurements.matrix import Matrix
from vipaint_pyro.models import DiffusionModel

ANGLE = torch.arange(7).double() * 2 * torch.pi / 7 + 0.3
ALONG, ACROSS = torch.stack([-ANGLE.sin(), ANGLE.cos()], -1), torch.stack([ANGLE.cos(), ANGLE.sin()], -1)
COVARIANCES = 0.45**2 * ALONG[:, :, None] * ALONG[:, None] + 0.12**2 * ACROSS[:, :, None] * ACROSS[:, None]
PRIOR = GaussianMixturePrior(
    torch.ones(7), 1.5 * ACROSS, NoiseSchedule.variance_preserving(), covariances=COVARIANCES
)
OPERATOR, NOISE = Matrix(torch.tensor([[1.0, 0.0]]).double()), 0.2  # y = x_1 + noise
Y = torch.full((1, 1, 1, 1), 0.5).double()
LEVELS = (396, 278, 174, 100)  # T_e > ... > T_s
GUIDES = {
    "one Gaussian": ("gaussian", LEVELS[-1:], {}),
    "hierarchical, K = 4": ("hierarchical", LEVELS, {}),
    "guided by y, K = 4": ("hierarchical-guided", LEVELS, {}),
    "mixture of four": ("mixture", LEVELS[-1:], {"num_components": 4, "spread": 1.5}),
}
BLUES, RED = ["#e3edf7", "#b9d3ea", "#7fb0d8", "#3f7fb8"], "#c8553d"
SIDE = torch.linspace(-2.5, 2.5, 101).double()
# Points as images (S, N, C, H, W) of two pixels.
GRID = torch.stack(torch.meshgrid(SIDE, SIDE, indexing="xy"), -1).reshape(-1, 1, 1, 1, 2)


def fit_guide(name, timesteps, settings, num_steps):
    """A guide, fitted; its model knows the exact p(y | z_t), so its bound is one on log p(y)."""
    pyro.set_rng_seed(0)
    model = DiffusionModel(PRIOR, OPERATOR, timesteps, ExactGaussian(NOISE), form="marginal")
    guide = make_guide(name, model, Y, **settings)
    loss = Trace_ELBO(num_particles=64, vectorize_particles=True, max_plate_nesting=3)
    fit(model, guide, Y, num_steps=num_steps, loss=loss)
    bound = log_importance_weights(model, draw_path(model, guide, 4000), Y).mean().item()
    return model, guide, exact_posterior(PRIOR, OPERATOR, Y, NOISE).log_evidence.item() - bound


def exact_at(t):
    """log p(z_t, y) on the grid, by Bayes' rule: the posterior of z_t, up to a constant."""
    return PRIOR.marginal(t).log_prob(GRID) + PRIOR.exactly_measured(OPERATOR, NOISE, GRID, t).log_prob(Y)


def heights(log_p):
    """Densities at which contours enclose 95, 80, 50 and 20 % of the probability, lowest first."""
    p = log_p.flatten().exp().sort(descending=True).values
    inside = p.cumsum(0) / p.sum()
    return [p[(inside < share).sum()].item() for share in (0.95, 0.8, 0.5, 0.2)]


def filled(axes, log_p, title, colours=BLUES):
    p = log_p.exp().reshape(len(SIDE), -1)
    axes.contourf(SIDE, SIDE, p, [*heights(log_p), 1.01 * p.max().item()], colors=colours)
    axes.axvline(Y.item(), color=RED, lw=0.9, ls=":")
    axes.set_title(title, fontsize=11)
    axes.set(xlim=(SIDE[0], SIDE[-1]), ylim=(SIDE[0], SIDE[-1]), xticks=[], yticks=[], aspect="equal")
    axes.spines[:].set_color("#c9c9d2")


def picture(fits, num_draws=1000):
    """Above: the levels, with draws of a guide. Below: p(x | y), and q(x) of every guide."""
    figure = Figure(figsize=(12.4, 6.7), layout="constrained", dpi=100)
    above, below = figure.subplots(2, 4)
    greys = ["#ececf0", "#cfcfd8", "#a3a3b2", "#74748a"]
    filled(above[0], PRIOR.marginal(-1).log_prob(GRID), "prior $p(x)$; seen: $y = x_1$ + noise", greys)
    above[0].axvspan(Y.item() - 2 * NOISE, Y.item() + 2 * NOISE, color=RED, alpha=0.2, lw=0)
    model, guide, _ = fits["guided by y, K = 4"]
    drawn = draw(model, guide, 400, torch.Generator().manual_seed(2))
    for axes, t in zip(above[1:], (LEVELS[0], LEVELS[1], LEVELS[-1])):
        filled(axes, exact_at(t), rf"$p(z_{{{t}}} \mid y)$, and draws of $q(z_{{{t}}})$")
        axes.plot(*drawn[t].flatten(1).T, ".", color=RED, ms=3, alpha=0.7)
    exact = exact_posterior(PRIOR, OPERATOR, Y, NOISE).log_prob(GRID)
    for axes, (name, (model, guide, gap)) in zip(below, fits.items()):
        filled(axes, exact, f"{name}: gap {gap:.2f} nats")
        log_q = guide_log_density(model, guide, GRID, num_draws, torch.Generator().manual_seed(1), y=Y)
        axes.contour(SIDE, SIDE, log_q.exp().reshape(len(SIDE), -1), heights(log_q), colors=RED, linewidths=1.4)
    below[0].set_ylabel(r"$p(x \mid y)$, and $q(x)$ of four guides", fontsize=11)
    return figure


@click.command(help=__doc__)
@click.option("--out", default="vipaint-two-dimensions.png", show_default=True)
@click.option("--smoke", is_flag=True, help="Fewer steps and draws; the picture still shows the point.")
def main(out, smoke):
    fits = {name: fit_guide(*how, 40 if smoke else 400) for name, how in GUIDES.items()}
    for name, (_, _, gap) in fits.items():
        click.echo(f"{name:20} gap {gap:.3f} nats")
    write_picture(out, picture(fits, 200 if smoke else 1000))
    click.echo(f"wrote {out}")
    assert all(gap > -0.05 for _, _, gap in fits.values()), "a bound above log p(y)"
    assert fits["one Gaussian"][2] > fits["mixture of four"][2]


if __name__ == "__main__":
    main()
