"""Sheets of pictures under labels, as one picture."""

from __future__ import annotations

import math
from collections.abc import Sequence

import PIL.Image
import PIL.ImageDraw
import PIL.ImageFont

__all__ = ["grid"]

_PAPER, _INK = (255, 255, 255), (40, 40, 40)


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


def _width(text: str, font: PIL.ImageFont.ImageFont | PIL.ImageFont.FreeTypeFont) -> int:
    return math.ceil(max(font.getlength(line) for line in text.split("\n")))
