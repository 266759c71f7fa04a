"""A picture and its hole as a prior gets to see them: as they are, or cropped or resized as the visitor chose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import PIL.Image
import torch
from torch import Tensor

from vipaint_pyro.app.pictures import Picture
from vipaint_pyro.images import to_output, to_unit
from vipaint_pyro.plots import observed_picture
from vipaint_pyro.regions import Region, centred, completed, regions_of, taken
from vipaint_pyro.wording import counted

__all__ = ["CHOICES", "Part", "Scene", "scene_of"]

#: What may be done with a picture of another size than the prior's: how -> in words.
CHOICES = {
    "region": "Keep its size: fill only the square around the hole",
    "fit": "Make all of it smaller",
    "crop": "Take the square in its middle",
}


@dataclass(frozen=True, eq=False)
class Part:
    """A square at the prior's size.

    Attributes:
        unit: in [0, 1], (C, H, W).
        observed: bool (1, H, W).
        region: where it lies in the picture; None where it is all of it.
    """

    unit: Tensor
    observed: Tensor
    region: Region | None = None

    def shown(self) -> PIL.Image.Image:
        """With its hole in lilac."""
        return observed_picture(self.unit, self.observed)


@dataclass(frozen=True, eq=False)
class Scene:
    """A picture, its hole, and the parts of it that a prior fills.

    Attributes:
        base: the picture that is filled: the visitor's, or for ``"fit"`` and ``"crop"`` what was made of it.
        unit: the same in [0, 1], float32 (C, H, W), in the prior's channels.
        hidden: bool (H, W).
        parts: what the prior gets, in turn.
        said: what is done with the picture, in a sentence.
        facts: the same for run.json.
    """

    base: PIL.Image.Image
    unit: np.ndarray
    hidden: np.ndarray
    parts: tuple[Part, ...]
    said: str
    facts: dict = field(default_factory=dict)

    def shown(self) -> list[PIL.Image.Image]:
        """What the prior gets to see, part by part."""
        return [part.shown() for part in self.parts]

    def whole(self, squares: Sequence[Tensor]) -> PIL.Image.Image:
        """The picture with a completion in [0, 1] (C, H, W) of each part in its place; known bytes are kept."""
        if self.parts[0].region is None:
            return to_output(squares[0][None], "pil")[0]
        small = [torch.as_tensor(x, device="cpu").float().numpy() for x in squares]
        pairs = [(part.region, x) for part, x in zip(self.parts, small) if part.region is not None]
        return completed(self.base, self.unit, self.hidden, pairs)


def scene_of(
    picture: Picture, hidden: np.ndarray, shape: tuple[int, int, int], how: str | None, grey: bool = False
) -> Scene:
    """What a prior gets to see.

    Args:
        picture: the visitor's.
        hidden: bool (H, W), what is to be filled.
        shape: (C, H, W) of the prior's pictures.
        how: of :data:`CHOICES`; None for no choice yet, which does for a picture of the prior's size.
        grey: whether a picture in colour may be turned grey for a prior that makes grey ones.

    Raises:
        ValueError: for a hole that is empty or everything, a picture that asks for a choice, or one that does not suit
            what was chosen; says what to do.
    """
    if not hidden.any():
        raise ValueError("There is no hole yet: paint over what is to be filled")
    if hidden.all():
        raise ValueError("The hole is the whole picture: leave some of it, so that there is something to go by")
    (channels, height, width), base = shape, picture.image
    turned = channels == 1 and picture.in_colour
    if turned:
        if not grey:
            raise ValueError("The picture is in colour, and this model makes grey ones: tick “Turn it grey”, or choose "
                             "another model")  # fmt: skip
        base = picture.opaque.convert("L")
    opaque = base if turned else picture.opaque
    said = "turned grey, and " if turned else ""
    unit = to_unit(opaque, (channels, *opaque.size[::-1]))[0]
    if opaque.size == (width, height):
        part = Part(unit, torch.from_numpy(~hidden)[None])
        return Scene(opaque, unit.numpy(), hidden, (part,), f"The picture is {said}given to the model as it is.")
    if height != width:
        raise ValueError(f"This model takes {width}x{height}, no squares: give a picture of that size")
    if how not in CHOICES:
        raise ValueError(f"The picture is {opaque.width}x{opaque.height}, and the model takes {width}x{height}: choose "
                         "what is to be done with it")  # fmt: skip
    whole = unit.numpy()
    if how == "region":
        return _in_regions(base, whole, hidden, width, said)
    return _resized(whole, hidden, width, how, said)


def _in_regions(base: PIL.Image.Image, unit: np.ndarray, hidden: np.ndarray, side: int, said: str) -> Scene:
    squares = regions_of(hidden, side)
    parts = tuple(_part(square, unit, hidden, side, square) for square in squares)
    places = ", ".join(f"{r.side}x{r.side} at {r.left}, {r.top}" for r in squares)
    text = (
        f"The picture is {said}kept at its size: {counted(len(squares), 'square')} around the hole ({places}) "
        f"{'is' if len(squares) == 1 else 'are'} given to the model at {side}x{side}, and only the hole is put back."
    )
    return Scene(base, unit, hidden, parts, text, {"region": "auto"})


def _resized(unit: np.ndarray, hidden: np.ndarray, side: int, how: str, said: str) -> Scene:
    square = centred(hidden, (max if how == "fit" else min)(hidden.shape))
    inside = square.crop(hidden)
    if not inside.any() or inside.all():
        what = "None of the hole lies" if not inside.any() else "Nothing but the hole lies"
        raise ValueError(f"{what} in the square in the middle: choose another way to make the picture fit")
    part = _part(square, unit, hidden, side, None)
    lost = int(hidden.sum()) - int(inside.sum())
    text = {
        "fit": f"All of the picture is {said}made {side}x{side}; what is left of the square is filled too.",
        "crop": f"The square in the middle is {said}made {side}x{side}; the rest is cut off"
        + (f", {lost} pixels of the hole with it." if lost else "."),
    }[how]
    (base,) = to_output(part.unit[None], "pil")
    facts = {"resized": {"how": how, **square.place()}}
    return Scene(base, part.unit.numpy(), ~part.observed[0].numpy(), (part,), text, facts)


def _part(square: Region, unit: np.ndarray, hidden: np.ndarray, side: int, region: Region | None) -> Part:
    small, known = taken(square, unit, hidden, side)
    return Part(torch.from_numpy(small), torch.from_numpy(known)[None], region)
