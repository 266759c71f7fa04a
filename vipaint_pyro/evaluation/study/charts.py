"""Quality against what it costs: a panel per condition, a colour per method."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vipaint_pyro.evaluation.means import Mean, mean_of
from vipaint_pyro.evaluation.study.found import Found
from vipaint_pyro.evaluation.study.grids import one_line
from vipaint_pyro.evaluation.study.summary import compared
from vipaint_pyro.evaluation.study.titles import heading

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["family", "quality_vs_calls"]

#: Okabe and Ito's, which colour-blind people tell apart, but for the yellow that is pale on white.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
#: What tells apart those that share a colour.
_MARKERS = "osD^vP*X"
_ACROSS = 3  # panels in a row


def family(method: str) -> tuple[str, int | None]:
    """A spec without its ``@CALLS``, and these: specs that differ in them alone are one line."""
    head, colon, settings = method.partition(":")
    name, _, calls = head.partition("@")
    return name + colon + settings, int(calls) if calls.isdecimal() else None


def quality_vs_calls(found: Found, metric: str) -> Figure:
    """The means of the tables over calls per sample; hollow are those that are not on the common images.

    Calls are forward and backward ones of the network, with a sample's share of a fit. Methods ``NAME@CALLS`` of one
    NAME are joined by a line; NAME itself, with its own settings, stands alone. Every mark is where its numbers are:
    of those that would hide each other the first is the largest, and behind.
    """
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    families = [*dict.fromkeys(family(m)[0] for m in found.methods)]
    panels = len(found.conditions)
    across = panels if panels <= _ACROSS else min(_ACROSS, math.ceil(math.sqrt(panels)))
    down = math.ceil(panels / across)
    columns = max(1, min(4, int(across * 4.4 * 11 / (6 + max(map(len, families))))))
    below = 0.24 * math.ceil(len(families) / columns)
    figure = Figure(figsize=(4.4 * across, 3.4 * down + below + 0.3), layout="constrained", dpi=120)
    every = [*figure.subplots(down, across, squeeze=False).flat]
    for axes, condition in zip(every, found.conditions):
        _panel(axes, found, condition, metric, families)
    for axes in every[panels:]:
        axes.set_visible(False)
    for axes in every[::across]:
        axes.set_ylabel(_wrapped(heading(found, metric)), fontsize=8)
    handles = [_line(k, name) for k, name in enumerate(families)]
    if any(not p.common for c in found.conditions for p in _points(found, c, metric)):
        handles.append(Line2D([], [], color="0.4", marker="o", mfc="white", lw=0, label="hollow: on its own images"))
    if any(n for c in found.conditions for n in _sizes(_points(found, c, metric)).values()):
        handles.append(Line2D([], [], color="0.4", marker="o", mec="white", ms=8.5, lw=0, label="larger: lies behind"))
    figure.legend(handles=handles, loc="outside lower center", ncols=columns, fontsize=8, frameon=False)
    return figure


def _panel(axes: Axes, found: Found, condition: str, metric: str, families: Sequence[str]) -> None:
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

    points = _points(found, condition, metric)
    own = sorted([p for p in points if p.calls > 0], key=lambda p: p.calls)
    left_out, sizes = [p.family for p in points if not p.calls > 0], _sizes(own)
    for k, name in enumerate(families):
        here = [p for p in own if p.family == name]
        line = [p for p in here if p.joined]
        look: dict[str, Any] = {"color": _colour(k), "lw": 1.4, "zorder": 2}
        axes.plot([p.calls for p in line], [p.mean.mean for p in line], ls=_style(k), **look)
        for p in here:
            wider = sizes[p]
            error = 0 if math.isnan(p.mean.error) else p.mean.error
            axes.errorbar(
                p.calls, p.mean.mean, error, fmt=_marker(k), ms=6 + 2.5 * wider, capsize=2.5 + 1.5 * wider,
                mfc=_colour(k) if p.common else "white", mec=_colour(k) if not p.common else "white", mew=0.7,
                ecolor=_colour(k), elinewidth=1.4 + wider, **look | {"zorder": 3 - 0.1 * wider},
            )  # fmt: skip
    axes.set_xscale("log")
    if own:
        low, high = own[0].calls, own[-1].calls
        aside = max(1.15, 2 / math.sqrt(high / low))  # a factor of 4 across at least, or there is no mark on the axis
        axes.set_xlim(low / aside, high * aside)
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.tick_params(labelsize=8)
    axes.grid(color="0.92", zorder=0)
    axes.set_axisbelow(True)
    images = compared(found, condition, metric).images
    axes.set_title(_plain(f"{condition} (n = {images})"), fontsize=9)
    note = f"\nnot shown, without calls: {', '.join(left_out)}" if left_out else ""
    axes.set_xlabel(f"calls per sample, forward + backward{_plain(note)}", fontsize=8)


@dataclass(frozen=True)
class _Point:
    """A method: its calls of both kinds, whether its mean is on the common images, whether it is part of a line."""

    family: str
    calls: float
    mean: Mean
    common: bool
    joined: bool


def _points(found: Found, condition: str, metric: str) -> list[_Point]:
    comparison, points = compared(found, condition, metric), []
    for method in found.methods:
        mean = comparison.common.get(method, comparison.own[method])
        if math.isfinite(mean.mean):
            name, calls = family(method)
            made = [_calls(r.said["calls"]) for r in found.of(condition, method) if not r.failed]
            points.append(_Point(name, mean_of(made).mean, mean, method in comparison.common, calls is not None))
    return points


def _calls(said: Mapping[str, float]) -> float:
    return said["forward"] + said["backward"]


def _sizes(points: Sequence[_Point]) -> dict[_Point, int]:
    """How much larger each is, to be seen behind those after it: of nearly as many calls, whose bars meet its own."""
    there = sorted([p for p in points if p.calls > 0], key=lambda p: p.calls)
    near = max(1.02, (there[-1].calls / there[0].calls) ** 0.02) if there else 1
    sizes: dict[_Point, int] = {}
    for k, point in reversed([*enumerate(there)]):
        after = [sizes[p] + 1 for p in there[k + 1 :] if p.calls <= near * point.calls and _meet(p.mean, point.mean)]
        sizes[point] = min(max(after, default=0), 4)
    return sizes


def _meet(one: Mean, two: Mean) -> bool:
    reach = sum(0 if math.isnan(m.error) else m.error for m in (one, two))
    return abs(one.mean - two.mean) <= 1.2 * reach or math.isclose(one.mean, two.mean, rel_tol=0.01)


def _line(k: int, name: str) -> Any:
    from matplotlib.lines import Line2D

    return Line2D([], [], color=_colour(k), marker=_marker(k), ms=5, lw=1.4, ls=_style(k), label=_plain(one_line(name)))


def _colour(k: int) -> str:
    return _COLOURS[k % len(_COLOURS)]


def _marker(k: int) -> str:
    """There is one marker more than colours: no pair of the two comes again before all have been."""
    return _MARKERS[k % len(_MARKERS)]


def _style(k: int) -> str:
    """Another at every round through the colours."""
    return ("-", "--", ":", "-.")[k // len(_COLOURS) % 4]


def _plain(text: str) -> str:
    """Names as they are: ``$`` would begin a formula."""
    return text.replace("$", r"\$")


def _wrapped(text: str) -> str:
    return text.replace(", ", ",\n").replace(" (restorations", "\n(restorations")
