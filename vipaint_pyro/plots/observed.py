"""What is seen of a picture, as a picture."""

from __future__ import annotations

import PIL.Image
import torch
from torch import Tensor

from vipaint_pyro.images import to_output

__all__ = ["observed_picture"]

_HOLE = (203, 170, 228)


def observed_picture(unit: Tensor, observed: Tensor) -> PIL.Image.Image:
    """The image (C, H, W) in [0, 1] with its hidden pixels in lilac, a colour no grey has."""
    rgb = unit.expand(3, -1, -1)
    hole = torch.tensor(_HOLE, device="cpu").reshape(3, 1, 1).to(rgb) / 255
    return to_output(torch.where(observed, rgb, hole)[None], "pil")[0]
