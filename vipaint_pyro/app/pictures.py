"""The picture that a visitor works on."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import PIL.Image

from vipaint_pyro.opening import opaque_and_mask, read_image
from vipaint_pyro.reading import in_srgb

__all__ = ["EXAMPLES", "Example", "Picture", "canvas_of", "enlarged", "opened"]

#: The longest side of what is shown to be painted on: pictures are enlarged to it by a whole number, or made smaller.
_SMALL, _LARGE = 448, 768


@dataclass(frozen=True)
class Example:
    """A picture that ships.

    Attributes:
        name: for people.
        prior: of whose kind it is.
        file: in the package's assets.
    """

    name: str
    prior: str
    file: str

    @property
    def path(self) -> Path:
        """Where it lies."""
        return Path(str(files("vipaint_pyro") / "assets" / self.file))


EXAMPLES = (
    Example("Cartoon face", "cartoon-faces", "demo/image.png"),
    Example("Ankle boot", "fashion-mnist", "fashion-mnist/ankle-boot.png"),
)


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture as it is filled, of the mode L, LA, RGB or RGBA and in sRGB.

    Attributes:
        name: of its file.
        image: with its transparency, if it has any.
    """

    name: str
    image: PIL.Image.Image

    @property
    def opaque(self) -> PIL.Image.Image:
        """The same without transparency."""
        return opaque_and_mask(self.image)[0] if self.image.mode in ("LA", "RGBA") else self.image

    @property
    def in_colour(self) -> bool:
        """Whether any pixel is of another colour than grey."""
        red, green, blue = self.opaque.convert("RGB").split()
        return red.tobytes() != green.tobytes() or green.tobytes() != blue.tobytes()


def opened(path: str | Path, name: str | None = None) -> Picture:
    """A picture from a file.

    Raises:
        ValueError: for what is no picture, is damaged, animated, too large, or of more than 8 bits; names the file as
            its owner does.
    """
    name = Path(path).name if name is None else name
    try:
        image = read_image(path)
    except (ValueError, FileNotFoundError) as error:
        raise ValueError(str(error).replace(str(path), name)) from None
    if image.mode[0] in "IF":
        raise ValueError(f"{name} has 16 or more bits per pixel: save it with 8 bits first")
    seen = in_srgb(image)
    if seen.mode not in ("L", "LA", "RGB", "RGBA"):
        clear = seen.mode == "PA" or "transparency" in seen.info
        seen = seen.convert("RGBA" if clear else "L" if seen.mode == "1" else "RGB")
    return Picture(name, seen)


def enlarged(image: PIL.Image.Image, side: int = _SMALL) -> PIL.Image.Image:
    """A picture enlarged by a whole number, without smoothing, so that its longer side comes near to ``side``."""
    times = max(1, side // max(image.size))
    return image.resize((image.width * times, image.height * times), PIL.Image.Resampling.NEAREST)


def canvas_of(picture: Picture) -> PIL.Image.Image:
    """What is shown to be painted on: a small picture enlarged, a large one made smaller."""
    shown = enlarged(picture.opaque.convert("RGB"))
    if max(shown.size) > _LARGE:
        shown.thumbnail((_LARGE, _LARGE), PIL.Image.Resampling.LANCZOS)
    return shown
