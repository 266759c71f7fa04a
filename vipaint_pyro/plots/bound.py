"""The bound over the steps of a fit, each of its terms on a scale of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from vipaint_pyro.plots.drawing import COLOURS, FAINT, INK, new_figure
from vipaint_pyro.plots.terms import BoundTerm, bound_terms

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["bound_figure"]


def bound_figure(terms: Mapping[str, Tensor], timesteps: Sequence[int] = ()) -> Figure:
    """Minus the bound, and each of its terms, over the steps of the fit, in nats per dimension: a panel for each.

    The terms differ by factors of a hundred, so that each has its own scale; what they are is said above each, with
    their mean over the last quarter of the steps. The faint line is the estimate of each step, the other its running
    mean over a tenth of them.

    Args:
        terms: site -> (steps,) or (steps, N), as of :attr:`vipaint_pyro.inference.fit.FitResult.terms`.
        timesteps: T_e > ... > T_s of VIPaint's guide; none for other methods.

    Raises:
        ValueError: for terms of another shape, or none.
    """
    found = bound_terms(terms, timesteps)
    if not found or not len(found[0].values):
        raise ValueError("the fit has no terms: it has made no step")
    whole = sum((term.values for term in found[1:]), found[0].values)
    total = BoundTerm("minus the bound", "all of it: the fit makes it small", whole)
    shown = [total, *found] if len(found) > 1 else [total]
    across = 1 if len(shown) == 1 else 2
    down = -(-len(shown) // across)
    figure = new_figure(4.4 * across, 1.75 * down + 0.3)
    figure.set_layout_engine("constrained", w_pad=0.1, h_pad=0.1)
    panels = [*figure.subplots(down, across, sharex=True, squeeze=False).flat]
    for k, (axes, term) in enumerate(zip(panels, shown)):
        _panel(axes, term, INK if term is total else COLOURS[(k - 1) % len(COLOURS)])
    for axes in panels[len(shown) :]:
        axes.set_visible(False)
    for axes in panels[max(0, len(shown) - across) : len(shown)]:
        axes.set_xlabel("step of the fit", fontsize=9)
        axes.xaxis.set_tick_params(labelbottom=True)
    figure.supylabel("nats per dimension", fontsize=9)
    return figure


def _panel(axes: Axes, term: BoundTerm, colour: str) -> None:
    from matplotlib.ticker import MaxNLocator

    values = term.values
    steps = torch.arange(1, len(values) + 1, device="cpu")
    window = max(1, len(values) // 10)
    smooth = window > 1
    axes.plot(steps.numpy(), values.numpy(), color=colour, lw=1 if smooth else 1.5, alpha=0.35 if smooth else 1)
    if smooth:
        mean = values.unfold(0, window, 1).mean(1)
        axes.plot(steps[window - 1 :].numpy(), mean.numpy(), color=colour, lw=1.8)
    end = float(values[-max(1, len(values) // 4) :].mean())
    axes.set_title(term.name, fontsize=10, fontweight="bold", color=INK, loc="left", pad=17)
    axes.set_title(f"at the end {end:.3g}", fontsize=8.5, color=INK, loc="right", pad=18)
    axes.text(0, 1.05, term.words, transform=axes.transAxes, fontsize=8.5, color=FAINT, va="bottom")
    axes.yaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 2.5, 5, 10]))
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.tick_params(labelsize=8)
    axes.grid(color="0.92")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
