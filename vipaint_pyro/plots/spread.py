"""Posterior mean and standard deviation."""

from __future__ import annotations

from torch import Tensor

from vipaint_pyro.plots.drawing import new_figure

__all__ = ["spread_figure"]


def spread_figure(mean: Tensor, std: Tensor):
    """Per-pixel posterior mean, (C, H, W), and standard deviation, (H, W), in [0, 1]."""
    figure = new_figure(7, 3.2)
    left, right = figure.subplots(1, 2)
    left.imshow(mean.permute(1, 2, 0).clamp(0, 1).numpy(), cmap="gray", vmin=0, vmax=1)
    left.set_title("posterior mean")
    picture = right.imshow(std.numpy(), cmap="magma", vmin=0)
    right.set_title("posterior standard deviation")
    figure.colorbar(picture, ax=right, label="in [0, 1] units")
    for axes in (left, right):
        axes.set_axis_off()
    return figure
