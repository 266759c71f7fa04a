"""A picture whose known bytes can stay beside what is filled: in sRGB, of a mode that takes any colour."""

from __future__ import annotations

import io

import PIL.Image
import PIL.ImageCms

from vipaint_pyro.reading import in_srgb

__all__ = ["keepable"]

#: Modes of PIL whose known bytes can stay beside what is filled.
_KEPT = ("L", "LA", "RGB", "RGBA")


def keepable(image: PIL.Image.Image) -> tuple[PIL.Image.Image, str]:
    """The picture itself where new colours can stand beside its bytes, else converted; and what was done, in words.

    Colours of an embedded profile are brought to sRGB, whose profile is embedded then; transparency stays.

    Raises:
        ValueError: for a profile that cannot be used, or more than 8 bits a channel.
    """
    if image.mode.startswith("I") or image.mode == "F":
        raise ValueError(
            f"the image is of mode {image.mode} (16 or more bits per pixel), which results are not written in: convert "
            "it to 8 bits first"
        )
    colours = in_srgb(image)
    if colours is image and image.mode in _KEPT:
        return image, ""
    clear = "A" in image.getbands() or "a" in image.getbands() or (image.mode == "P" and "transparency" in image.info)
    result = colours.convert("RGBA" if clear else "RGB")
    if colours is not image:
        if clear:
            result.putalpha(image.convert("RGBA").getchannel("A"))
        result.info |= {key: image.info[key] for key in ("exif", "dpi") if key in image.info}
        name = _name(image)
        return result, f"its colours are brought from the profile {name!r} to sRGB, in which known pixels are kept"
    result.info.pop("transparency", None)
    kinds = {"P": "a palette", "1": "two colours", "CMYK": "the inks of CMYK without a profile"}
    kind = kinds.get(image.mode, f"mode {image.mode}")
    return result, f"it is kept as {result.mode} in place of {kind}"


def _name(image: PIL.Image.Image) -> str:
    profile = PIL.ImageCms.ImageCmsProfile(io.BytesIO(image.info["icc_profile"]))
    return PIL.ImageCms.getProfileDescription(profile).strip()
