"""Figures that are left white: to make and draw them is half of a small run's time, and few tests look at them."""

import PIL.Image
import pytest
from matplotlib.figure import Figure
from PIL.PngImagePlugin import PngInfo

_DRAWN = Figure.savefig

#: What makes the figures of a run, by where it is called.
_FIGURES = {
    "shown": ("bound_figure", "directions_figure", "levels_figure", "mean_spread_figure", "samples_figure"),
    "whole": ("samples_figure",),
}


def savefig(figure, file, format="png", **options):
    """A white picture of the figure's size, with its metadata."""
    if format != "png":
        return _DRAWN(figure, file, format=format, **options)
    width, height = figure.get_size_inches() * options.get("dpi", figure.dpi)
    said = PngInfo()
    for name, text in options.get("metadata", {}).items():  # by which files of the package's own are known
        said.add_text(name, text)
    PIL.Image.new("RGB", (round(width), round(height)), "white").save(file, format, pnginfo=said)


def empty(*args, **options):
    """A small figure of nothing."""
    return Figure((1, 1))


def leave_white(patch: pytest.MonkeyPatch) -> None:
    """Until the patch is undone."""
    patch.setattr(Figure, "savefig", savefig)
    for module, names in _FIGURES.items():
        for name in names:
            patch.setattr(f"vipaint_pyro.cli.{module}.{name}", empty)


def unless_drawn(request: pytest.FixtureRequest, patch: pytest.MonkeyPatch) -> None:
    """The same, save in a test of the mark drawn."""
    if request.node.get_closest_marker("drawn") is None:
        leave_white(patch)
