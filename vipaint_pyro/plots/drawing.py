"""Figures without pyplot: no global state, no window. Colours and texts that all of them use."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["COLOURS", "FAINT", "INK", "MARKERS", "new_figure", "plain", "ruler"]

#: Okabe and Ito's, which colour-blind people tell apart, but for the yellow that is pale on white.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
#: What tells apart those that share a colour.
MARKERS = "osD^vP*X"
INK, FAINT = "#1d2126", "#5c6570"


def new_figure(
    width: float, height: float, layout: Literal["constrained"] | None = "constrained", dpi: int = 120
) -> Figure:
    """An empty figure of so many inches."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout=layout, dpi=dpi)


def ruler(figure: Figure) -> Callable[..., tuple[float, float]]:
    """What measures a text, in the figure's pixels: ``(text, size, weight) -> (width, height)``, 0 without a text."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    renderer = FigureCanvasAgg(figure).get_renderer()

    @cache
    def extent(text: str, size: float, weight: str = "normal") -> tuple[float, float]:
        if not text:
            return 0.0, 0.0
        written = figure.text(0, 0, text, fontsize=size, fontweight=weight)
        box = written.get_window_extent(renderer)
        written.remove()
        return box.width, box.height

    return extent


def plain(text: str) -> str:
    """A name as it is: ``$`` would begin a formula."""
    return text.replace("$", r"\$")
