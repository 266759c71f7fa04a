"""How often each choice was drawn, against how probable it is: a row per question, a column per method."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from vipaint_pyro.plots.drawing import COLOURS, FAINT, INK, new_figure, plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["FrequencyQuestion", "frequencies_figure"]


@dataclass(frozen=True)
class FrequencyQuestion:
    """What may be there, and what was drawn.

    Attributes:
        title: the question.
        exact: choice -> its exact probability.
        drawn: method -> choice -> how often it was drawn; a choice that is not named was never drawn.
        totals: method -> how many draws there were.
    """

    title: str
    exact: Mapping[str, float]
    drawn: Mapping[str, Mapping[str, int]]
    totals: Mapping[str, int]

    @property
    def choices(self) -> list[str]:
        """All that may be there, and what was drawn though it may not."""
        found = [c for counts in self.drawn.values() for c, n in counts.items() if n]
        return [*dict.fromkeys([*self.exact, *found])]


def frequencies_figure(questions: Sequence[FrequencyQuestion], *, title: str = "") -> Figure:
    """Bars of the frequencies in which each method drew each choice; a black line is the exact probability.

    A grey box around it is the standard deviation of as many exact draws: bars of a right method end in there twice out
    of three times. All panels of a row have one scale. Above each stands the total variation between frequencies and
    probabilities, 0 where they are equal, 1 where nothing that was drawn is possible.

    Args:
        questions: one at least, with the same methods each.
        title: above all.

    Raises:
        ValueError: for no question, no draws, or other methods of one question than of another.
    """
    if not questions:
        raise ValueError("questions holds none")
    methods = [*questions[0].drawn]
    for q in questions:
        if [*q.drawn] != methods or any(q.totals[m] < 1 for m in methods):
            raise ValueError(f"every question has draws of the same methods: {q.title!r} has not")
    choices = [len(q.choices) for q in questions]
    figure = new_figure(1.9 * len(methods) + 1.6, sum(0.19 * n + 0.62 for n in choices) + 0.7, dpi=100)
    figure.set_layout_engine("constrained", w_pad=0.05, h_pad=0.06)
    frames = figure.subplots(len(questions), len(methods), squeeze=False, sharey="row", sharex="row",
                             height_ratios=[0.19 * n + 0.4 for n in choices])  # fmt: skip
    for r, (question, row) in enumerate(zip(questions, frames)):
        for k, (method, axes) in enumerate(zip(methods, row)):
            _panel(axes, question, method, COLOURS[k % len(COLOURS)])
            if r == 0:
                axes.annotate(
                    plain(method), (0.5, 1), (0, 24), xycoords="axes fraction", textcoords="offset points", ha="center",
                    fontsize=10, fontweight="bold", color=INK, annotation_clip=False,
                )  # fmt: skip
        row[0].set_ylabel(plain(question.title), fontsize=9, fontweight="bold", color=INK)
    figure.align_ylabels(frames[:, 0])
    said = "black: exact probability; grey: the spread of as many exact draws; TV: total variation, 0 is right"
    said = textwrap.fill(said, int(11 * figure.get_figwidth()))
    figure.supxlabel(f"share of the draws\n{said}", fontsize=9, color=FAINT)
    if title:
        figure.suptitle(title, fontsize=11, fontweight="bold")
    return figure


def _panel(axes: Axes, question: FrequencyQuestion, method: str, colour: str) -> None:
    total, drawn = question.totals[method], question.drawn[method]
    labels = question.choices
    exact = torch.tensor([question.exact.get(c, 0.0) for c in labels], dtype=torch.float64, device="cpu")
    shares = torch.tensor([drawn.get(c, 0) / total for c in labels], dtype=torch.float64, device="cpu")
    places = torch.arange(len(labels), device="cpu").double()
    spread = (exact * (1 - exact) / total).sqrt()
    look: dict[str, Any] = {"height": 0.86, "left": (exact - spread).clamp_min(0).numpy(), "color": "0.85", "zorder": 1}
    axes.barh(places.numpy(), (exact + spread - (exact - spread).clamp_min(0)).numpy(), label="spread", **look)
    axes.barh(places.numpy(), shares.numpy(), height=0.5, color=colour, zorder=2, label="drawn")
    axes.vlines(exact.numpy(), (places - 0.43).numpy(), (places + 0.43).numpy(), color="black", lw=1.6, zorder=3)
    axes.set_yticks(places.numpy(), [plain(c) for c in labels], fontsize=8)
    axes.set_ylim(len(labels) - 0.4, -0.6)
    axes.set_xlim(left=0)
    distance = float((shares - exact).abs().sum() / 2)
    axes.set_title(f"TV {distance:.2f}", fontsize=8, color=FAINT, loc="right", pad=3)
    axes.tick_params(axis="x", labelsize=7.5)
    axes.tick_params(axis="y", length=0)
    axes.locator_params("x", nbins=4)
    axes.grid(axis="x", color="0.93")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
