"""Quality against what it costs: a panel per condition, a colour and a marker per method."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import fill
from typing import TYPE_CHECKING, Any

from vipaint_pyro.plots.drawing import COLOURS, MARKERS, new_figure, plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

__all__ = ["CALLS", "QualityPanel", "QualityPoint", "quality_by_calls_figure"]

CALLS = "calls per sample, forward + backward"
_ACROSS = 3  # panels in a row
_WIDE = 64  # letters below a panel


@dataclass(frozen=True)
class QualityPoint:
    """A method at one cost.

    Attributes:
        method: its name; points of one name have one look.
        cost: calls of the network per sample, or another; those of 0 or NaN cannot be shown, and are named.
        mean: of the quality.
        error: its standard error; NaN where it is not known.
        hollow: whether its mean is over other images than those of the rest.
        joined: whether it is part of its method's line.
        said: a word beside the mark.
    """

    method: str
    cost: float
    mean: float
    error: float = math.nan
    hollow: bool = False
    joined: bool = True
    said: str = ""

    @property
    def reach(self) -> float:
        """Half of its bar."""
        return 0.0 if math.isnan(self.error) else self.error


@dataclass(frozen=True)
class QualityPanel:
    """Points under one title; ``xlabel`` says what their cost is, in words."""

    title: str
    points: Sequence[QualityPoint]
    xlabel: str = CALLS


def quality_by_calls_figure(
    panels: Sequence[QualityPanel],
    ylabel: str,
    *,
    methods: Sequence[str] | None = None,
    title: str = "",
    legend: str = "",
) -> Figure:
    """Means and their standard errors over the cost, on a logarithmic scale.

    Points of a method are joined by a line. Every mark is where its numbers are: of those that would hide each other
    the first is the largest, and behind; the legend says so, as it does of hollow ones.

    Args:
        panels: one at least.
        ylabel: what the quality is.
        methods: all of them, in the order of their looks; by default as they come.
        title: above all; ``legend`` above the names.

    Raises:
        ValueError: for no panel, or a point of a method that ``methods`` leaves out.
    """
    from matplotlib.lines import Line2D

    if not panels:
        raise ValueError("panels holds none")
    every = [p for panel in panels for p in panel.points]
    methods = [*dict.fromkeys(p.method for p in every)] if methods is None else [*methods]
    for p in every:
        if p.method not in methods:
            raise ValueError(f"methods leaves out {p.method!r}, of which there is a point")
    count = len(panels)
    across = count if count <= _ACROSS else min(_ACROSS, math.ceil(math.sqrt(count)))
    down = math.ceil(count / across)
    columns = max(1, min(4, int(across * 4.4 * 11 / (6 + max(map(len, methods), default=1)))))
    below = 0.24 * math.ceil(len(methods) / columns)
    figure = new_figure(4.4 * across, 3.4 * down + below + 0.3)
    frames = [*figure.subplots(down, across, squeeze=False).flat]
    for axes, panel in zip(frames, panels):
        _panel(axes, panel, methods)
    for axes in frames[count:]:
        axes.set_visible(False)
    for axes in frames[::across]:
        axes.set_ylabel(ylabel, fontsize=8)
    if title:
        figure.suptitle(title, fontsize=8)
    handles = [_line(k, name) for k, name in enumerate(methods)]
    if any(p.hollow for p in every):
        handles.append(Line2D([], [], color="0.4", marker="o", mfc="white", lw=0, label="hollow: on its own images"))
    if any(n for panel in panels for n in _sizes(panel.points).values()):
        handles.append(Line2D([], [], color="0.4", marker="o", mec="white", ms=8.5, lw=0, label="larger: lies behind"))
    figure.legend(
        handles=handles, loc="outside lower center", ncols=columns, fontsize=8, frameon=False, title=legend or None,
        title_fontsize=8,
    )  # fmt: skip
    return figure


def _panel(axes: Axes, panel: QualityPanel, methods: Sequence[str]) -> None:
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

    own = sorted([p for p in panel.points if p.cost > 0], key=lambda p: p.cost)
    left_out, sizes = [p.method for p in panel.points if not p.cost > 0], _sizes(own)
    for k, name in enumerate(methods):
        here = [p for p in own if p.method == name]
        line = [p for p in here if p.joined]
        look: dict[str, Any] = {"color": _colour(k), "lw": 1.4, "zorder": 2}
        axes.plot([p.cost for p in line], [p.mean for p in line], ls=_style(k), **look)
        for p in here:
            wider = sizes[p]
            axes.errorbar(
                p.cost, p.mean, p.reach, fmt=_marker(k), ms=6 + 2.5 * wider, capsize=2.5 + 1.5 * wider,
                mfc="white" if p.hollow else _colour(k), mec=_colour(k) if p.hollow else "white", mew=0.7,
                ecolor=_colour(k), elinewidth=1.4 + wider, **look | {"zorder": 3 - 0.1 * wider},
            )  # fmt: skip
            if p.said:
                axes.annotate(p.said, (p.cost, p.mean), xytext=(5, 6), textcoords="offset points", fontsize=7.5)
    axes.set_xscale("log")
    if own:
        low, high = own[0].cost, own[-1].cost
        aside = max(1.15, 2 / math.sqrt(high / low))  # a factor of 4 across at least, or there is no mark on the axis
        axes.set_xlim(low / aside, high * aside * (1.15 if any(p.said for p in own) else 1))  # room for the words
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.tick_params(labelsize=8)
    axes.grid(color="0.92", zorder=0)
    axes.set_axisbelow(True)
    axes.set_title(plain(panel.title), fontsize=9)
    note = fill(f"not shown, without calls: {', '.join(left_out)}", _WIDE, break_on_hyphens=False) if left_out else ""
    axes.set_xlabel(plain(f"{panel.xlabel}\n{note}".strip()), fontsize=8)


def _sizes(points: Sequence[QualityPoint]) -> dict[QualityPoint, int]:
    """How much larger each is, to be seen behind those after it: of nearly the same cost, whose bars meet its own."""
    there = sorted([p for p in points if p.cost > 0], key=lambda p: p.cost)
    near = max(1.02, (there[-1].cost / there[0].cost) ** 0.02) if there else 1
    sizes: dict[QualityPoint, int] = {}
    for k, point in reversed([*enumerate(there)]):
        after = [sizes[p] + 1 for p in there[k + 1 :] if p.cost <= near * point.cost and _meet(p, point)]
        sizes[point] = min(max(after, default=0), 4)
    return sizes


def _meet(one: QualityPoint, two: QualityPoint) -> bool:
    far = abs(one.mean - two.mean)
    return far <= 1.2 * (one.reach + two.reach) or math.isclose(one.mean, two.mean, rel_tol=0.01)


def _line(k: int, name: str) -> Line2D:
    from matplotlib.lines import Line2D

    return Line2D([], [], color=_colour(k), marker=_marker(k), ms=5, lw=1.4, ls=_style(k), label=plain(name))


def _colour(k: int) -> str:
    return COLOURS[k % len(COLOURS)]


def _marker(k: int) -> str:
    """There is one marker more than colours: no pair of the two comes again before all have been."""
    return MARKERS[k % len(MARKERS)]


def _style(k: int) -> str:
    """Another at every round through the colours."""
    return ("-", "--", ":", "-.")[k // len(COLOURS) % 4]
