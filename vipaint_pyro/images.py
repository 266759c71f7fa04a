"""Between pictures and tensors: ranges, batches, masks, compositing.

Outside, images are in [0, 1] (or 8-bit) and a white mask pixel is one to be filled. Inside, images
are in [-1, 1] and a bool tensor called ``observed`` says what is known. Only this file converts.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Any

import numpy as np
import PIL.Image
import torch
from torch import Tensor

from vipaint_pyro.opening import ALL_BLACK, ALL_WHITE, ALPHA, GREY_FIRST, opaque_and_mask, read_image, unusable
from vipaint_pyro.reading import InColour, one_to_unit
from vipaint_pyro.settings import checked, whole
from vipaint_pyro.tensors import check_tensor
from vipaint_pyro.wording import counted

__all__ = [
    "check_output",
    "compose",
    "from_bytes",
    "from_model",
    "read_image",
    "to_bytes",
    "to_model",
    "to_numbers",
    "to_observed",
    "to_output",
    "to_unit",
    "with_mask",
]


def to_model(unit: Tensor) -> Tensor:
    """Images in [0, 1] as a model takes them, in [-1, 1]."""
    return unit * 2 - 1


def from_model(x: Tensor) -> Tensor:
    """Images as a model gives them, in [-1, 1] or a little beyond, in [0, 1]: what lies beyond is cut off."""
    return (x / 2 + 0.5).clamp(0, 1)


def from_bytes(eight: Tensor) -> Tensor:
    """8-bit images (0 ... 255) as a model takes them, float32 in [-1, 1]."""
    return eight.float() / 127.5 - 1


def to_bytes(x: Tensor) -> Tensor:
    """Images as a model gives them, in [-1, 1] or a little beyond, as the nearest 8-bit ones (uint8).

    The inverse of :func:`from_bytes`, exactly. What lies beyond is cut off; what is not finite must not come here.
    """
    return ((x.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)


def _listed(images: object) -> list:
    """One image or several, as a list of single images."""
    if isinstance(images, (list, tuple)):
        return list(images)
    if isinstance(images, (torch.Tensor, np.ndarray)) and images.ndim == 4:
        return list(images)
    return [images]


def to_unit(
    images: object, shape: Sequence[int], taker: str = "the prior takes", mend: str | None = None, slack: float = 0.0
) -> Tensor:
    """One image or a list of them, each PIL, array or tensor, as (N, C, H, W) in [0, 1].

    Args:
        images: one image, a list, or a batch (N, H, W, C) / (N, C, H, W).
        shape: the (C, H, W) that is taken.
        taker: by whom, for the error.
        mend: what to do about another one, for the error.
        slack: by how much floating numbers may leave [0, 1]: noise does, in what was measured.

    Raises:
        TypeError: for anything else.
        ValueError: for an empty list, another size or number of channels, or values out of range.
    """
    listed = _listed(images)
    if not listed:
        raise ValueError("no image was given")
    batch = []
    for image in listed:
        try:
            x = one_to_unit(image, shape[0], slack)
        except InColour:
            raise ValueError(
                f"the image is in colour, but {taker} {shape[2]}x{shape[1]} in grey; {mend or GREY_FIRST}"
            ) from None
        if tuple(x.shape) != tuple(shape):
            _refuse(image, x, shape, taker, mend)
        batch.append(x)
    return _stacked(batch)


def with_mask(images: object, masks: object) -> tuple[object, object]:
    """Images and masks, these taken from the images' transparency where they are ``"alpha"``.

    Args:
        images: as :func:`to_unit` takes them.
        masks: as :func:`to_observed` takes them, or ``"alpha"``.

    Raises:
        TypeError, ValueError: for another word, or images without transparency.
    """
    if not isinstance(masks, str):
        return images, masks
    if masks != ALPHA:
        raise ValueError(f"mask_image is a picture or 'alpha', the image's own transparency, not {masks!r}")
    pairs = [opaque_and_mask(image) for image in _listed(images)]
    return [opaque for opaque, _ in pairs], [mask for _, mask in pairs]


def _stacked(batch: list[Tensor]) -> Tensor:
    """One batch on the device of the first, in a precision that holds all of them."""
    dtype = reduce(torch.promote_types, (x.dtype for x in batch))
    return torch.stack([x.to(batch[0].device, dtype) for x in batch])


def _refuse(image: object, x: Tensor, shape: Sequence[int], taker: str, mend: str | None = None) -> None:
    """Raise ValueError for an image x (C, H, W) of another shape."""
    if isinstance(image, Tensor) and tuple(image.permute(2, 0, 1).shape) == tuple(shape):
        mend = "a tensor is (C, H, W): give image.permute(2, 0, 1)"
    if isinstance(image, np.ndarray) and image.shape == tuple(shape):
        mend = "an array is (H, W, C): give image.transpose(1, 2, 0)"
    c, h, w = x.shape
    raise ValueError(
        f"the image is {w}x{h} with {counted(c, 'channel')}, but {taker} {shape[2]}x{shape[1]} "
        f"with {shape[0]}; {mend or 'resize or crop it first'}"
    )


def to_numbers(images: object, shape: Sequence[int], taker: str) -> Tensor:
    """One measurement or a list of them, as (N, C, H, W): any finite numbers, as they are; of PIL images in [0, 1].

    Args:
        images: one, a list, or a batch (N, H, W, C) of arrays / (N, C, H, W) of tensors.
        shape: the (C, H, W) that is taken.
        taker: by whom, for the error.

    Raises:
        TypeError: for anything else.
        ValueError: for an empty list, another size or number of channels, or values that are not finite.
    """
    batch = []
    for image in _listed(images):
        if isinstance(image, np.ndarray):
            image = torch.from_numpy(np.ascontiguousarray(np.moveaxis(np.atleast_3d(image), -1, 0)))
        x = image if isinstance(image, Tensor) else one_to_unit(image, shape[0])
        check_tensor("the image", x, "(C, H, W)", error=ValueError)
        x = x if x.is_floating_point() else x.float()
        if x.ndim != 3:
            raise ValueError(f"a measurement is a tensor (C, H, W), not {tuple(x.shape)}")
        if not torch.isfinite(x).all():
            raise ValueError("the image holds values that are not finite")
        if tuple(x.shape) != tuple(shape):
            _refuse(image, x, shape, taker)
        batch.append(x)
    if not batch:
        raise ValueError("no image was given")
    return _stacked(batch)


def to_observed(masks: object, num_images: int, size: Sequence[int]) -> Tensor:
    """Masks, white = to be filled, as ``observed`` (N, 1, H, W), True where known.

    Cut at one half. One mask serves all images.

    Args:
        masks: one mask or a list: PIL, array (H, W) or (H, W, 1), tensor (H, W) or (1, H, W).
        num_images: N.
        size: (H, W) of the images.

    Raises:
        ValueError: for masks of another number or size, or that hide everything or nothing; for an N that is none.
    """
    checked("num_images", num_images, whole())
    listed = _listed(masks)
    if len(listed) not in (1, num_images):
        given, images = counted(len(listed), "mask"), counted(num_images, "image")
        raise ValueError(f"{given} for {images}: give one, or one for each")
    observed = []
    for mask in listed:
        if isinstance(mask, torch.Tensor) and mask.ndim == 2:
            mask = mask[None]
        try:
            x = one_to_unit(mask, 1, colours=False)
        except (ValueError, TypeError) as error:
            raise type(error)(unusable(str(error), isinstance(error, InColour))) from error
        if x.shape[0] != 1:
            raise ValueError(f"a mask has one channel, not {x.shape[0]}; those of several images are a list of them")
        if tuple(x.shape[1:]) != tuple(size):
            raise ValueError(
                f"the mask is {x.shape[2]}x{x.shape[1]}, but the image {size[1]}x{size[0]}; they must be of one size"
            )
        hidden = x >= 0.5
        if hidden.all():
            raise ValueError(ALL_WHITE)
        if not hidden.any():
            raise ValueError(ALL_BLACK)
        observed.append(~hidden)
    return torch.stack(observed * (num_images if len(observed) == 1 else 1))


def compose(x: Tensor, unit: Tensor, observed: Tensor) -> Tensor:
    """Samples with the observed pixels put back, in [0, 1] and bit-identical there, in the wider of both precisions.

    Args:
        x: samples (S, N, C, H, W) in [-1, 1].
        unit: the images (N, C, H, W) in [0, 1].
        observed: (N, 1, H, W).
    """
    dtype = torch.promote_types(unit.dtype, x.dtype)
    return torch.where(observed, unit.to(x.device, dtype), from_model(x).to(dtype))


def check_output(output_type: str, channels: int) -> None:
    """Raise ValueError where images of so many channels cannot be given in this form."""
    if output_type not in ("pil", "np", "pt"):
        raise ValueError(f"output_type is 'pil', 'np' or 'pt', not {output_type!r}")
    if output_type == "pil" and channels not in (1, 3, 4):
        raise ValueError(
            f"output_type='pil' shows images of 1, 3 or 4 channels, but those of this prior have {channels}: give "
            "output_type='np' or 'pt'"
        )


def to_output(images: Tensor, output_type: str) -> Any:
    """Images (B, C, H, W) in [0, 1] as ``"pil"`` (a list), ``"np"`` (B, H, W, C) or ``"pt"``."""
    if output_type == "pt":
        return images
    wide = torch.promote_types(images.dtype, torch.float32)  # NumPy has no bfloat16
    array = images.permute(0, 2, 3, 1).to(wide).cpu().numpy()
    if output_type == "np":
        return array
    eight = (array * 255).round().astype("uint8")
    return [PIL.Image.fromarray(a[..., 0] if a.shape[-1] == 1 else a) for a in eight]
