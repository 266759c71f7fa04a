"""The bound over the steps of a fit."""

from __future__ import annotations

from torch import Tensor

from vipaint_pyro.plots.drawing import new_figure

__all__ = ["bound_figure"]


def bound_figure(terms: dict[str, Tensor], names: dict[str, str]):
    """The terms of minus the bound over the steps of the fit, in nats per dimension.

    Args:
        terms: site -> (steps,).
        names: site -> its legend; sites without one are left out.
    """
    figure = new_figure(7, 4)
    axes = figure.subplots()
    shown = [n for n in names if n in terms]
    axes.plot(sum(terms[n] for n in shown).numpy(), color="black", lw=2, label="minus the bound")
    for name in shown:
        axes.plot(terms[name].numpy(), lw=1.2, label=names[name])
    axes.axhline(0, color="0.8", lw=0.8, zorder=0)
    axes.set(xlabel="step", ylabel="nats per dimension", title="Terms of the bound")
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.legend(fontsize=8)
    return figure
