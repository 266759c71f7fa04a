"""What samples agree on and where they do not: their mean and standard deviation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor

from vipaint_pyro.plots.drawing import INK
from vipaint_pyro.plots.pictures import Picture, as_picture, as_samples
from vipaint_pyro.plots.tiles import show, tiles

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["mean_spread_figure", "pixel_spread"]

_SIDE, _BAR, _ROOM = 256, 14, 96
_LOW = 200  # pixels: the height of a picture beside which the scale's whole name has no room


def pixel_spread(samples: Tensor) -> Tensor:
    """(H, W): the root of the mean over channels of the variance over samples (S, C, H, W), S >= 2, with S - 1."""
    return samples.var(0, correction=1).mean(0).sqrt()


def mean_spread_figure(
    samples: Tensor,
    *,
    observed: Picture | None = None,
    truth: Picture | None = None,
    title: str = "",
    side: int = _SIDE,
) -> Figure:
    """The posterior mean, and per pixel the standard deviation on a scale; beside them what was observed.

    Args:
        samples: (S, C, H, W) in [0, 1]. The standard deviation is that of :func:`pixel_spread`, in units of [0, 1]; the
            scale goes from 0 to its maximum, or to 1 where samples do not differ. A single sample has none.
        observed: what was given, of the same size: a PIL image or a tensor (C, H, W) in [0, 1].
        truth: the same of the truth.
        title: above all.
        side: about how many pixels the longer side of a picture takes.

    Raises:
        TypeError, ValueError: for samples or pictures of another shape or range.
    """
    x = as_samples("samples", samples)
    given = {"truth": truth, "observed": observed}
    shown = {name: as_picture(name, picture) for name, picture in given.items() if picture is not None}
    shown["posterior mean"] = x.mean(0)
    if len(x) == 1:
        note = "One sample has no standard deviation."
        return tiles([[*shown.values()]], [[*shown]], title=title, note=note, side=side)[0]
    spread = pixel_spread(x)
    labels = [*shown, "standard deviation"]
    figure, (row,) = tiles([[*shown.values(), spread]], [labels], title=title, side=side, right=_ROOM)
    last = row[-1]
    assert last is not None  # a picture was there
    image = show(last, spread, cmap="magma", vmin=0, vmax=float(spread.max()) or 1.0)
    box, width = last.get_position(), figure.get_figwidth() * figure.dpi
    bar = figure.add_axes((box.x1 + 8 / width, box.y0, _BAR / width, box.height))
    figure.colorbar(image, cax=bar)
    bar.set_label("scale")
    room = box.height * figure.get_figheight() * figure.dpi
    bar.set_ylabel("standard deviation, in units of [0, 1]" if room > _LOW else "standard\ndeviation", fontsize=8.5,
                   color=INK)  # fmt: skip
    bar.tick_params(labelsize=8.5)
    return figure
