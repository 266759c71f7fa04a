"""Pictures of a run: labelled grids, the levels of the guide, the bound, the spread."""

from __future__ import annotations

import math
from collections.abc import Sequence

import PIL.Image
import PIL.ImageDraw
import PIL.ImageFont
import torch
from torch import Tensor

from vipaint_pyro.images import to_output

__all__ = ["bound_figure", "grid", "observed_picture", "spread_figure"]

_PAPER, _INK = (255, 255, 255), (40, 40, 40)
_HOLE = (203, 170, 228)


def observed_picture(unit: Tensor, observed: Tensor) -> PIL.Image.Image:
    """The image (C, H, W) in [0, 1] with its hidden pixels in lilac, a colour no grey has."""
    rgb = unit.expand(3, -1, -1)
    hole = torch.tensor(_HOLE, device="cpu").reshape(3, 1, 1).to(rgb) / 255
    return to_output(torch.where(observed, rgb, hole)[None], "pil")[0]


def grid(
    rows: Sequence[Sequence[PIL.Image.Image]],
    columns: Sequence[str],
    side: int = 112,
    names: Sequence[str] = (),
    title: str = "",
) -> PIL.Image.Image:
    """Rows of pictures, enlarged to ``side`` pixels without smoothing, under a label per column.

    A label has as many lines as its text. ``names``, one per row where there are any, stand on the left, and the lines
    of ``title`` above all.
    """
    font = PIL.ImageFont.load_default(size=13)
    lines = 1 + max((label.count("\n") for label in columns), default=0)
    above = 16 * (title.count("\n") + 1) + 6 if title else 0
    gap, top, left = 6, above + 6 + 16 * lines, 6 + max((_width(name, font) + 8 for name in names), default=0)
    width = max(left + len(columns) * (side + gap), _width(title, font) + 12 if title else 0)
    sheet = PIL.Image.new("RGB", (width, top + len(rows) * (side + gap) + gap), _PAPER)
    pen = PIL.ImageDraw.Draw(sheet)
    pen.text((6, 5), title, fill=_INK, font=font)
    for i, label in enumerate(columns):
        x = left + i * (side + gap) + side / 2
        pen.text((x, (above + top) / 2 + 2), label, fill=_INK, font=font, anchor="mm", align="center")
    for r, row in enumerate(rows):
        y = top + r * (side + gap)
        if names:
            pen.text((left - 8, y + side / 2), names[r], fill=_INK, font=font, anchor="rm", align="right")
        for i, picture in enumerate(row):
            big = picture.convert("RGB").resize((side, side), PIL.Image.Resampling.NEAREST)
            sheet.paste(big, (left + i * (side + gap), y))
    return sheet


def _width(text: str, font) -> int:
    return math.ceil(max(font.getlength(line) for line in text.split("\n")))


def _figure(width: float, height: float):
    from matplotlib.figure import Figure  # no pyplot: no global state, no window

    return Figure(figsize=(width, height), layout="constrained", dpi=120)


def bound_figure(terms: dict[str, Tensor], names: dict[str, str]):
    """The terms of minus the bound over the steps of the fit, in nats per dimension.

    Args:
        terms: site -> (steps,).
        names: site -> its legend; sites without one are left out.
    """
    figure = _figure(7, 4)
    axes = figure.subplots()
    shown = [n for n in names if n in terms]
    axes.plot(sum(terms[n] for n in shown).numpy(), color="black", lw=2, label="minus the bound")
    for name in shown:
        axes.plot(terms[name].numpy(), lw=1.2, label=names[name])
    axes.axhline(0, color="0.8", lw=0.8, zorder=0)
    axes.set(xlabel="step", ylabel="nats per dimension", title="Terms of the bound")
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.legend(fontsize=8)
    return figure


def spread_figure(mean: Tensor, std: Tensor):
    """Per-pixel posterior mean, (C, H, W), and standard deviation, (H, W), in [0, 1]."""
    figure = _figure(7, 3.2)
    left, right = figure.subplots(1, 2)
    left.imshow(mean.permute(1, 2, 0).clamp(0, 1).numpy(), cmap="gray", vmin=0, vmax=1)
    left.set_title("posterior mean")
    picture = right.imshow(std.numpy(), cmap="magma", vmin=0)
    right.set_title("posterior standard deviation")
    figure.colorbar(picture, ax=right, label="in [0, 1] units")
    for axes in (left, right):
        axes.set_axis_off()
    return figure
