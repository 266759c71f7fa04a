"""Is a posterior right? The pictures of its tests, with their verdict in words."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from vipaint_pyro.calibration.coverage import CoverageResult
from vipaint_pyro.calibration.sbc import SBCResult
from vipaint_pyro.calibration.tarp import TARPResult
from vipaint_pyro.plots.drawing import FAINT, INK, new_figure, plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["calibration_figure", "coverage_figure", "sbc_figure", "tarp_figure"]

Result = SBCResult | CoverageResult | TARPResult

#: What a test is called, and how its picture is read.
_READ = {
    SBCResult: ("Ranks of the truth", "a right posterior stays in the grey band"),
    CoverageResult: ("Coverage of credible regions", "a right posterior is on the diagonal; bars: 95 %"),
    TARPResult: ("Expected coverage (TARP)", "a right posterior stays in the grey band"),
}


def sbc_figure(result: SBCResult) -> Figure:
    """Simulation-based calibration: all quantities' ranks in one panel with the band of 95 %, and a histogram of each.

    Args:
        result: of :func:`vipaint_pyro.calibration.sbc`.
    """
    names = result.names
    across = 2 if len(names) in (1, 3) else 3
    down = -(-(1 + len(names)) // across)
    figure = new_figure(4.2 * across, 3.4 * down)
    panels = [*figure.subplots(down, across, squeeze=False).flat]
    _draw(panels[0], result)
    for k, (axes, name) in enumerate(zip(panels[1:], names)):
        result.plot(axes, kind="histogram", quantity=k)
        _head(axes, plain(name), f"{result.words(k)}; dashed: 95 % of each bar", "")
    for axes in panels[1 + len(names) :]:
        axes.set_visible(False)
    return figure


def coverage_figure(result: CoverageResult, names: Sequence[str] = ()) -> Figure:
    """How often credible regions hold the truth, against how often they should.

    Args:
        result: of :func:`vipaint_pyro.calibration.coverage` or ``interval_coverage``.
        names: of the latter's quantities.

    Raises:
        ValueError: for another number of names than quantities.
    """
    lines = result.coverage.reshape(-1, len(result.levels))
    if names and len(names) != len(lines):
        raise ValueError(f"{len(names)} names for {len(lines)} quantities: give one each")
    figure = new_figure(4.8, 4.4)
    axes = figure.subplots()
    _draw(axes, result)
    if names:
        axes.legend(axes.containers, [plain(name) for name in names], fontsize=8)
    return figure


def tarp_figure(result: TARPResult) -> Figure:
    """Expected coverage of balls around random points against credibility, with the band of 95 %.

    Args:
        result: of :func:`vipaint_pyro.calibration.tarp`.
    """
    figure = new_figure(4.8, 4.4)
    _draw(figure.subplots(), result)
    return figure


def calibration_figure(results: Mapping[str, Sequence[Result]]) -> Figure:
    """A row per method, a column per test.

    Args:
        results: method -> its results, of as many tests and in the same order for each.

    Raises:
        ValueError: for no method, or other tests of one than of another.
    """
    kinds = {name: [type(r) for r in row] for name, row in results.items()}
    if not kinds or any(row != next(iter(kinds.values())) for row in kinds.values()):
        raise ValueError("results holds the same tests of each method, of one method at least")
    across = len(next(iter(kinds.values())))
    figure = new_figure(4.2 * across, 3.5 * len(results), dpi=90)
    figure.set_layout_engine("constrained", h_pad=0.12, w_pad=0.1)
    for (name, row), line in zip(results.items(), figure.subplots(len(results), across, squeeze=False)):
        for k, (axes, result) in enumerate(zip(line, row)):
            _draw(axes, result)
            if k == 0:
                axes.annotate(
                    plain(name), (-0.3, 0.5), xycoords="axes fraction", rotation=90, ha="right", va="center",
                    fontsize=12, fontweight="bold", color=INK,
                )  # fmt: skip
    return figure


def _draw(axes: Axes, result: Result) -> None:
    result.plot(axes)
    _head(axes, *_READ[type(result)], result.verdict)


def _head(axes: Axes, title: str, read: str, verdict: str) -> None:
    """A title, how the picture is read, and what the test says."""
    below = "\n".join(part for part in (read, textwrap.fill(plain(verdict), 52)) if part)
    lines = 1 + below.count("\n")
    axes.set_title(title, fontsize=10, fontweight="bold", color=INK, loc="left", pad=6 + 11 * lines)
    axes.text(0, 1.02, below, transform=axes.transAxes, fontsize=8, color=FAINT, va="bottom")
    axes.tick_params(labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)
