"""Draws of a fitted guide, and what the model predicts from them."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import pyro
import torch
from pyro import poutine
from torch import Tensor

from vipaint_pyro.alone import in_turn
from vipaint_pyro.calibration import psis
from vipaint_pyro.faults import NonFiniteError
from vipaint_pyro.guides.base import Guide
from vipaint_pyro.inference.given import check_guide
from vipaint_pyro.inference.matching import drawn_latents
from vipaint_pyro.inference.particles import systematic
from vipaint_pyro.inference.weights import draw_path, log_importance_weights
from vipaint_pyro.models.base import check_model
from vipaint_pyro.models.diffusion import DiffusionModel
from vipaint_pyro.per_image_noise import PerImageNoise
from vipaint_pyro.randomness import NoiseStreams
from vipaint_pyro.settings import checked, whole
from vipaint_pyro.wording import shown

__all__ = ["draw", "draw_and_predict", "resampled"]


def draw(
    model: DiffusionModel,
    guide: Callable,
    num_samples: int,
    generator: torch.Generator | Sequence[torch.Generator] | None = None,
) -> dict[int, Tensor]:
    """Draws of a guide's latents: timestep -> z_t with shape (S, N, C, H, W).

    Draws of several threads wait for each other, and for fits.

    Args:
        generator: one, or a list with one per image; None takes the global state.
    """
    check_model(model, DiffusionModel)
    check_guide(guide, model)
    checked("num_samples", num_samples, whole())
    z, _ = draw_and_predict(model, guide, num_samples, generator)
    return z


def draw_and_predict(
    model: DiffusionModel,
    guide: Callable,
    num_samples: int,
    generator: torch.Generator | Sequence[torch.Generator] | None,
) -> tuple[dict[int, Tensor], dict[int, Tensor]]:
    """The draws, and E[z_0 | z_t] at all of them but the last, which the guide has asked for on its way."""
    noise = PerImageNoise(NoiseStreams(generator, model.num_images))
    own: Any = guide.model if isinstance(guide, Guide) else model
    shape = (num_samples, model.num_images, *model.prior.latent_shape)
    # The plates of the program take the axes -1 to -3.
    with in_turn(), torch.no_grad(), own.predictions(), noise, pyro.plate("samples", num_samples, dim=-4):
        trace: Any = poutine.trace(guide).get_trace()
        z = drawn_latents(guide, trace, model.timesteps)
        z0 = {t: own.denoise(z[t], t).reshape(shape) for t in model.timesteps[:-1]}
    return {t: v.reshape(shape) for t, v in z.items()}, z0


@torch.no_grad()
def resampled(
    model: DiffusionModel,
    guide: Callable,
    y: Tensor,
    num_particles: int,
    num_samples: int,
    generator: torch.Generator | Sequence[torch.Generator] | None,
) -> tuple[dict[int, Tensor], dict[int, Tensor], dict[str, list[float] | str]]:
    """Draws of a guide by their Pareto-smoothed weights, their predictions, and what the weights say.

    Warns (RuntimeWarning) where the weights are not to be relied on.

    Raises:
        NonFiniteError: where none of an image's draws has a finite weight.
    """
    path = draw_path(model, guide, num_particles, generator)
    log_w = log_importance_weights(model, path, y, generator=generator)
    if not torch.isfinite(log_w.logsumexp(0)).all():
        raise NonFiniteError("the weight of every particle", advice="fit the guide longer")
    weights = psis(log_w, dim=0)
    if {*weights.words} != {"good"}:
        warnings.warn(
            f"importance weights: {weights.verdict}; {float(weights.ess.min()):.1f} of {num_particles} particles count."
            " Draws resampled by them are not to be relied on: take more particles, or no correction",
            RuntimeWarning,
            stacklevel=2,
        )
    u = NoiseStreams(generator, model.num_images).uniform(log_w)
    index = systematic(weights.smoothed, u, num_samples)
    columns = torch.arange(model.num_images, device=index.device)
    predictions = {t: path.prediction(model, t)[index, columns] for t in model.timesteps[:-1]}
    diagnostics: dict[str, list[float] | str] = {
        "likelihood": f"{shown(model.likelihood)} at t = {model.timesteps[-1]}",
        "k_hat": weights.k_hat.tolist(),
        "ess": weights.ess.tolist(),
        "log_evidence": weights.log_mean.tolist(),
    }
    return {t: z[index, columns] for t, z in path.z.items()}, predictions, diagnostics
