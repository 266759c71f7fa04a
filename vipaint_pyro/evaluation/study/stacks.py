"""The conditions' figures of samples below each other, with what they show said in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import PIL.Image
import PIL.ImageDraw
import PIL.ImageFont

from vipaint_pyro.evaluation.study.grids import one_line
from vipaint_pyro.evaluation.study.titles import is_restoration

__all__ = ["sheet_caption", "stacked"]

_LINE, _MARGIN = 22, 6


def sheet_caption(condition: str) -> str:
    """Which sample is shown and as what, and what the colours mean, of one condition's figure."""
    if is_restoration(condition):
        shown = "The first sample of each method, as drawn and clipped: nothing is put back"
        colours = "Observed is what was measured"
    else:
        shown = "The first sample of each method with its observed pixels put back"
        colours = "Violet pixels were hidden"
    return f"{shown}. {colours}. A crossed grey cell: no sample is kept, or it cannot be shown"


def stacked(sheets: Mapping[str, PIL.Image.Image]) -> PIL.Image.Image:
    """The figures, each below its condition's name and caption; as wide as the widest, captions in as many lines."""
    head, font = PIL.ImageFont.load_default(size=14), PIL.ImageFont.load_default(size=12)
    width = max(360, *(s.width for s in sheets.values()))
    captions = {c: _lines(sheet_caption(c), width - 2 * _MARGIN, font) for c in sheets}
    height = sum(s.height + _LINE + 16 * len(captions[c]) for c, s in sheets.items())
    whole = PIL.Image.new("RGB", (width, height), (255, 255, 255))
    pen, top = PIL.ImageDraw.Draw(whole), 0
    for condition, sheet in sheets.items():
        pen.text((_MARGIN, top + _LINE / 2), one_line(condition), (40, 40, 40), head, anchor="lm")
        top += _LINE
        for line in captions[condition]:
            pen.text((_MARGIN, top + 8), line, (90, 90, 90), font, anchor="lm")
            top += 16
        whole.paste(sheet, (0, top))
        top += sheet.height
    return whole


def _lines(text: str, width: int, font: Any) -> list[str]:
    """Words in lines that are not wider."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if font.getlength(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines
