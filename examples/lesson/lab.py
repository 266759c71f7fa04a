"""What the exercises share: a problem in one dimension, one in two, a fit, and how an answer is checked."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import NoReturn

import pyro
import torch
from pyro.infer import Trace_ELBO
from torch import Tensor

from vipaint_pyro import NoiseSchedule, fit
from vipaint_pyro.exact import GaussianMixturePrior, exact_posterior
from vipaint_pyro.exact.likelihood import ExactGaussian
from vipaint_pyro.measurements.matrix import Matrix
from vipaint_pyro.models import DiffusionModel
from vipaint_pyro.priors.schedules import CLEAN

__all__ = ["CLEAN"]  # and all that is below

SCHEDULE = NoiseSchedule.variance_preserving()

# One dimension: two Gaussians, and y = x + noise between them.
WEIGHTS, MEANS, STDS = torch.tensor([[0.6, 0.4], [-1.5, 1.5], [0.25, 0.35]], dtype=torch.float64)
PRIOR = GaussianMixturePrior(WEIGHTS, MEANS[:, None], SCHEDULE, variances=STDS[:, None] ** 2)
IDENTITY = Matrix(torch.ones(1, 1).double())
NOISE, Y = 1.0, torch.full((1, 1, 1, 1), 0.2).double()  # y has shape (N, C', H', W')
POSTERIOR = exact_posterior(PRIOR, IDENTITY, Y, NOISE)

# Two dimensions: three Gaussians, and y = x_1 + noise, which two of them explain.
PLANE_MEANS = torch.tensor([[0.6, 1.5], [0.6, -1.4], [-1.3, 0.1]]).double()
PLANE = GaussianMixturePrior([0.5, 0.3, 0.2], PLANE_MEANS, SCHEDULE, variances=0.08)
FIRST = Matrix(torch.tensor([[1.0, 0.0]]).double())
PLANE_NOISE, PLANE_Y = 0.2, torch.full((1, 1, 1, 1), 0.6).double()
PLANE_POSTERIOR = exact_posterior(PLANE, FIRST, PLANE_Y, PLANE_NOISE)
SIDE = torch.linspace(-2.4, 2.4, 97).double()
GRID = torch.stack(torch.meshgrid(SIDE, SIDE, indexing="xy"), -1).reshape(-1, 1, 1, 1, 2)


def points(x: Tensor) -> Tensor:
    """Numbers x (S,) as S samples of one image of one pixel: (S, N, C, H, W)."""
    return x.reshape(-1, 1, 1, 1, 1)


def line_model(*timesteps: int) -> DiffusionModel:
    """The model in one dimension; its p(y | z) is exact, so that a bound is one on the true log p(y)."""
    return DiffusionModel(PRIOR, IDENTITY, timesteps, ExactGaussian(NOISE), form="marginal")


def plane_model(*timesteps: int) -> DiffusionModel:
    """The same in two dimensions."""
    return DiffusionModel(PLANE, FIRST, timesteps, ExactGaussian(PLANE_NOISE), form="marginal")


def fitted(guide, y: Tensor, num_steps: int = 200) -> list[float]:
    """Fit a guide to y by SVI; what is left are the losses, minus the bound in nats."""
    loss = Trace_ELBO(num_particles=32, vectorize_particles=True, max_plate_nesting=3)
    generator = torch.Generator().manual_seed(0)
    return fit(guide.model, guide, y, num_steps=num_steps, loss=loss, generator=generator).losses


def check(what: str, value: Tensor | float, expected: Tensor | float, within: float) -> None:
    """Print a number, and end the script where it is not what it should be."""
    value, expected = float(value), float(expected)
    print(f"{what}: {value:.4f}")
    if not abs(value - expected) <= within:
        end(f"not yet: it should be {expected:.4f}, give or take {within:g}")


def end(words: str) -> NoReturn:
    """Say what is missing, and leave with exit code 1."""
    print(words, file=sys.stderr)
    sys.exit(1)


def run(exercise: Callable[[], None]) -> None:
    """Run an exercise from a known random state, and say what is still to be written."""
    pyro.set_rng_seed(0)
    try:
        exercise()
    except NotImplementedError as todo:
        end(f"to do: {todo}")
    print("done")
