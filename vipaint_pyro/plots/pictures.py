"""What a figure takes for a picture, and for samples; checked before anything is drawn."""

from __future__ import annotations

import PIL.Image
import torch
from torch import Tensor

from vipaint_pyro.tensors import check_tensor

__all__ = ["Picture", "as_hole", "as_picture", "as_samples"]

#: A PIL image, or a tensor (C, H, W) in [0, 1], grey (C = 1) or RGB (C = 3).
Picture = PIL.Image.Image | Tensor

_ROUNDING = 1e-3


def as_samples(name: str, samples: Tensor, least: int = 1) -> Tensor:
    """Samples (S, C, H, W) in [0, 1], S >= ``least``, as float64 on the CPU.

    Raises:
        TypeError: for what is no tensor of real numbers.
        ValueError: for another shape or number, values outside of [0, 1], or such that are not finite.
    """
    check_tensor(name, samples, "(S, C, H, W)", bools=False)
    if samples.ndim != 4 or samples.shape[1] not in (1, 3) or 0 in samples.shape:
        raise ValueError(f"{name} has shape (S, C, H, W) with C = 1 or 3, but has {tuple(samples.shape)}")
    if len(samples) < least:
        raise ValueError(f"{name} holds {least} or more, but holds {len(samples)}")
    x = samples.detach().to("cpu", torch.float64)
    if not torch.isfinite(x).all():
        raise ValueError(f"{name} holds values that are not finite")
    low, high = float(x.min()), float(x.max())
    if low < -_ROUNDING or high > 1 + _ROUNDING:
        raise ValueError(
            f"{name} is in [0, 1], but holds {low:.3g} to {high:.3g}: vipaint_pyro.images.from_model makes it so of "
            "pictures in [-1, 1]"
        )
    return x.clamp(0, 1)


def as_picture(name: str, picture: Picture) -> Tensor:
    """A picture as a tensor (C, H, W) in [0, 1], float64 on the CPU.

    Raises:
        TypeError: for what is neither a PIL image nor a tensor.
        ValueError: as :func:`as_samples`.
    """
    if isinstance(picture, PIL.Image.Image):
        import numpy as np

        grey = picture.mode in ("1", "L")
        x = torch.from_numpy(np.array(picture.convert("L" if grey else "RGB"))).double() / 255
        return x[None] if grey else x.permute(2, 0, 1)
    check_tensor(name, picture, "(C, H, W), or a PIL image", bools=False)
    if picture.ndim != 3:
        raise ValueError(f"{name} has shape (C, H, W), but has {tuple(picture.shape)}")
    return as_samples(name, picture[None])[0]


def as_hole(hole: Tensor | None, samples: Tensor) -> Tensor:
    """Bool (H, W), True where pixels are hidden; everywhere for None.

    Args:
        hole: bool (H, W) or (1, H, W), or None.
        samples: (S, C, H, W), whose size it has.

    Raises:
        TypeError: for what is no tensor.
        ValueError: for another dtype or shape, or a hole without a pixel.
    """
    size = samples.shape[-2:]
    if hole is None:
        return torch.ones(size, dtype=torch.bool, device="cpu")
    check_tensor("hole", hole, "(H, W)")
    if hole.dtype != torch.bool or hole.shape not in (size, (1, *size)):
        found = f"{hole.dtype} {tuple(hole.shape)}"
        raise ValueError(f"hole is bool {tuple(size)}, True where pixels are hidden, but is {found}")
    if not hole.any():
        raise ValueError("hole has no pixel: nothing is hidden")
    return hole.reshape(size).cpu()
