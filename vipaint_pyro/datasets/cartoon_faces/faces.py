"""Cartoon faces with known attributes: the pictures that the ``cartoon-faces`` prior is trained on.

Every face is an independent draw of its attributes, rendered by the MIT-licensed ``python-avatars``
(extra ``faces``). The number of different faces is finite and each one's probability known, so that the true
answer to "what may be under the mask?" can be computed: :mod:`vipaint_pyro.datasets.cartoon_faces.posterior`.
"""

from __future__ import annotations

import io
import random
import re
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

from vipaint_pyro.files import write_tensors
from vipaint_pyro.images import from_bytes, to_bytes

__all__ = ["ATTRIBUTES", "cartoon_faces", "draw_attributes", "number", "render", "shows"]

_HATS = ("HAT", "TURBAN", "WINTER_HAT_1")


def _even(*choices: str) -> dict[str, float]:
    return {choice: 1 / len(choices) for choice in choices}


#: Attribute -> choice -> probability. The names are those of ``python-avatars``. ``hair_color`` is the
#: beard's colour too, ``hat_color`` shows only with a hat, as ``hair_color`` only without one or with a beard.
ATTRIBUTES: dict[str, dict[str, float]] = {
    "top": _even(
        "BOB", "BUN", "CURLY", "FRO", "LONG_NOT_TOO_LONG", "MOHAWK", "SHAGGY", "SHORT_FLAT", "STRAIGHT_1", *_HATS
    ),
    "hair_color": _even("BLACK", "BLONDE_GOLDEN", "BROWN", "PASTEL_PINK", "RED", "SILVER_GRAY"),
    "hat_color": _even("BLACK", "BLUE_02", "GRAY_02", "PASTEL_GREEN", "PASTEL_YELLOW", "PINK", "RED"),
    "skin_color": _even("BLACK", "BROWN", "DARK_BROWN", "LIGHT", "PALE", "YELLOW"),
    "eyes": _even("DEFAULT", "HAPPY", "HEART", "SQUINT", "SURPRISED", "WINK"),
    "eyebrows": _even("ANGRY", "DEFAULT", "RAISED_EXCITED", "UNIBROW_NATURAL"),
    "mouth": _even("GRIMACE", "SAD", "SCREAM_OPEN", "SERIOUS", "SMILE", "TONGUE"),
    "facial_hair": {"NONE": 0.4, "BEARD_LIGHT": 0.2, "BEARD_MAGESTIC": 0.2, "MOUSTACHE_FANCY": 0.2},
    "accessory": {"NONE": 0.5, "PRESCRIPTION_2": 0.3, "SUNGLASSES": 0.2},
    "clothing": _even("BLAZER_SHIRT", "BOND_SUIT", "COLLAR_SWEATER", "HOODIE", "OVERALL", "SHIRT_CREW_NECK"),
    "clothing_color": _even("BLACK", "BLUE_02", "GRAY_02", "PASTEL_GREEN", "PASTEL_YELLOW", "PINK", "RED"),
}

# The part of the 264 x 280 drawing that is shown: a square about the head, so that a face fills the picture.
_VIEW = "16 8 232 232"


def draw_attributes(split: str, index: int) -> dict[str, str]:
    """The attributes of one face, by its number: the same on every machine.

    Args:
        split: ``"train"`` or ``"test"``; the two never share a seed.
        index: any whole number of at least 0.

    Raises:
        ValueError: for another split or a negative index.
    """
    if split not in ("train", "test"):
        raise ValueError(f"split is 'train' or 'test', not {split!r}")
    if index < 0:
        raise ValueError(f"index is at least 0, but is {index}")
    dice = random.Random(f"cartoon-faces/{split}/{index}")
    return {name: dice.choices([*odds], [*odds.values()])[0] for name, odds in ATTRIBUTES.items()}


