"""From noise to the image: what each level of a guide has decided (the paper's figure 1)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from torch import Tensor

from vipaint_pyro.plots.pictures import Picture, as_picture, as_samples
from vipaint_pyro.plots.tiles import tiles

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["levels_figure"]

_SIDE = 128


def levels_figure(
    levels: Mapping[int, Tensor],
    samples: Tensor,
    *,
    observed: Picture | None = None,
    most: int = 4,
    title: str = "",
    side: int = _SIDE,
) -> Figure:
    """A row per sample: the clean picture E[x | z_t] that is expected at each level, and the sample refined from it.

    Args:
        levels: timestep t -> (S, C, H, W) in [0, 1], in the order in which they are drawn, from noise to clean.
        samples: (S, C, H, W) in [0, 1], after refinement.
        observed: what was given: a PIL image or a tensor (C, H, W) in [0, 1].
        most: the first so many samples.
        title: above all.
        side: about how many pixels the longer side of a picture takes.

    Raises:
        TypeError, ValueError: for pictures of another shape or range, or levels of another number of samples.
    """
    x = as_samples("samples", samples)
    stages = {rf"$E[x\,|\,z_{{{t}}}]$": as_samples(f"the level {t}", level) for t, level in levels.items()}
    for t, level in zip(levels, stages.values()):
        if len(level) != len(x):
            raise ValueError(f"the level {t} holds {len(level)} samples, but there are {len(x)}")
    heads = [*([] if observed is None else ["observed"]), *stages, "refined"]
    seen = [] if observed is None else [as_picture("observed", observed)]
    shown = range(min(most, len(x)))
    rows = [[*(seen if k == 0 else [None] * len(seen)), *(s[k] for s in stages.values()), x[k]] for k in shown]
    labels = [heads, *[[""] * len(heads)] * (len(rows) - 1)]
    return tiles(rows, labels, [f"sample {k}" for k in shown], title, side=side)[0]
