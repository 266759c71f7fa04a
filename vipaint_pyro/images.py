"""Between pictures and tensors: reading, checking, masks, compositing.

Outside, images are in [0, 1] (or 8-bit) and a white mask pixel is one to be filled. Inside, images
are in [-1, 1] and a bool tensor called ``observed`` says what is known. Only this file converts.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import PIL.Image
import PIL.ImageOps
import torch
from torch import Tensor

__all__ = ["compose", "read_image", "to_numbers", "to_observed", "to_output", "to_unit"]

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF")
MAX_PIXELS = 2**24
_TO_GREY = "convert it to grey first, e.g. with PIL's image.convert('L')"


class _InColour(ValueError):
    """A picture in colour where one of a single channel is taken."""


def read_image(path: str | Path) -> PIL.Image.Image:
    """A still picture from a file, turned as its EXIF data say.

    Raises:
        FileNotFoundError: where there is no such file.
        ValueError: for a file that is no picture of a known format, is damaged, animated or has
            more than 2^24 pixels.
    """
    path = Path(path)
    if path.is_dir():
        raise ValueError(f"{path} is a folder; give the picture's file")
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file")
    try:
        with PIL.Image.open(path, formats=FORMATS) as image:
            if getattr(image, "n_frames", 1) > 1:
                raise ValueError(
                    f"{path} is animated ({image.n_frames} frames); save the frame you want as a PNG"
                )
            if image.width * image.height > MAX_PIXELS:
                raise ValueError(
                    f"{path} has {image.width}x{image.height} pixels, more than {MAX_PIXELS}; make it smaller"
                )
            image.load()
            return PIL.ImageOps.exif_transpose(image)
    except PIL.UnidentifiedImageError:
        raise ValueError(f"{path} is no picture in one of the formats {', '.join(FORMATS)}") from None
    except (OSError, SyntaxError, PIL.Image.DecompressionBombError) as error:
        raise ValueError(f"{path} cannot be read as a picture, it may be damaged: {error}") from error


def _pil_to_unit(image: PIL.Image.Image, channels: int) -> Tensor:
    """A picture as (C, H, W) in [0, 1], without dropping colour or transparency that it has."""
    if image.mode.startswith("I;16") or image.mode in ("I", "F"):
        raise ValueError(
            f"a picture of mode {image.mode} (16 or more bits per pixel) has no fixed range here; "
            "convert it to 8 bits first"
        )
    if "A" in image.getbands() or "transparency" in image.info:
        if image.convert("RGBA").getchannel("A").getextrema()[0] < 255:
            raise ValueError(
                "the picture has transparent pixels, which no prior models; flatten it onto a colour"
            )
    colour = np.asarray(image.convert("RGB"))
    if channels == 3:
        array = colour
    elif channels == 1:
        if (colour != colour[..., :1]).any():
            raise _InColour(f"it is in colour; {_TO_GREY}")
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
    return _tensor_to_unit(torch.from_numpy(np.ascontiguousarray(array)).permute(2, 0, 1), slack)


def _tensor_to_unit(tensor: Tensor, slack: float = 0.0) -> Tensor:
    """A tensor (C, H, W), 8-bit or floating in [0, 1] give or take ``slack``, in [0, 1]."""
    if tensor.ndim != 3:
        raise ValueError(f"an image tensor is (C, H, W), not {tuple(tensor.shape)}")
    if tensor.dtype == torch.uint8:
        return tensor.float() / 255
    if tensor.dtype == torch.bool:
        return tensor.float()
    if not tensor.is_floating_point():
        raise ValueError(f"an image is 8-bit (uint8) or floating in [0, 1], not {tensor.dtype}")
    if not torch.isfinite(tensor).all():
        raise ValueError("the image holds values that are not finite")
    low, high = tensor.min().item(), tensor.max().item()
    if low < -slack or high > 1 + slack:
        cure = "if it is in [-1, 1], give (image + 1) / 2" if low < 0 else "if it is in 0 ... 255, give image / 255"
        noise = f", noise up to {slack:g} apart" if slack else ""
        raise ValueError(f"floating images are in [0, 1]{noise}, but this one spans [{low:.3g}, {high:.3g}]; {cure}")
    return tensor


def _listed(images) -> list:
    """One image or several, as a list of single images."""
    if isinstance(images, (list, tuple)):
        return list(images)
    if isinstance(images, (torch.Tensor, np.ndarray)) and images.ndim == 4:
        return list(images)
    return [images]


def _one_to_unit(image, channels: int, slack: float = 0.0) -> Tensor:
    if isinstance(image, PIL.Image.Image):
        return _pil_to_unit(image, channels)
    if isinstance(image, np.ndarray):
        return _array_to_unit(image, slack)
    if isinstance(image, torch.Tensor):
        return _tensor_to_unit(image, slack)
    raise TypeError(
        f"an image is a PIL image, an array (H, W, C) or a tensor (C, H, W), not {type(image).__name__}"
    )


def to_unit(
    images, shape: tuple[int, int, int], taker: str = "the prior takes", mend: str | None = None, slack: float = 0.0
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
            x = _one_to_unit(image, shape[0], slack)
        except _InColour:
            raise ValueError(
                f"the image is in colour, but {taker} {shape[2]}x{shape[1]} in grey; {mend or _TO_GREY}"
            ) from None
        if tuple(x.shape) != tuple(shape):
            _refuse(image, x, shape, taker, mend)
        batch.append(x)
    return torch.stack([x.to(batch[0]) for x in batch])


def _refuse(image, x: Tensor, shape: tuple[int, int, int], taker: str, mend: str | None = None) -> None:
    """Raise ValueError for an image x (C, H, W) of another shape."""
    if isinstance(image, Tensor) and tuple(image.permute(2, 0, 1).shape) == tuple(shape):
        mend = "a tensor is (C, H, W): give image.permute(2, 0, 1)"
    c, h, w = x.shape
    raise ValueError(
        f"the image is {w}x{h} with {c} channel(s), but {taker} {shape[2]}x{shape[1]} "
        f"with {shape[0]}; {mend or 'resize or crop it first'}"
    )


def to_numbers(images, shape: tuple[int, int, int], taker: str) -> Tensor:
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
        x = image if isinstance(image, Tensor) else _one_to_unit(image, shape[0])
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
    return torch.stack([x.to(batch[0]) for x in batch])


def to_observed(masks, num_images: int, size: tuple[int, int]) -> Tensor:
    """Masks, white = to be filled, as ``observed`` (N, 1, H, W), True where known.

    Cut at one half. One mask serves all images.

    Args:
        masks: one mask or a list: PIL, array (H, W) or (H, W, 1), tensor (H, W) or (1, H, W).
        num_images: N.
        size: (H, W) of the images.

    Raises:
        ValueError: for masks of another number or size, or that hide everything or nothing.
    """
    listed = _listed(masks)
    if len(listed) not in (1, num_images):
        raise ValueError(f"{len(listed)} masks for {num_images} images: give one, or one for each")
    observed = []
    for mask in listed:
        if isinstance(mask, torch.Tensor) and mask.ndim == 2:
            mask = mask[None]
        try:
            x = _one_to_unit(mask, 1)
        except (ValueError, TypeError) as error:
            raise type(error)(
                f"the mask cannot be used (white = to be filled, black = keep): {error}"
            ) from error
        if x.shape[0] != 1:
            raise ValueError(f"a mask has one channel, not {x.shape[0]}")
        if tuple(x.shape[1:]) != tuple(size):
            raise ValueError(
                f"the mask is {x.shape[2]}x{x.shape[1]}, but the image {size[1]}x{size[0]}; "
                "they must be of one size"
            )
        hidden = x >= 0.5
        if hidden.all():
            raise ValueError(
                "the mask is white everywhere (no value is below half of the range), so no pixel is known; "
                "black marks the pixels to keep"
            )
        if not hidden.any():
            raise ValueError(
                "the mask is black everywhere (no value reaches half of the range), so there is nothing to "
                "fill; white, 255 in 8 bits, 1.0 in floating point and True in bool, marks the pixels to fill"
            )
        observed.append(~hidden)
    return torch.stack(observed * (num_images if len(observed) == 1 else 1))


def compose(x: Tensor, unit: Tensor, observed: Tensor) -> Tensor:
    """Samples with the observed pixels put back, in [0, 1] and bit-identical there.

    Args:
        x: samples (S, N, C, H, W) in [-1, 1].
        unit: the images (N, C, H, W) in [0, 1].
        observed: (N, 1, H, W).
    """
    return torch.where(observed, unit.to(x), (x / 2 + 0.5).clamp(0, 1))


def to_output(images: Tensor, output_type: str):
    """Images (B, C, H, W) in [0, 1] as ``"pil"`` (a list), ``"np"`` (B, H, W, C) or ``"pt"``."""
    if output_type == "pt":
        return images
    array = images.permute(0, 2, 3, 1).float().cpu().numpy()
    if output_type == "np":
        return array
    eight = (array * 255).round().astype("uint8")
    return [PIL.Image.fromarray(a[..., 0] if a.shape[-1] == 1 else a) for a in eight]
