"""Rows of pictures under labels, as a figure: each at a whole multiple of its pixels, so that none is uneven."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor

from vipaint_pyro.plots.drawing import FAINT, INK, new_figure, ruler

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

__all__ = ["SIDE", "show", "tiles"]

#: About how many pixels the longer side of a picture takes.
SIDE = 192
_DPI, _GAP, _HEAD, _TITLE, _NOTE = 100, 10, 10, 13, 9.5


def tiles(
    rows: Sequence[Sequence[Tensor | None]],
    labels: Sequence[Sequence[str]],
    names: Sequence[str] = (),
    title: str = "",
    note: str = "",
    side: int = SIDE,
    right: int = 0,
) -> tuple[Figure, list[list[Axes | None]]]:
    """A figure of pictures of one size, and its axes, row by row.

    Args:
        rows: pictures (C, H, W) in [0, 1], or (H, W) in any range for :func:`show` to be called on later; None where
            none is. Rows may be of several lengths.
        labels: what stands above each; a row of empty texts takes no room.
        names: what stands on the left of each row. An axes' label (``get_label``) is both, of its row and column.
        title: above all, and ``note`` below.
        side: about how many pixels the longer side takes: a whole multiple of its own, or as many where it has more.
        right: pixels that are left free there.
    """
    height, width = next(x for row in rows for x in row if x is not None).shape[-2:]
    zoom = max(1, round(side / max(height, width)))
    scale = zoom if zoom * max(height, width) <= 2 * side else 2 * side / max(height, width)
    tall, wide = round(scale * height), round(scale * width)
    figure = new_figure(1, 1, layout=None, dpi=_DPI)
    extent = ruler(figure)
    every = [text for row in labels for text in row]
    pitch = max([wide, *(extent(text, _HEAD)[0] for text in every)]) + _GAP
    above = [max((extent(text, _HEAD)[1] for text in row), default=0) for row in labels]
    above = [h + 8 if h else _GAP for h in above]
    left = max([0, *(extent(text, _HEAD)[0] + 12 for text in names)]) + _GAP
    over, under = extent(title, _TITLE, "bold")[1], extent(note, _NOTE)[1]
    over, under = over + 18 if over else 4, under + 16 if under else _GAP
    across = max(len(row) for row in rows)
    needed = max(extent(title, _TITLE, "bold")[0], extent(note, _NOTE)[0]) + 2 * _GAP
    total = round(max(left + across * pitch + right, needed))
    deep = round(over + under + sum(above) + len(rows) * tall)
    figure.set_size_inches(total / _DPI, deep / _DPI)
    # From here on in pixels from the top left corner.
    if title:
        figure.text(_GAP / total, 1 - 8 / deep, title, fontsize=_TITLE, fontweight="bold", color=INK, va="top")
    if note:
        figure.text(_GAP / total, 7 / deep, note, fontsize=_NOTE, color=FAINT, va="bottom")
    top = float(over)
    found: list[list[Axes | None]] = []
    for r, row in enumerate(rows):
        top += above[r]
        found.append([])
        heads = labels[r] if any(labels[r]) else labels[0]
        if names:
            place = ((left - 12) / total, 1 - (round(top) + tall / 2) / deep)
            figure.text(*place, names[r], fontsize=_HEAD, color=INK, ha="right", va="center", multialignment="right")
        for k, x in enumerate(row):
            if x is None:
                found[-1].append(None)
                continue
            x0, y0 = round(left + k * pitch + (pitch - _GAP - wide) / 2), deep - round(top) - tall
            axes = figure.add_axes((x0 / total, y0 / deep, wide / total, tall / deep))
            axes.set(xticks=[], yticks=[])
            axes.spines[:].set(color="#d5dae0", linewidth=0.6)
            axes.set_title(labels[r][k] if k < len(labels[r]) else "", fontsize=_HEAD, color=INK, pad=4)
            axes.set_label(", ".join(part for part in (names[r] if names else "", heads[k]) if part))
            if x.ndim == 3:
                show(axes, x)
            found[-1].append(axes)
        top += tall
    return figure, found


def show(axes: Axes, x: Tensor, **look: Any) -> AxesImage:
    """Draw a picture (C, H, W) in [0, 1], or numbers (H, W) with a colour map; returns matplotlib's image."""
    figure = cast("Figure", axes.figure)
    few = axes.get_position().width * figure.get_figwidth() * figure.dpi >= x.shape[-1] - 0.5
    look["interpolation"] = "nearest" if few else "antialiased"
    if x.ndim == 3:
        x = x[0] if len(x) == 1 else torch.movedim(x, 0, -1)
        look |= {"cmap": "gray", "vmin": 0, "vmax": 1}
    return axes.imshow(x.numpy(), aspect="equal", **look)
