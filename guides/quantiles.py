r"""Medians and quantiles of a guide's levels: exact where they are Gaussian, else from draws."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

import pyro
import torch
from pyro import poutine
from torch import Tensor

from vipaint_pyro.alone import in_turn
from vipaint_pyro.models.diffusion import DiffusionModel
from vipaint_pyro.models.sites import site
from vipaint_pyro.per_image_noise import PerImageNoise
from vipaint_pyro.randomness import NoiseStreams, isolated
from vipaint_pyro.wording import shown

if TYPE_CHECKING:
    from vipaint_pyro.guides.base import Guide

__all__ = ["NUM_SAMPLES", "drawn", "probabilities", "quantiles_of", "streams_for"]

#: How many draws quantiles are estimated from where none are asked for.
NUM_SAMPLES = 1000
#: How many are drawn at once: each asks the network once per image and level.
AT_ONCE = 50


def probabilities(quantiles: Sequence[float] | Tensor) -> list[float]:
    """The quantiles asked for, as numbers.

    Raises:
        TypeError: for anything but a list or a tensor of numbers.
        ValueError: for none, or numbers outside (0, 1).
    """
    asked = quantiles.tolist() if isinstance(quantiles, Tensor) else quantiles
    if not isinstance(asked, (list, tuple)) or not all(type(q) in (int, float) for q in asked):
        raise TypeError(f"quantiles are a list of numbers such as [0.05, 0.5, 0.95], not {shown(quantiles)}")
    if not asked or not all(0 < q < 1 for q in asked):
        raise ValueError(f"quantiles are one or more numbers between 0 and 1, both excluded, not {list(asked)}")
    return [float(q) for q in asked]


def quantiles_of(draws: Tensor, quantiles: list[float]) -> Tensor:
    """Of draws (S, *) along their first axis, linear between neighbours, with shape (Q, *)."""
    ordered = draws.sort(0).values
    out = []
    for q in quantiles:
        place = q * (len(ordered) - 1)
        below = int(place)
        above = min(below + 1, len(ordered) - 1)
        out.append(torch.lerp(ordered[below], ordered[above], place - below))
    return torch.stack(out)


def streams_for(
    num_images: int, generator: torch.Generator | Sequence[torch.Generator] | None = None
) -> NoiseStreams:
    """A stream per image; of seed 0 each where no generator is given."""
    if generator is None:
        generator = [torch.Generator(device="cpu").manual_seed(0) for _ in range(num_images)]
    return NoiseStreams(generator, num_images)


def drawn(
    guide: Guide,
    num_samples: int,
    generator: torch.Generator | Sequence[torch.Generator] | None = None,
) -> dict[str, Tensor]:
    """Draws of a guide's levels, {site: (S, N, C, H, W)}, each image's from its own stream.

    Args:
        num_samples: S, at least 1.
        generator: one, or a list with one per image; None gives each image one of seed 0.
    """
    streams, model = streams_for(guide.model.num_images, generator), guide.model
    assert isinstance(model, DiffusionModel)  # others have no levels
    parts: dict[str, list[Tensor]] = {site(t): [] for t in model.timesteps}
    # What an approximation of all images together draws comes from the global state.
    with in_turn(), torch.no_grad(), isolated(streams.seeds()[0]), poutine.block(), PerImageNoise(streams):
        for start in range(0, num_samples, AT_ONCE):
            n = min(AT_ONCE, num_samples - start)
            # The plates of the program take the axes -1 to -3.
            with model.predictions(), pyro.plate("samples", n, dim=-4):
                nodes = poutine.trace(guide).get_trace().nodes
            for name, values in parts.items():
                value = cast(Tensor, nodes[name]["value"])
                values.append(value.reshape(n, model.num_images, *model.prior.latent_shape))
    return {name: torch.cat(values) for name, values in parts.items()}
