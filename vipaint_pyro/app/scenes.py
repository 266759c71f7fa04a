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
from vipaint_pyro.regions import Filled, Square, centred, completed, regions_of, taken, tiles_of
from vipaint_pyro.regions.near import near, reduced
from vipaint_pyro.wording import counted

__all__ = ["CHOICES", "Part", "Scene", "scene_of"]

#: Of so many squares it is said where they lie.
_LISTED = 4
#: What may be done with a picture of another size than the prior's: how -> in words.
CHOICES = {
    "region": "Keep its size: fill only the square around the hole",
    "tiles": "Keep its size: fill squares along the hole, one after another",
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
        later: whether it sees what parts before it fill, so that each sample has another view of it, and a fit.
    """

    unit: Tensor
    observed: Tensor
    region: Square | None = None
    later: bool = False

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
        joint: whether parts see what was filled before them.
    """

    base: PIL.Image.Image
    unit: np.ndarray
    hidden: np.ndarray
    parts: tuple[Part, ...]
    said: str
    facts: dict = field(default_factory=dict)
    joint: bool = False

    @property
    def squares(self) -> list[Square]:
        """Where the parts lie in the picture; none of a picture that is given as a whole."""
        return [part.region for part in self.parts if part.region is not None]

    def empty(self) -> Filled:
        """The picture with nothing filled yet, to be filled square by square."""
        return Filled(self.unit, self.hidden, self.joint)

    def glance(self, picture: PIL.Image.Image) -> PIL.Image.Image:
        """What is shown of a sample: all of it, or of a large one what lies around a small hole."""
        return reduced(picture, near(self.squares, self.base.size))

    @property
    def closer(self) -> bool:
        """Whether less than the whole picture is shown of a sample."""
        return bool(near(self.squares, self.base.size))

    def whole(self, completion: Tensor) -> PIL.Image.Image:
        """The picture with a completion in [0, 1] (C, H, W) of its one part in its place; known bytes are kept."""
        (part,), small = self.parts, torch.as_tensor(completion, device="cpu")
        if part.region is None:
            return to_output(small[None], "pil")[0]
        return completed(self.base, self.unit, self.hidden, [(part.region, small.float().numpy())])


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
    if how in ("region", "tiles"):
        return _in_squares(base, whole, hidden, width, how, said)
    return _resized(whole, hidden, width, how, said)


def _in_squares(base: PIL.Image.Image, unit: np.ndarray, hidden: np.ndarray, side: int, how: str, said: str) -> Scene:
    squares: Sequence[Square] = (tiles_of if how == "tiles" else regions_of)(hidden, side)
    later = [any(square.sees(other) for other in squares[:k]) for k, square in enumerate(squares)]
    parts = tuple(_part(square, unit, hidden, side, square, after) for square, after in zip(squares, later))
    is_, number = "is" if len(squares) == 1 else "are", sum(later)
    where = "along" if len(squares) > 1 and how == "tiles" else "around"
    text = f"The picture is {said}kept at its size: {counted(len(squares), 'square')} {where} the hole"
    if len(squares) <= _LISTED:
        text += f" ({', '.join(f'{s.side}x{s.side} at {s.left}, {s.top}' for s in squares)})"
    text += f" {is_} given to the model at {side}x{side}, and only the hole is put back."
    if number:
        sees = "see what the others have filled, and are" if number > 1 else "sees what others have filled, and is"
        text += f" {number} of them {sees} fitted anew for each sample."
    facts = {"region": "tiles" if how == "tiles" else "auto"}
    return Scene(base, unit, hidden, parts, text, facts, joint=how == "tiles")


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


def _part(
    square: Square, unit: np.ndarray, hidden: np.ndarray, side: int, region: Square | None, later: bool = False
) -> Part:
    try:
        small, known = taken(square, unit, hidden, side)
    except ValueError as error:  # with advice for the command line
        reason = str(error).partition(": ")[0]
        raise ValueError(f"{reason[0].upper()}{reason[1:]}: paint another hole, or choose another way") from None
    return Part(torch.from_numpy(small), torch.from_numpy(known)[None], region, later)
