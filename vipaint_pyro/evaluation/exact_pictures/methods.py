"""Rows of the table: samplers at a number of calls, and rows that know the posterior."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast

import torch
from torch import Tensor

from vipaint_pyro.evaluation.described import described
from vipaint_pyro.evaluation.exact_pictures.atoms import SHAPES, STD
from vipaint_pyro.evaluation.exact_pictures.cells import Cell
from vipaint_pyro.evaluation.exact_pictures.problems import Problem
from vipaint_pyro.evaluation.study.candidates import pixel_methods
from vipaint_pyro.evaluation.study.methods import settings_of
from vipaint_pyro.evaluation.study.recorded import calls_made
from vipaint_pyro.evaluation.study.specs import Spec
from vipaint_pyro.exact.dataset_prior import DatasetPrior
from vipaint_pyro.inference.smc import SMC
from vipaint_pyro.measurements.inpainting import Inpainting
from vipaint_pyro.measurements.likelihoods import Gaussian
from vipaint_pyro.measurements.measurement import Measurement
from vipaint_pyro.priors.diffusion import DiffusionPrior
from vipaint_pyro.priors.schedules import NoiseSchedule
from vipaint_pyro.samplers.base import Sampler
from vipaint_pyro.samplers.dps import DPSSampler
from vipaint_pyro.samplers.registry import make_sampler
from vipaint_pyro.samplers.vipaint.levels import DEFAULT_LEVELS
from vipaint_pyro.wording import did_you_mean

__all__ = ["DRAWN", "SCORE", "Drawn", "black_box", "default_methods", "described_row", "draw_row", "row_sampler"]

#: Rows that draw without a walk: from the posterior, and from the prior.
DRAWN = ("exact", "prior")
#: The ancestral walk down E[x | z_t, y], the posterior's own denoiser: what a number of steps costs, and nothing else.
SCORE = "exact-score"
# Settings of which no calls are known ahead, or that change none.
_UNKNOWN = ("correct", "num_particles", "guide_name", "guide_settings")


@dataclass(frozen=True)
class Drawn:
    """Samples of one problem, and what they cost.

    Attributes:
        images: (S, 1, C, H, W).
        calls, backward: forward and backward calls of the denoiser per sample, the fit's share included.
        seconds: of all samples.
    """

    images: Tensor
    calls: float = 0.0
    backward: float = 0.0
    seconds: float = 0.0


def default_methods() -> tuple[str, ...]:
    """The rows of a table that is asked for none: those that know the posterior, and every sampler for pixel priors."""
    return (*DRAWN, SCORE, *pixel_methods(), "vipaint-4:correct=smc")


def black_box(prior: DiffusionPrior) -> DiffusionPrior:
    """A prior of which no more is known than of a network's, its denoiser, but that this is exact."""
    new = DiffusionPrior(prior.schedule, prior.denoiser, prior.latent_shape)
    new.is_exact = prior.is_exact
    return new


def row_sampler(name: str, calls: int, shape: Sequence[int], num_samples: int) -> Sampler:
    """The sampler of a row, not settled.

    Args:
        name: :data:`SCORE`, or a method as a study writes it, NAME or NAME:setting=value, without a number of calls.
        calls: forward calls per sample, hit within a tenth, or three.
        shape: (C, H, W) of the pictures.
        num_samples: which share a fit.

    Raises:
        ValueError: for an unknown name, a setting there is none of, or calls that cannot be hit.
    """
    if name == SCORE:
        return DPSSampler(calls, zeta=0.0)
    _check_name(name)
    spec = Spec.of(name)
    if spec.calls is not None:
        raise ValueError(f"{name}: here --calls says how many calls every method makes: give {spec.name}")
    weighed = spec.settings.get("correct") == "smc"
    # Beside the fit, the levels and the steps that a plain VIPaint has, particles are weighed at T_e, and each kernel
    # of the default guide predicts once more, with a graph.
    levels = len(cast(Any, spec.settings.get("timesteps", ()))) or spec.levels or DEFAULT_LEVELS
    spent = SMC(2).marginal_steps + levels - 1 if weighed else 0
    if calls <= spent:
        raise ValueError(
            f"{name} cannot be made to cost {calls} calls per sample: {spent} weigh and guide its particles"
        )
    given = tuple((k, v) for k, v in spec.settings.items() if k not in _UNKNOWN)
    settings = dict(_costing(spec.name, calls - spent, given, tuple(shape), num_samples))
    if weighed:
        settings["num_particles"] = num_samples
    return make_sampler(spec.method.name, **settings | dict(spec.settings))


@lru_cache(maxsize=1024)
def _costing(name: str, calls: int, given: tuple, shape: tuple[int, ...], num_samples: int) -> Mapping[str, object]:
    """Settings at a number of calls: kept, since every cell and problem asks for the same ones."""
    prior = _prior_of(shape)
    return settings_of(f"{name}@{calls}", prior, num_samples, dict(given))


def _prior_of(shape: Sequence[int]) -> DiffusionPrior:
    """A prior of one picture, which costs nothing: settings depend on its schedule and shape."""
    picture = torch.zeros(1, *shape, dtype=torch.float64, device="cpu")
    return black_box(DatasetPrior(picture, STD, NoiseSchedule.variance_preserving(), kernel="gaussian"))


def _check_name(name: str) -> None:
    known = [row for row in default_methods() if ":" not in row]
    try:
        Spec.of(name)
    except ValueError as error:
        alone = name.partition(":")[0].partition("@")[0]
        if alone in known or not str(error).startswith("no method is called"):
            raise
        raise ValueError(f"unknown method {name!r}. {did_you_mean(name, known)}There are {', '.join(known)}") from error


def described_row(name: str, calls: int | None, cell: Cell, num_samples: int) -> dict | None:
    """The settings of a row's sampler, settled for such a cell; None for a row that has none.

    Raises:
        ValueError: as :func:`row_sampler` and the sampler itself do.
    """
    if name in DRAWN:
        return None
    shape = SHAPES[cell.atoms]
    observed = torch.ones(1, 1, *shape[1:], dtype=torch.bool, device="cpu")
    y = torch.zeros(1, *shape, dtype=torch.float64, device="cpu")
    measurement = Measurement(Inpainting(observed), Gaussian(cell.sigma), y)
    settled = row_sampler(name, cast(int, calls), shape, num_samples).settle(_prior_of(shape), measurement)
    settled.check_samples(num_samples)
    return described(settled)


def draw_row(name: str, calls: int | None, problem: Problem, num_samples: int, generator: torch.Generator) -> Drawn:
    """Samples of a problem by a row; its arguments and errors are those of :func:`row_sampler`."""
    if name == "exact":
        return Drawn(problem.posterior.sample(num_samples, generator))
    if name == "prior":
        return Drawn(_prior_draws(problem, num_samples, generator))
    of = problem.posterior.as_prior() if name == SCORE else problem.atoms.prior
    prior = black_box(of)
    sampler, start = row_sampler(name, cast(int, calls), prior.image_shape, num_samples), time.perf_counter()
    samples = sampler(prior, problem.measurement, num_samples, generator)
    made = calls_made(samples, num_samples)
    return Drawn(samples.images, made["forward"], made["backward"], time.perf_counter() - start)


def _prior_draws(problem: Problem, num_samples: int, generator: torch.Generator) -> Tensor:
    k = torch.randint(len(problem.atoms.images), (num_samples,), generator=generator, device="cpu")
    x = problem.atoms.images[k][:, None]
    return x + STD * torch.randn(x.shape, generator=generator, dtype=x.dtype, device="cpu")
