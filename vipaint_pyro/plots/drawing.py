"""Figures without pyplot."""

from __future__ import annotations

__all__ = ["new_figure"]


def new_figure(width: float, height: float):
    from matplotlib.figure import Figure  # no pyplot: no global state, no window

    return Figure(figsize=(width, height), layout="constrained", dpi=120)
