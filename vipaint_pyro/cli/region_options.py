"""What ``vipaint inpaint`` does with a picture of another size than the prior's: the options, checked first of all."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    import PIL.Image

__all__ = ["check_region", "check_together", "region_options"]


class _Numbers(click.ParamType):
    """Four comma-separated whole numbers, or one of some words."""

    def __init__(self, name: str, *words: str):
        self.name, self.words = name, words

    def convert(self, value, param, ctx):
        if isinstance(value, tuple) or value in self.words:
            return value
        try:
            numbers = tuple(int(part) for part in value.split(","))
        except ValueError:
            numbers = ()
        if len(numbers) != 4 or min(numbers) < 0:
            other = "".join(f"{word} or " for word in self.words)
            self.fail(f"{value!r} is not {other}four whole numbers {self.name}, none below 0", param, ctx)
        return numbers


def region_options(command: Callable) -> Callable:
    """``--region``, ``--resize`` and ``--expand``."""
    for option in (
        click.option(
            "--expand",
            type=_Numbers("LEFT,TOP,RIGHT,BOTTOM"),
            help="Outpainting: the canvas grows by so many pixels, and the new border is filled; MASK may be left out. "
            "Implies --region auto where no --resize is given.",
        ),
        click.option(
            "--resize",
            type=click.Choice(["fit", "crop"]),
            help="Make IMAGE the prior's size, and give results of that size. fit: all of it, its shape kept; what "
            "is left of the square is filled too. crop: the square in its middle.",
        ),
        click.option(
            "--region",
            type=_Numbers("X,Y,W,H", "auto", "tiles"),
            help="Fill the hole of a picture of any size: the square around it is resized to the prior's size, filled, "
            "and put back where the hole is. auto: a square twice as long as the hole, one for each of several holes "
            "far apart; tiles: squares along the hole, of the prior's own size where it is thin enough, each of which "
            "goes on from what those before it filled; X,Y,W,H: this one, W = H, in pixels from the left and top (of "
            "the larger canvas). Default: tiles where no --prior is given, or a built-in one of patches; else none, "
            "and IMAGE is of the prior's size.",
        ),
    ):
        command = option(command)
    return command


def check_together(region: Any, resize: str | None, expand: tuple | None) -> None:
    """Raise ValueError for options of :func:`region_options` that contradict one another or mean nothing."""
    if region is not None and resize is not None:
        raise ValueError(
            "--region fills a picture at its own size and --resize makes it the prior's: give one of them"
        )
    if expand is not None and not any(expand):
        raise ValueError("--expand 0,0,0,0 leaves the picture as it is: say by how many pixels it grows")
    if region not in (None, "auto", "tiles"):
        _, _, width, height = region
        if width != height or not width:
            raise ValueError(
                f"--region X,Y,W,H is a square, as the prior's pictures are, but is {width}x{height}: give W = H"
            )


def check_region(region: tuple[int, int, int, int], mask: PIL.Image.Image) -> None:
    """Raise ValueError for a square (x, y, w, w) that leaves the picture or the mask's hole, or is all hole."""
    from vipaint_pyro.opening import extrema, hidden_by

    left, top, side, _ = region
    said = f"--region {left},{top},{side},{side}"
    if left + side > mask.width or top + side > mask.height:
        raise ValueError(f"{said} leaves the picture, which is {mask.width}x{mask.height}")
    hidden = hidden_by(mask)
    inside = hidden.crop((left, top, left + side, top + side))
    if inside.histogram()[255] < hidden.histogram()[255]:
        raise ValueError(f"the hole leaves {said}: take a larger square, or --region auto")
    if extrema(inside)[0]:
        raise ValueError(f"{said} is all hole, so that nothing is known there: take a larger square")
