"""The few ways in which samples differ, each as a strip of pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor

from vipaint_pyro.plots.principal import principal_directions
from vipaint_pyro.plots.tiles import SIDE, tiles
from vipaint_pyro.wording import counted

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["directions_figure"]

_STEPS = (-2, -1, 0, 1, 2)


def directions_figure(
    samples: Tensor, *, hole: Tensor | None = None, count: int = 3, title: str = "", side: int = SIDE
) -> Figure:
    """Principal directions of samples: a row for each, from -2 standard deviations over the mean to +2.

    Only pixels of the hole move. Beside each row stands its share of the variance in there. A direction is a straight
    line through the mean: what it shows need not be a likely picture. Values beyond [0, 1] are shown as black or white.

    Args:
        samples: (S, C, H, W) in [0, 1], S >= 2.
        hole: bool (H, W) or (1, H, W), True where pixels were hidden; None where all were.
        count: the first so many directions; S samples have S - 1 at most.
        title: above all.
        side: about how many pixels the longer side of a picture takes.

    Raises:
        TypeError, ValueError: as :func:`~vipaint_pyro.plots.principal.principal_directions`.
    """
    found = principal_directions(samples, count, hole)
    heads = [("mean" if not s else f"{s:+d} sd".replace("-", "\N{MINUS SIGN}")) for s in _STEPS]
    if not len(found.sds):
        note = f"All {counted(len(samples), 'sample')} are the same: there is no direction in which they differ."
        return tiles([[found.mean]], [["mean"]], title=title, note=note, side=side)[0]
    rows = [[found.at(k, s).clamp(0, 1) for s in _STEPS] for k in range(len(found.sds))]
    names = [f"direction {k + 1}\n{_percent(share)} of the\nvariance" for k, share in enumerate(found.shares.tolist())]
    labels = [heads, *[[""] * len(heads)] * (len(rows) - 1)]
    together = f"Together {_percent(float(found.shares.sum()))} of the variance of {counted(len(samples), 'sample')}."
    few = (
        "\nThe shares of more samples would be smaller: so few cannot differ in many ways." if len(samples) < 16 else ""
    )
    return tiles(rows, labels, names, title, together + few, side)[0]


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %" if share < 0.995 or share > 0.9999 else f"{100 * share:.1f} %"
