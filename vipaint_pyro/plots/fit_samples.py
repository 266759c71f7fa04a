"""What a guide draws while it is fitted (the paper's figure 4)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from torch import Tensor

from vipaint_pyro.plots.pictures import Picture, as_picture, as_samples
from vipaint_pyro.plots.tiles import tiles

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["fit_figure"]

_SIDE = 128


def fit_figure(
    draws: Mapping[int, Tensor], *, observed: Picture | None = None, title: str = "", side: int = _SIDE
) -> Figure:
    """A row per step of the fit, a column per draw.

    Args:
        draws: step -> (S, C, H, W) in [0, 1]: samples, or E[x | z_t], drawn after so many steps; the same S at each.
        observed: what was given: a PIL image or a tensor (C, H, W) in [0, 1].
        title: above all.
        side: about how many pixels the longer side of a picture takes.

    Raises:
        TypeError, ValueError: for pictures of another shape or range, none at all, or another number at one step.
    """
    if not draws:
        raise ValueError("draws holds no step of the fit")
    found = {step: as_samples(f"the draws of step {step}", x) for step, x in draws.items()}
    sizes = {step: len(x) for step, x in found.items()}
    if len(set(sizes.values())) > 1:
        raise ValueError(f"draws holds as many samples at each step, but {sizes}")
    seen = [] if observed is None else [as_picture("observed", observed)]
    rows = [[*(seen if r == 0 else [None] * len(seen)), *x] for r, x in enumerate(found.values())]
    heads = [*([] if observed is None else ["observed"]), *(f"draw {k}" for k in range(max(sizes.values())))]
    labels = [heads, *[[""] * len(heads)] * (len(rows) - 1)]
    return tiles(rows, labels, [f"step {step}" for step in found], title, side=side)[0]
