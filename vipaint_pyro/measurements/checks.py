"""Checks that the operators share: shapes, numbers, the first call of a user's function."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from vipaint_pyro import settings
from vipaint_pyro.settings import MOST
from vipaint_pyro.tensors import check_device, check_tensor
from vipaint_pyro.wording import shown

__all__ = []


#: The largest side of an image, in pixels, and of a kernel.
LARGEST_SIDE, LARGEST_KERNEL = 2**15, 2047


def whole(name: str, value: object, least: int = 1, most: int = MOST) -> int:
    """The value as an int; a ValueError that names it where it is no whole number, or out of these bounds."""
    return int(settings.checked(name, value, settings.whole(least, most)))


def check_images(image_shape: Sequence[int], num_images: int) -> tuple[tuple[int, int, int], int]:
    """(C, H, W) and N of an operator, as given, or a ValueError."""
    if not isinstance(image_shape, Sequence) or isinstance(image_shape, str) or len(image_shape) != 3:
        raise ValueError(f"image_shape is (C, H, W), but is {shown(image_shape)}")
    shape = tuple(image_shape)
    c, h, w = (whole("each size in image_shape", n, most=LARGEST_SIDE) for n in shape)
    return (c, h, w), whole("num_images", num_images)


def check_shape(name: str, v: Tensor, shape: Sequence[int]) -> None:
    """A TypeError where v is no tensor of numbers, a ValueError where its last three axes are not ``shape``."""
    check_tensor(name, v, f"(*, N, {', '.join(map(str, shape))})")
    if v.shape[-3:] != torch.Size(shape):
        raise ValueError(f"{name} has shape (*, N, {', '.join(map(str, shape))}), but came with {tuple(v.shape)}")


def over_batch(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """A function of (B, C, H, W) applied to (*, N, C, H, W)."""
    y = function(x.reshape(-1, *x.shape[-3:]))
    return y.reshape(*x.shape[:-3], *y.shape[1:])


def reason_of(error: Exception) -> str:
    """The first line of an error, or its type."""
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")


def tried(function: Callable[[Tensor], Tensor], x: Tensor, *others: Tensor) -> tuple[Tensor, Tensor]:
    """The first call of a user's function, on images (B, C, H, W): with which it could be called, and what it gave.

    Args:
        function: of images.
        x: the images.
        others: the same in other precisions, for a function that cannot be called with the first.

    Raises:
        ValueError: with what to look at, where it can be called with none of them.
    """
    failed: dict[str, str] = {}  # why, and with what; where that is the same with all, it is said once
    for one in (x, *others):
        try:
            return one, function(one)
        except RuntimeError as error:
            failed.setdefault(reason_of(error), f"{one.dtype} on {one.device}")
            last = error
    why = "; nor with ".join(f"{where}: {reason}" for reason, where in failed.items())
    raise ValueError(
        f"the function cannot be called with images of shape {tuple(x.shape)}, {why}. "
        "Where its constants have another precision or place, give dtype= or device= theirs"
    ) from last


def check_trial(dtype: object, device: object) -> None:
    """A TypeError where ``dtype`` is no floating precision, a ValueError where ``device`` is none."""
    if not isinstance(dtype, torch.dtype) or not dtype.is_floating_point:
        raise TypeError(f"dtype is a floating precision, like torch.float32, but is {shown(dtype)}")
    check_device(device)
