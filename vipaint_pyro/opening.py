"""A picture from a file, and what of it is transparent; with PIL alone, before anything larger is loaded."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import PIL.Image
import PIL.ImageChops
import PIL.ImageOps

__all__ = [
    "ALL_BLACK", "ALL_WHITE", "ALPHA", "GREY_FIRST", "MAX_PIXELS", "SEE_THROUGH", "alpha_of", "check_depth",
    "check_mask", "check_opaque", "extrema", "hidden_by", "opaque_and_mask", "read_image", "unusable", "upright",
]  # fmt: skip

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF")
#: A picture of so many is filled in 4 GB of memory.
MAX_PIXELS = 2**26

#: In place of a mask: the picture's own transparency.
ALPHA = "alpha"

GREY_FIRST = "convert it to grey first, e.g. with PIL's image.convert('L')"

#: What is said of a mask with transparent pixels.
SEE_THROUGH = "it has transparent pixels; flatten it onto black or white"

#: What is said of masks that hide everything or nothing.
ALL_WHITE = (
    "the mask is white everywhere (no value is below half of the range), so no pixel is known; black marks the pixels "
    "to keep"
)
ALL_BLACK = (
    "the mask is black everywhere (no value reaches half of the range), so there is nothing to fill; white, 255 in 8 "
    "bits (not 1), 1.0 in floating point and True in bool, marks the pixels to fill"
)


def read_image(path: str | Path) -> PIL.Image.Image:
    """A still picture from a file, turned as its EXIF data say; its colour profile stays with it.

    Raises:
        FileNotFoundError: where there is no such file.
        ValueError: for a file that is no picture of a known format, is damaged, animated or has
            more than 2^26 pixels (67 million).
    """
    path = Path(path)
    if path.is_dir():
        raise ValueError(f"{path} is a folder; give the picture's file")
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file")
    try:
        with PIL.Image.open(path, formats=FORMATS) as image:
            # A photograph of a phone may carry previews of itself behind it (MPO): the first frame is the picture.
            frames = getattr(image, "n_frames", 1)
            if frames > 1 and image.format != "MPO":
                raise ValueError(
                    f"{path} is animated ({frames} frames); save the frame you want as a PNG"
                )
            if image.width * image.height > MAX_PIXELS:
                raise ValueError(
                    f"{path} has {image.width}x{image.height} pixels, more than {MAX_PIXELS}: crop it, or make it "
                    "smaller"
                )
            image.load()
            return PIL.ImageOps.exif_transpose(image)
    except PIL.UnidentifiedImageError:
        raise ValueError(f"{path} is no picture in one of the formats {', '.join(FORMATS)}") from None
    except (OSError, SyntaxError, PIL.Image.DecompressionBombError) as error:
        raise ValueError(f"{path} cannot be read as a picture, it may be damaged: {error}") from error


def check_mask(mask: PIL.Image.Image, may_be_empty: bool = False) -> None:
    """Raise ValueError for a mask that cannot be one.

    Args:
        mask: white = to be filled.
        may_be_empty: whether it may be black or white all over, since something else is filled besides.

    Raises:
        ValueError: for 16 or more bits, pixels that can be seen through, colour, or one that is black or white all
            over.
    """
    try:
        check_depth(mask)
        if (alpha := alpha_of(mask)) is not None and extrema(alpha)[0] < 255:
            raise ValueError(SEE_THROUGH)
    except ValueError as error:
        raise ValueError(unusable(str(error))) from None
    red, green, blue = mask.convert("RGB").split()
    if any(PIL.ImageChops.difference(red, other).getbbox() for other in (green, blue)):
        raise ValueError(unusable(f"it is in colour; {GREY_FIRST}", colour=True))
    if may_be_empty:
        return
    low, high = extrema(red)
    if low >= 128:
        raise ValueError(ALL_WHITE)
    if high < 128:
        raise ValueError(ALL_BLACK)


def hidden_by(mask: PIL.Image.Image) -> PIL.Image.Image:
    """What a mask hides: 255 where it is to be filled, else 0."""
    return mask.convert("RGB").getchannel(0).point(lambda value: 255 * (value >= 128))


def unusable(why: str, colour: bool = False) -> str:
    """What is said of a mask that cannot be used: one in colour may be the picture."""
    swapped = "; or is it the picture, which is given before the mask?" if colour else ""
    return f"the mask cannot be used (white = to be filled, black = keep): {why}{swapped}"


def upright(image: PIL.Image.Image) -> PIL.Image.Image:
    """A picture turned as its EXIF data say; ValueError where it has more than 8 bits per channel."""
    check_depth(image)
    return PIL.ImageOps.exif_transpose(image)


def check_depth(image: PIL.Image.Image) -> None:
    """Raise ValueError for a picture of more than 8 bits per channel."""
    if image.mode.startswith("I;16") or image.mode in ("I", "F"):
        raise ValueError(
            f"a picture of mode {image.mode} (16 or more bits per pixel) has no fixed range here; "
            "convert it to 8 bits first"
        )


def check_opaque(image: PIL.Image.Image) -> None:
    """Raise ValueError for a picture that can be seen through somewhere."""
    alpha = alpha_of(image)
    if alpha is not None and extrema(alpha)[0] < 255:
        raise ValueError(
            "the picture has transparent pixels, which no prior models; flatten it onto a colour, or to fill them take "
            "them as the mask: mask_image='alpha'"
        )


def alpha_of(image: PIL.Image.Image) -> PIL.Image.Image | None:
    """How opaque each pixel is, where the picture says so."""
    if "A" not in image.getbands() and "transparency" not in image.info:
        return None
    return image.convert("RGBA").getchannel("A")


def extrema(channel: PIL.Image.Image) -> tuple[int, int]:
    """The smallest and the largest value of a picture of one channel."""
    return cast(tuple[int, int], channel.getextrema())


def opaque_and_mask(image: object) -> tuple[PIL.Image.Image, PIL.Image.Image]:
    """A picture without its transparency, every colour as it is, and the mask that this leaves: white = transparent.

    What can be seen through a little, like the soft edge of an eraser, is transparent, too.

    Args:
        image: a PIL image with an alpha channel or a transparent colour.

    Raises:
        TypeError: for anything but a PIL image.
        ValueError: where nothing in it is transparent, or everything.
    """
    if not isinstance(image, PIL.Image.Image):
        raise TypeError(
            f"the mask 'alpha' is the transparency of a PIL image, but the image is of type {type(image).__name__}: "
            "give the mask itself"
        )
    turned = upright(image)
    alpha = alpha_of(turned)
    low, high = (255, 255) if alpha is None else extrema(alpha)
    if alpha is None or low == 255 or high < 255:
        some = "is nowhere transparent" if low == 255 else "is transparent everywhere, a little at least"
        what = "has no alpha channel" if alpha is None else some
        raise ValueError(f"the mask was to be the picture's transparent part, but it {what}: give a mask")
    opaque = turned.convert("L") if turned.mode == "LA" else turned.convert("RGBA").convert("RGB")
    opaque.info.pop("transparency", None)
    return opaque, alpha.point(lambda opacity: 255 * (opacity < 255))
