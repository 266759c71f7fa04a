"""A measure against a setting: a line for every value of another one, a panel for every value of a third."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["settings_figure"]

#: Okabe and Ito's, which colour-blind people tell apart, but for the yellow that is pale on white.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
_MARKERS = "osD^vP*X"
#: From this ratio of the largest to the smallest on, numbers above 0 lie on a logarithmic axis.
_LOGARITHMIC = 8.0
#: Of the axis, how far beside each other those lie that would hide each other.
_APART = 0.008


def settings_figure(
    rows: Sequence[Mapping],
    measure: str,
    x: str,
    lines: Sequence[str] = (),
    panels: str | None = None,
    label: str = "",
    names: Mapping[str, str] | None = None,
) -> Figure:
    """Means with one standard error each, as a matplotlib figure.

    Args:
        rows: each with the settings, ``on``, the measure's mean and its standard error ``<measure>_error`` (either
            may be None, and is then left out).
        measure: its name in the rows.
        x: the setting along the axis: numbers, on a logarithmic axis where they span much, or names.
        lines: the settings that a line stands for each combination of.
        panels: the setting that has a column of panels for each value. What was measured ``on`` has the rows of them.
        label: of the measure, for the axis.
        names: of settings, where those in the rows are not what is to be read.
    """
    from matplotlib.figure import Figure

    names = names or {}
    on, columns = _values(rows, "on"), _values(rows, panels) if panels else [None]
    positions = _positions(rows, x)
    keys = list(dict.fromkeys(tuple(row[name] for name in lines) for row in rows))
    figure = Figure(
        figsize=(3.0 + 2.6 * len(columns), 0.9 + 2.6 * len(on)), layout="constrained", dpi=120
    )
    grid = figure.subplots(len(on), len(columns), squeeze=False, sharex=True, sharey="row")
    for axes_row, place in zip(grid, on):
        for axes, column in zip(axes_row, columns):
            here = [r for r in rows if r["on"] == place and (panels is None or r[panels] == column)]
            for k, key in enumerate(keys):
                line = [r for r in here if tuple(r[name] for name in lines) == key]
                places = _beside(positions, k - (len(keys) - 1) / 2)
                _line(axes, [(places[r[x]], r) for r in line], measure, x, k, _said(lines, key, names))
            said = [f"on {place}" if len(on) > 1 else "", "" if panels is None else _said([panels], [column], names)]
            axes.set_title(", ".join(filter(None, said)), fontsize=9)
            _scale(axes, positions)
        axes_row[0].set_ylabel(label or measure, fontsize=8)
    for axes in grid[-1]:
        axes.set_xlabel(names.get(x, x), fontsize=8)
    handles, texts = grid[0][0].get_legend_handles_labels()
    if lines:
        figure.legend(handles, texts, loc="outside right upper", fontsize=7, frameon=False)
    return figure


def _values(rows: Sequence[Mapping], name: str) -> list:
    return list(dict.fromkeys(row[name] for row in rows))


def _positions(rows: Sequence[Mapping], x: str) -> dict:
    """Value -> where it lies: numbers at themselves, in order; anything else side by side."""
    values = _values(rows, x)
    if _are_numbers(values):
        return {v: float(v) for v in sorted(values)}
    return {v: float(i) for i, v in enumerate(values)}


def _beside(positions: Mapping, number: float) -> dict:
    """The positions, moved a little to a side."""
    places = [*positions.values()]
    if _is_logarithmic(places):
        return {v: place * (max(places) / min(places)) ** (_APART * number) for v, place in positions.items()}
    return {v: place + _APART * number * ((max(places) - min(places)) or 1.0) for v, place in positions.items()}


def _is_logarithmic(places: Sequence[float]) -> bool:
    return min(places) > 0 and max(places) >= _LOGARITHMIC * min(places)


def _line(axes: Axes, points: Sequence[tuple[float, Mapping]], measure: str, x: str, k: int, label: str) -> None:
    drawn = sorted(((place, r) for place, r in points if r.get(measure) is not None), key=lambda point: point[0])
    joined = _are_numbers([r[x] for _, r in points])
    axes.errorbar(
        [place for place, _ in drawn],
        [r[measure] for _, r in drawn],
        yerr=[r[f"{measure}_error"] or 0.0 for _, r in drawn],
        color=_COLOURS[k % len(_COLOURS)],
        marker=_MARKERS[k % len(_MARKERS)],
        linestyle="-" if joined else "none",
        markersize=4,
        linewidth=1.2,
        capsize=2,
        label=label,
    )


def _scale(axes: Axes, positions: Mapping) -> None:
    axes.tick_params(labelsize=7)
    axes.grid(alpha=0.25, linewidth=0.6)
    places = [*positions.values()]
    if not _are_numbers([*positions]):
        axes.set_xticks(places, [_word(v) for v in positions], rotation=20, ha="right")
        axes.set_xlim(-0.5, len(places) - 0.5)
        return
    if _is_logarithmic(places):
        axes.set_xscale("log")
    axes.set_xticks(places, [f"{v:g}" for v in places])
    axes.minorticks_off()


def _are_numbers(values: Sequence[object]) -> bool:
    return all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in values)


def _said(names: Sequence[str], values: Sequence[object], called: Mapping[str, str]) -> str:
    """ "hierarchical, K 4": of guides, which are names already, the name alone."""
    return ", ".join(_word(v) if n == "guide" else f"{called.get(n, n)} {_word(v)}" for n, v in zip(names, values))


def _word(value: object) -> str:
    return "default" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
