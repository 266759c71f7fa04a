"""What a photograph's file says besides its colours, for the completions to say, too."""

from __future__ import annotations

import io
import struct
from collections.abc import Mapping
from typing import Any

import PIL.Image
import PIL.ImageCms

from vipaint_pyro.reading import is_srgb

__all__ = ["fitting", "metadata_of"]

#: The colour spaces of profiles, by the modes that they are for.
_SPACES = {"L": "GRAY", "LA": "GRAY", "RGB": "RGB", "RGBA": "RGB"}


def metadata_of(image: PIL.Image.Image) -> dict[str, Any]:
    """What is known of a picture besides its pixels, by the keywords of PIL's ``save``.

    - ``exif``: its orientation is gone, since pictures are turned by it as they are read; and without the thumbnail,
      which shows what is hidden;
    - ``dpi``;
    - ``icc_profile``: where it is sRGB's. Colours of others are brought to sRGB before they are looked at.

    What cannot be read is left out.
    """
    return _exif(image) | _dots(image.info.get("dpi")) | _profile(image.info.get("icc_profile"))


def fitting(metadata: Mapping[str, Any], mode: str) -> dict[str, Any]:
    """The same for a picture of a mode: without a profile of another colour space."""
    found = dict(metadata)
    if "icc_profile" in found:
        space = PIL.ImageCms.ImageCmsProfile(io.BytesIO(found["icc_profile"])).profile.xcolor_space
        if space.strip() != _SPACES.get(mode):
            del found["icc_profile"]
    return found


def _exif(image: PIL.Image.Image) -> dict[str, Any]:
    try:
        exif = image.getexif()
        return {"exif": exif.tobytes()} if len(exif) else {}  # the first directory; the thumbnail is in the second
    except (ValueError, TypeError, KeyError, OSError, SyntaxError, struct.error):
        return {}


def _dots(given: Any) -> dict[str, Any]:
    """Dots per inch, where they are two numbers that a PNG can hold."""
    try:
        across, down = map(float, given)
    except (TypeError, ValueError, ZeroDivisionError):
        return {}
    return {"dpi": (across, down)} if all(0 < n < 1e6 for n in (across, down)) else {}


def _profile(embedded: bytes | None) -> dict[str, Any]:
    try:
        srgb = bool(embedded) and is_srgb(PIL.ImageCms.ImageCmsProfile(io.BytesIO(embedded or b"")))
    except (PIL.ImageCms.PyCMSError, OSError):
        return {}
    return {"icc_profile": embedded} if srgb else {}