def render(attributes: Mapping[str, str], size: int = 64) -> Tensor:
    """The picture of a face, (3, size, size) in [-1, 1] on white.

    Raises:
        ImportError: where the extra ``faces`` is not installed.
        ValueError: for attributes other than those of :data:`ATTRIBUTES`.
    """
    if attributes.keys() != ATTRIBUTES.keys():
        raise ValueError(f"a face has the attributes {', '.join(ATTRIBUTES)}")
    for name, choice in attributes.items():
        if choice not in ATTRIBUTES[name]:
            raise ValueError(f"{name} is one of {', '.join(ATTRIBUTES[name])}, not {choice!r}")
    try:
        import python_avatars as pa
        import resvg_py
    except ImportError as error:
        raise ImportError("drawing cartoon faces needs the extra 'faces': pip install 'vipaint-pyro[faces]'") from error
    import numpy as np
    from PIL import Image

    top = attributes["top"]
    avatar = pa.Avatar(
        style=pa.AvatarStyle.TRANSPARENT,
        top=(pa.HatType if top in _HATS else pa.HairType)[top],
        hair_color=pa.HairColor[attributes["hair_color"]],
        hat_color=pa.ClothingColor[attributes["hat_color"]],
        skin_color=pa.SkinColor[attributes["skin_color"]],
        eyes=pa.EyeType[attributes["eyes"]],
        eyebrows=pa.EyebrowType[attributes["eyebrows"]],
        nose=pa.NoseType.DEFAULT,
        mouth=pa.MouthType[attributes["mouth"]],
        facial_hair=pa.FacialHairType[attributes["facial_hair"]],
        facial_hair_color=pa.HairColor[attributes["hair_color"]],
        accessory=pa.AccessoryType[attributes["accessory"]],
        clothing=pa.ClothingType[attributes["clothing"]],
        clothing_color=pa.ClothingColor[attributes["clothing_color"]],
    )
    head = f'width="{size}" height="{size}" viewBox="{_VIEW}"'
    svg = re.sub(r'width="264px" height="280px" viewBox="[^"]*"', head, avatar.render(), count=1)
    png = resvg_py.svg_to_bytes(svg_string=svg, background="white")
    pixels = np.array(Image.open(io.BytesIO(bytes(png))).convert("RGB"))
    return from_bytes(torch.from_numpy(pixels).permute(2, 0, 1))


def cartoon_faces(
    split: str,
    number: int,
    cache: str | Path | None = None,
    progress: Callable[[int], None] | None = None,
) -> tuple[Tensor, Tensor]:
    """The first faces of a split, with their attributes.

    Args:
        split: ``"train"`` or ``"test"``.
        number: how many, from index 0 on.
        cache: a safetensors file to read them from, or to keep them in; about 12 KB per face.
        progress: called with the number of faces drawn so far, every thousand faces.

    Returns:
        Images (N, 3, 64, 64), uint8, and attributes (N, 11), int64: the number of each face's choice among
        those of :data:`ATTRIBUTES`, in that order.

    Raises:
        ImportError: as :func:`render`.
        ValueError: where the cache holds another number of faces.
    """
    if cache is not None and Path(cache).is_file():
        kept = load_file(cache)
        if len(kept["images"]) != number:
            raise ValueError(f"{cache} holds {len(kept['images'])} faces, not {number}; delete it to draw them anew")
        return kept["images"], kept["attributes"]
    images = torch.empty(number, 3, 64, 64, dtype=torch.uint8, device="cpu")
    attributes = torch.empty(number, len(ATTRIBUTES), dtype=torch.int64, device="cpu")
    numbers = {name: {choice: i for i, choice in enumerate(odds)} for name, odds in ATTRIBUTES.items()}
    for i in range(number):
        drawn = draw_attributes(split, i)
        images[i] = to_bytes(render(drawn))
        attributes[i] = torch.tensor([numbers[name][choice] for name, choice in drawn.items()], device="cpu")
        if progress is not None and (i + 1) % 1000 == 0:
            progress(i + 1)
    if cache is not None:
        write_tensors(cache, {"images": images, "attributes": attributes})
    return images, attributes


def number(attributes: Mapping[str, str]) -> Tensor:
    """A face's attributes by name as whole numbers (11,), in the order of :data:`ATTRIBUTES`."""
    return torch.tensor([[*odds].index(attributes[name]) for name, odds in ATTRIBUTES.items()], device="cpu")


def shows(attributes: Tensor) -> Tensor:
    """Which attributes can be seen in a face.

    Sunglasses hide the eyes but for a shimmer; the hair's colour shows in hair or beard, the hat's in a hat.

    Args:
        attributes: whole numbers (*, 11), as :func:`cartoon_faces` gives them.

    Returns:
        bool, with the same shape.
    """
    place = {name: i for i, name in enumerate(ATTRIBUTES)}

    def among(name: str, *choices: str) -> Tensor:
        known = torch.tensor([i for i, choice in enumerate(ATTRIBUTES[name]) if choice in choices], device="cpu")
        return torch.isin(attributes[..., place[name]], known)

    seen = torch.ones_like(attributes, dtype=torch.bool)
    hat = among("top", *_HATS)
    seen[..., place["eyes"]] = ~among("accessory", "SUNGLASSES")
    seen[..., place["hat_color"]] = hat
    seen[..., place["hair_color"]] = ~hat | ~among("facial_hair", "NONE")
    return seen
