"""Pictures of what was drawn under a mask: frequencies beside the exact odds, and completions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import PIL.Image
import PIL.ImageDraw
import PIL.ImageFont
import torch
from torch import Tensor

from vipaint_pyro.evaluation.under_the_mask.frequencies import as_tensor, counts
from vipaint_pyro.evaluation.under_the_mask.questions import Found, Key, Question, by_attribute
from vipaint_pyro.images import from_model, to_output
from vipaint_pyro.plots import grid, observed_picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["chart", "sheet"]


def chart(asked: Sequence[Question], found: Found, names: Sequence[str]) -> Figure:
    """Bars of the covered attribute's frequencies; black: exact probability, with the spread of as many draws."""
    from matplotlib.figure import Figure

    rows = [own[:3] for own in by_attribute(asked).values()]
    columns = max(map(len, rows))
    figure = Figure(figsize=(4.6 * columns, 3.4 * len(rows)), layout="constrained", dpi=100)
    panels = figure.subplots(len(rows), columns, squeeze=False)
    for axes in panels.flat:
        axes.set_visible(False)
    for line, row in zip(panels, rows):
        for axes, question in zip(line, row):
            axes.set_visible(True)
            _panel(axes, question, found, names)
    panels[0, 0].set_ylabel("frequency")
    panels[0, 0].legend(fontsize=7)
    return figure


def _panel(axes: Axes, question: Question, found: Found, names: Sequence[str]) -> None:
    odds = question.open()[question.attribute]
    labels, exact, place = [*odds], as_tensor(odds)[: len(odds)], torch.arange(len(odds), device="cpu")
    width = 0.8 / len(names)
    for k, name in enumerate(names):
        shown = found[question.attribute, question.index, name][question.attribute]
        share = counts(shown, odds)[: len(labels)] / len(shown)
        left = place + (k - (len(names) - 1) / 2) * width
        axes.bar(left.numpy(), share.numpy(), width, label=name, color=f"C{k}")
    spread = (exact * (1 - exact) / len(shown)).sqrt()
    axes.errorbar(place.numpy(), exact.numpy(), spread.numpy(), fmt="k_", ms=22, capsize=3, label="exact")
    axes.set_xticks(place.numpy(), [v.lower().replace("_", " ") for v in labels], rotation=60, fontsize=7)
    axes.set_title(f"{question.attribute} of test face {question.index}", fontsize=9)


def _said(text: str, side: int) -> PIL.Image.Image:
    """A few words as a picture, to stand at the head of a row."""
    picture = PIL.Image.new("RGB", (side, side), (255, 255, 255))
    font = PIL.ImageFont.load_default(size=13)
    lines = text.replace(", ", ",\n")
    PIL.ImageDraw.Draw(picture).text((2, side / 2), lines, fill=(40, 40, 40), font=font, anchor="lm")
    return picture


def sheet(
    asked: Sequence[Question], pictures: Mapping[Key, Tensor], names: Sequence[str]
) -> PIL.Image.Image:
    """Of the first face of each attribute: truth, what is seen, and up to eight completions per method.

    Args:
        asked: the faces with what is covered.
        pictures: completions (S, 3, 64, 64), uint8.
        names: of the methods.
    """
    side, most, rows = 96, 8, []
    for question, *_ in by_attribute(asked).values():
        unit = from_model(question.truth)
        for name in names:
            drawn = pictures[question.attribute, question.index, name][:most] / 255
            head = [_said(name, side), *to_output(unit[None], "pil"), observed_picture(unit, question.observed)]
            rows.append([*head, *to_output(drawn, "pil")])
    return grid(rows, ["method", "truth", "observed", *[f"{k + 1}" for k in range(len(rows[0]) - 3)]], side)
