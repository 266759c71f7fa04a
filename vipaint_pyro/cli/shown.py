"""The figures of a run, with what each says in plain words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import PIL.Image
from torch import Tensor

from vipaint_pyro.plots import (
    bound_figure,
    bound_terms,
    directions_figure,
    levels_figure,
    mean_spread_figure,
    principal_directions,
    samples_figure,
)
from vipaint_pyro.plots.mean_spread import pixel_spread
from vipaint_pyro.wording import counted

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from vipaint_pyro.plots.pictures import Picture

__all__ = ["Shown", "shown_bound", "shown_levels", "shown_samples", "shown_spread"]


@dataclass(frozen=True)
class Shown:
    """A figure, and what stands with it on the page.

    Attributes:
        figure: what is drawn.
        head: its title there; none for a figure that the page does without.
        words: how it is read.
        alt: what those are told who cannot see it.
    """

    figure: Figure
    head: str = ""
    words: str = ""
    alt: str = ""


def shown_samples(
    samples: Tensor, observed: PIL.Image.Image, truth: Tensor | None, hole: Tensor | None, noun: str = "completion"
) -> dict[str, Shown]:
    """File name -> figure: the grid, mean and standard deviation, and of two or more samples the directions.

    The page does without the directions of two: they differ in one way, whatever they are.

    Args:
        samples: (S, C, H, W) in [0, 1].
        observed: what was given.
        truth: (C, H, W) in [0, 1], or None.
        hole: bool (1, H, W), True where hidden; None where everything was measured in some way.
        noun: what a sample is.
    """
    grid = Shown(samples_figure(samples, observed=observed, truth=truth))
    found = {"grid": grid, "spread": shown_spread(samples, observed, truth, noun)}
    if len(samples) == 1:
        return found
    ways = principal_directions(samples, 3, hole)
    if len(ways.sds) and len(samples) == 2:
        found["directions"] = Shown(directions_figure(samples, hole=hole))
    elif len(ways.sds):
        shares = ", ".join(f"{100 * share:.0f} %" for share in ways.shares.tolist())
        found["directions"] = Shown(
            directions_figure(samples, hole=hole),
            "The ways in which they differ",
            f"Most of how the {noun}s differ can be said in a few directions. Each row is one of them: in the "
            "middle is the mean, to the left and right it is changed by one and two standard deviations. The "
            "percentage says how much of all the variance the direction explains. Such a picture need not be a likely "
            f"one: a direction is a straight line, and {noun}s seldom lie on one.",
            f"The mean changed along {counted(len(ways.sds), 'direction')}, which explain {shares} of the variance.",
        )
    return found


def shown_spread(
    samples: Tensor, observed: Picture, truth: Tensor | None = None, noun: str = "completion"
) -> Shown:
    """Mean and standard deviation of samples (S, C, H, W) in [0, 1]; of a single one nothing for the page."""
    figure = mean_spread_figure(samples, observed=observed, truth=truth)
    if len(samples) == 1:
        return Shown(figure)
    most = float(pixel_spread(samples.double()).max())
    return Shown(
        figure,
        "What they agree on, and where they differ",
        f"The mean of the {noun}s is sharp where all of them agree, and blurred where they do not: it is no "
        f"{noun} itself. The map beside it is their standard deviation, pixel by pixel: black where all are the "
        "same, bright where the model is unsure. Its scale is that of the colours, where 0 is black and 1 is white.",
        f"The mean of {len(samples)} {noun}s, and their standard deviation per pixel, which is {most:.2f} at most.",
    )


def shown_levels(
    levels: Mapping[int, Tensor], samples: Tensor, observed: PIL.Image.Image, noun: str = "completion"
) -> dict[str, Shown]:
    """The levels of the guide, t -> (S, C, H, W) in [0, 1]; nothing for a method without."""
    if not levels:
        return {}
    return {
        "levels": Shown(
            levels_figure(levels, samples, observed=observed),
            "From coarse to fine",
            f"A {noun} is drawn from the most noise to the least. Each column is the clean picture that is expected "
            f"at one noise level, which is what has been decided by then; the last one is the {noun}, after its "
            "details were refined.",
            f"The expected pictures at the noise levels {', '.join(map(str, levels))}, and the {noun}s.",
        )
    }


def shown_bound(terms: Mapping[str, Tensor], timesteps: Sequence[int]) -> dict[str, Shown]:
    """The terms of a fit's bound; nothing where there was no fit."""
    found = bound_terms(terms, timesteps)
    if not found or not len(found[0].values):
        return {}
    last = ", ".join(f"{term.name} {float(term.values[-1]):.3g}" for term in found)
    return {
        "bound": Shown(
            bound_figure(terms, timesteps),
            "How the fit went",
            "The fit makes minus the bound small, which is the sum of the other panels: how badly what was seen is "
            "explained, and how far the guide is from what the prior expects at each noise level. Each panel has "
            "its own scale, and the last steps are what counts: where they are flat, the fit has settled; where minus "
            "the bound still falls, more steps (--fit-steps) would do it good.",
            f"The terms of minus the bound over the steps of the fit; at its end, in nats per dimension: {last}.",
        )
    }
