r"""Real pictures and the truth beside them: VIPaint on a prior that is a data set.

The prior is a Gaussian around each of 300 pictures of Fashion-MNIST. Seen is the lower half of a T-shirt
through noise; what is printed on the upper half is hidden. Which pictures it may have been, and with
which probability, is known exactly. Beside it: the draws of a fitted guide, and the same with the weights of
sequential Monte Carlo. Each draw belongs to one picture of the data set, so that they can be counted.

    python examples/05_dataset_prior.py
    python examples/05_dataset_prior.py --smoke
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import click
import pyro
import torch
from matplotlib.figure import Figure
from pyro.infer import Trace_ELBO
from torch import Tensor

from vipaint_pyro import NoiseSchedule, fit
from vipaint_pyro.datasets.fashion_mnist import FASHION_MNIST_FOLDER, fashion_mnist
from vipaint_pyro.exact import DatasetPrior, ExactPosterior, exact_posterior
from vipaint_pyro.exact.likelihood import ExactGaussian
from vipaint_pyro.guides import HierarchicalGuide
from vipaint_pyro.inference.smc import SMC, run_smc
from vipaint_pyro.measurements.masks import rotated_window
from vipaint_pyro.measurements.matrix import Matrix
from vipaint_pyro.measurements.measurement import Measurement
from vipaint_pyro.models import DiffusionModel
from vipaint_pyro.plots import observed_picture

CHOSEN, SIZE = 57615, 300  # the true picture, and how many the data set has
STD, NOISE = 0.1, 0.5  # of each picture's Gaussian, and of the measurement; pictures are in [-1, 1]
RATIOS = (8.0, 5.8, 4.2, 3.0)  # sigma / alpha of the guide's levels
SEED = 12  # of the measurement: noise that leaves several pictures possible
SEEN = rotated_window((28, 28), angle=180)[0]  # the lower half
GREY, COLOURS = "#8d8d99", ("#c8553d", "#2a6f97")


@dataclass
class Problem:
    """A prior, a measurement of one of its images, and the exact posterior."""

    prior: DatasetPrior
    operator: Matrix
    truth: Tensor
    y: Tensor
    posterior: ExactPosterior


def look_alikes(folder: Path, chosen: int, size: int) -> Tensor:
    """The training pictures that agree best with the chosen one where it is seen, itself first."""
    images, _ = fashion_mnist("train", folder)
    chosen %= len(images)  # of a smaller file, another
    distance = ((images - images[chosen])[:, 0, SEEN] ** 2).sum(1)
    return images[distance.argsort()[:size]].double()


def make_problem(images: Tensor) -> Problem:
    """Measure an image drawn around the first picture of the data set."""
    pyro.set_rng_seed(SEED)
    prior = DatasetPrior(images, STD, NoiseSchedule.variance_preserving())
    # Inpainting as a matrix: the rows of the identity whose pixels are seen.
    operator = Matrix(torch.eye(SEEN.numel(), dtype=torch.float64)[SEEN.flatten()], prior.latent_shape)
    truth = images[:1] + STD * torch.randn_like(images[:1])
    y = operator(truth)
    y = y + NOISE * torch.randn_like(y)
    return Problem(prior, operator, truth, y, exact_posterior(prior, operator, y, NOISE))


def fit_guide(problem: Problem, num_steps: int, num_chains: int):
    """VIPaint's guide with four levels, started as the prior's own chain; its steps get smaller."""
    pyro.set_rng_seed(0)
    schedule = problem.prior.schedule
    times = tuple(schedule.time_of_ratio(r) for r in RATIOS)
    model = DiffusionModel(problem.prior, problem.operator, times, ExactGaussian(NOISE), form="marginal")
    guide = HierarchicalGuide(model, problem.y, gamma=0.98, std_scale=1.0)
    decay = 0.01 ** (1 / num_steps)
    optim = pyro.optim.ClippedAdam(lambda name: {"lr": guide.learning_rate(name), "betas": (0.9, 0.99), "lrd": decay})
    loss = Trace_ELBO(num_particles=num_chains, vectorize_particles=True, max_plate_nesting=3)
    losses = fit(model, guide, problem.y, num_steps=num_steps, optim=optim, loss=loss).losses
    return model, guide, losses


def frequencies(problem: Problem, x: Tensor) -> Tensor:
    """How often the images x (S, 1, 1, 28, 28) belong to each picture of the data set."""
    return problem.posterior.log_responsibilities(x)[:, 0].exp().mean(0)


def total_variation(p: Tensor, q: Tensor) -> float:
    return 0.5 * (p - q).abs().sum().item()


def samples(problem: Problem, model, guide, num_particles: int, num_steps: int):
    """Draws of the guide down to the image, without and with weights, of the same proposals."""
    seen = Measurement(problem.operator, model.likelihood, problem.y)
    pyro.set_rng_seed(1)
    plain = run_smc(model, guide, seen, SMC(num_particles, num_steps, weigh=False))
    pyro.set_rng_seed(1)
    weighted = run_smc(model, guide, seen, SMC(num_particles, num_steps))
    return plain, weighted


def to_grey(x: Tensor) -> Tensor:
    return (x.reshape(28, 28) / 2 + 0.5).clamp(0, 1)


def show(axes, x: Tensor, title: str = "") -> None:
    axes.imshow(to_grey(x), cmap="gray", vmin=0, vmax=1)
    axes.set_title(title, fontsize=10)
    axes.set_axis_off()


def draw_samples(figure, problem: Problem, rows: dict[str, Tensor]) -> None:
    """What is there and what is seen of it, then a row of draws from each distribution."""
    columns = min(8, *(len(x) for x in rows.values()))
    grid = figure.add_gridspec(len(rows), columns + 2, width_ratios=[1.5, 0.12, *[1] * columns])
    show(figure.add_subplot(grid[0, 0]), problem.truth, "truth")
    seen = figure.add_subplot(grid[1, 0])
    seen.imshow(observed_picture(to_grey(problem.operator.adjoint(problem.y))[None], SEEN))
    seen.set_title("seen", fontsize=10)
    seen.set_axis_off()
    show(figure.add_subplot(grid[2, 0]), problem.posterior.mean, "exact posterior mean")
    for r, (name, x) in enumerate(rows.items()):
        for i in range(columns):
            axes = figure.add_subplot(grid[r, i + 2])
            show(axes, x[i * (len(x) // columns)])
            if i == 0:
                axes.text(0, 1.06, name, fontsize=10, transform=axes.transAxes).set_in_layout(False)


def draw_frequencies(axes, problem: Problem, sampled: dict[str, Tensor], shown: int = 10) -> None:
    """Bars for the likeliest pictures, each above its picture, and for all the others together."""
    exact = problem.posterior.weights[0]
    order = exact.argsort(descending=True)[: min(shown, len(exact))]
    bars = {"exact": (exact, GREY)}
    for (name, f), colour in zip(sampled.items(), COLOURS):
        bars[f"{name}: total variation {total_variation(f, exact):.2f}"] = f, colour
    for i, (label, (f, colour)) in enumerate(bars.items()):
        heights = torch.cat([f[order], 1 - f[order].sum().reshape(1)]).clamp_min(0)
        axes.bar(torch.arange(len(heights)) + 0.27 * (i - 1), heights, 0.25, color=colour, label=label)
    axes.set(ylabel="frequency", xticks=[], xlim=(-0.6, len(order) + 0.6))
    axes.legend(frameon=False, fontsize=10, loc="upper right")
    axes.spines[["top", "right"]].set_visible(False)
    for i, k in enumerate(order):
        inset = axes.inset_axes([i - 0.45, -0.36, 0.9, 0.34], transform=axes.get_xaxis_transform())
        show(inset, problem.prior.components.original[k])
    axes.text(len(order), -0.19, "all\nothers", ha="center", va="center", transform=axes.get_xaxis_transform())


def picture(problem: Problem, plain: Tensor, weighted: Tensor) -> Figure:
    """Draws above, frequencies below."""
    pyro.set_rng_seed(2)
    figure = Figure(figsize=(11, 9), layout="constrained", dpi=100)
    top, bottom = figure.subfigures(2, 1, height_ratios=[1.15, 1])
    rows = {
        "draws of the exact posterior": problem.posterior.sample(8),
        "draws of the guide": plain,
        "draws of the guide, weighted and resampled": weighted,
    }
    draw_samples(top, problem, rows)
    sampled = {name: frequencies(problem, x) for name, x in (("guide", plain), ("guide, weighted", weighted))}
    draw_frequencies(bottom.subplots(), problem, sampled)
    return figure


def compare(
    problem: Problem, num_steps: int = 400, num_chains: int = 32, num_particles: int = 1024, smc_steps: int = 30
):
    """Fit, draw, count, and print how far the counts are from the truth."""
    exact = problem.posterior.weights[0]
    modes, log_p = int((exact > 0.05).sum()), problem.posterior.log_evidence.item()
    print(f"{modes} of {len(exact)} pictures have a posterior probability above 5 %")
    model, guide, losses = fit_guide(problem, num_steps, num_chains)
    gap = log_p + sum(losses[-10:]) / len(losses[-10:])
    print(f"log p(y) = {log_p:.2f}; gap of the bound {log_p + losses[0]:.2f} -> {gap:.2f} nats")
    plain, weighted = samples(problem, model, guide, num_particles, smc_steps)
    drawn = {"guide": plain.images, "guide, weighted": weighted.images}
    drawn["exact draws, as many"] = problem.posterior.sample(num_particles)
    distance = {name: total_variation(frequencies(problem, x), exact) for name, x in drawn.items()}
    for name, tv in distance.items():
        print(f"{name:20}: total variation of the frequencies {tv:.3f}")
    log_z, left = weighted.log_evidence.item(), int(weighted.ancestors)
    print(f"log p(y) by the weights {log_z:.2f}; {left} ancestors")
    return plain.images, weighted.images, distance, losses


@click.command(help=__doc__)
@click.option("--data", default=str(FASHION_MNIST_FOLDER), show_default=True, help="Folder of Fashion-MNIST.")
@click.option("--out", default="vipaint-dataset.png", show_default=True)
@click.option("--smoke", is_flag=True, help="Fewer steps, chains and particles; several pictures are still possible.")
def main(data: str, out: str, smoke: bool) -> None:
    problem = make_problem(look_alikes(Path(data), CHOSEN, SIZE))
    plain, weighted, distance, losses = compare(problem, *((40, 8, 256, 6) if smoke else ()))
    picture(problem, plain, weighted).savefig(out)
    click.echo(f"wrote {Path(out).name}")
    assert distance["exact draws, as many"] < 0.3
    if not smoke:
        assert sum(losses[-5:]) < sum(losses[:5])
        assert (problem.posterior.weights > 0.05).sum() >= 5
        assert distance["guide, weighted"] < distance["guide"] < 0.3


if __name__ == "__main__":
    main()
