"""One picture of any kind, as a tensor (C, H, W) in [0, 1]; nothing that it has is dropped silently."""

from __future__ import annotations

from io import BytesIO
from typing import cast

import numpy as np
import PIL.Image
import PIL.ImageCms
import PIL.ImageOps
import torch
from torch import Tensor

from vipaint_pyro.opening import GREY_FIRST, SEE_THROUGH, alpha_of, check_opaque, extrema, upright
from vipaint_pyro.tensors import check_tensor

__all__ = ["InColour", "in_srgb", "is_srgb", "one_to_unit"]


class InColour(ValueError):
    """A picture in colour where one of a single channel is taken."""


def in_srgb(image: PIL.Image.Image) -> PIL.Image.Image:
    """A picture in the colours of sRGB, which every network here was trained in and every written picture is in.

    One without a colour profile is taken to be in sRGB already.

    Raises:
        ValueError: for a colour profile that cannot be read or does not belong to such a picture.
    """
    embedded = image.info.get("icc_profile")
    if not embedded:
        return image
    try:
        profile = PIL.ImageCms.ImageCmsProfile(BytesIO(embedded))
        if is_srgb(profile):  # a conversion would round for nothing
            return image
        plain = image if image.mode in ("RGB", "L", "CMYK") else image.convert("RGB")
        srgb = PIL.ImageCms.createProfile("sRGB")
        return cast(PIL.Image.Image, PIL.ImageCms.profileToProfile(plain, profile, srgb, outputMode="RGB"))
    except (PIL.ImageCms.PyCMSError, OSError) as error:
        raise ValueError(
            f"the picture's colour profile cannot be used ({error}); save it in sRGB, or without a profile"
        ) from error


def is_srgb(profile: PIL.ImageCms.ImageCmsProfile) -> bool:
    """Whether a colour profile is sRGB's, by what it says of itself."""
    return "srgb" in PIL.ImageCms.getProfileDescription(profile).lower()


def _pil_to_unit(image: PIL.Image.Image, channels: int, colours: bool) -> Tensor:
    """A picture as (C, H, W) in [0, 1], without dropping colour or transparency that it has."""
    image = upright(image)
    if colours:
        check_opaque(image)
    elif (alpha := alpha_of(image)) is not None and extrema(alpha)[0] < 255:
        raise ValueError(SEE_THROUGH)
    colour = np.asarray((in_srgb(image) if colours else image).convert("RGB"))
    if channels == 3:
        array = colour
    elif channels == 1:
        if (colour != colour[..., :1]).any():
            raise InColour(f"it is in colour; {GREY_FIRST}")
        array = colour[..., :1]
    else:
        raise ValueError(f"pictures have 1 or 3 channels, the prior {channels}; give a tensor instead")
    return torch.from_numpy(array.copy()).permute(2, 0, 1).float() / 255


def _array_to_unit(array: np.ndarray, slack: float = 0.0) -> Tensor:
    """An array (H, W) or (H, W, C), 8-bit or floating in [0, 1], as (C, H, W) in [0, 1]."""
    if array.ndim == 2:
        array = array[..., None]
    if array.ndim != 3:
        raise ValueError(f"an image array is (H, W) or (H, W, C), not {array.shape}")
    return _tensor_to_unit(torch.from_numpy(np.require(array, requirements=["C", "W"])).permute(2, 0, 1), slack)


def _tensor_to_unit(tensor: Tensor, slack: float = 0.0) -> Tensor:
    """A tensor (C, H, W), 8-bit or floating in [0, 1] give or take ``slack``, in [0, 1]."""
    check_tensor("the image", tensor, "(C, H, W)", error=ValueError)
    if tensor.ndim != 3 or not tensor.numel():
        raise ValueError(f"an image tensor is (C, H, W), not {tuple(tensor.shape)}")
    if tensor.dtype == torch.uint8:
        return tensor.float() / 255
    if tensor.dtype == torch.bool:
        return tensor.float()
    if not tensor.is_floating_point():
        raise ValueError(
            f"an image is 8-bit (uint8) or floating in [0, 1], not {tensor.dtype}: bytes are made by "
            ".astype(numpy.uint8), a mask of 0 and 1 by .astype(bool)"
        )
    if not torch.isfinite(tensor).all():
        raise ValueError("the image holds values that are not finite")
    low, high = tensor.min().item(), tensor.max().item()
    if low < -slack or high > 1 + slack:
        cure = "if it is in [-1, 1], give (image + 1) / 2" if low < 0 else "if it is in 0 ... 255, give image / 255"
        noise = f", noise up to {slack:g} apart" if slack else ""
        raise ValueError(f"floating images are in [0, 1]{noise}, but this one spans [{low:.3g}, {high:.3g}]; {cure}")
    return tensor


def one_to_unit(image: object, channels: int, slack: float = 0.0, colours: bool = True) -> Tensor:
    """One picture as (C, H, W) in [0, 1]; a PIL image turned as its EXIF data say.

    Args:
        image: PIL image, array (H, W) or (H, W, C), tensor (C, H, W); 8-bit, bool or floating in [0, 1].
        channels: of which a PIL image is to be; arrays and tensors keep theirs.
        slack: by how much floating numbers may leave [0, 1].
        colours: whether a PIL image with a colour profile is brought to sRGB; the numbers of a mask are no colours.

    Raises:
        InColour: for a PIL image in colour where one channel is taken.
        TypeError: for anything else.
        ValueError: for another number of axes, range or precision, or pixels that can be seen through.
    """
    if isinstance(image, PIL.Image.Image):
        return _pil_to_unit(image, channels, colours)
    if isinstance(image, np.ndarray):
        return _array_to_unit(image, slack)
    if isinstance(image, torch.Tensor):
        return _tensor_to_unit(image, slack)
    raise TypeError(
        f"an image is a PIL image, an array (H, W, C) or a tensor (C, H, W), not {type(image).__name__}"
    )
