"""From what stands on the first tab to the scene that the prior gets to see."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import PIL.Image

from vipaint_pyro.app.holes import boxed, masked_by, painted, transparent
from vipaint_pyro.app.pictures import Picture
from vipaint_pyro.app.scenes import Scene, scene_of
from vipaint_pyro.plots import grid

__all__ = ["BOX", "MASK", "PAINT", "SOURCES", "TRANSPARENT", "Held"]

PAINT, BOX, MASK, TRANSPARENT = "paint", "box", "mask", "transparent"
#: Where a hole may come from: in words, and the word.
SOURCES = [("Painted", PAINT), ("A box", BOX), ("A mask file", MASK), ("What is transparent", TRANSPARENT)]

#: So many parts are shown before they are filled.
_MOST = 6


@dataclass(frozen=True, eq=False)
class Held:
    """What a visitor has said of the hole.

    Attributes:
        source: of :data:`SOURCES`.
        drawing: of the editor.
        box: four numbers.
        mask: a file.
        how: of :data:`vipaint_pyro.app.scenes.CHOICES`, or None.
        grey: whether the picture may be turned grey.
    """

    source: str
    drawing: Mapping | None
    box: tuple[float | None, float | None, float | None, float | None]
    mask: str | None
    how: str | None
    grey: bool

    def hidden(self, picture: Picture) -> np.ndarray:
        """The hole, bool (H, W). Raises ValueError for one that cannot be."""
        size = picture.image.size
        if self.source == BOX:
            return boxed(*self.box, size)
        if self.source == MASK:
            return masked_by(self.mask, size)
        if self.source == TRANSPARENT:
            return transparent(picture)
        return painted(self.drawing, size)

    def scene(self, picture: Picture | None, shape: tuple[int, int, int]) -> Scene:
        """What a prior of this shape gets to see. Raises ValueError as :func:`vipaint_pyro.app.scenes.scene_of`."""
        if picture is None:
            raise ValueError("There is no picture yet: choose an example, or upload one")
        return scene_of(picture, self.hidden(picture), shape, self.how, self.grey)

    @staticmethod
    def shown(scene: Scene) -> PIL.Image.Image:
        """What the prior gets, part by part, and how much of it is filled."""
        parts = scene.parts[:_MOST]
        labels = [f"{100 * float((~part.observed).float().mean()):.0f} % is filled" for part in parts]
        if len(scene.parts) > _MOST:
            labels[-1] += f"\n(and {len(scene.parts) - _MOST} more)"
        return grid([[part.shown() for part in parts]], labels, side=168)
