"""Colour images seen in grey: the measurement of colourisation."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from vipaint_pyro.measurements.checks import check_images
from vipaint_pyro.measurements.degradation import Degradation

__all__ = ["Grayscale"]

#: The luma of red, green and blue, as stored (gamma-corrected): ITU-R BT.601, section 2.5.1.
LUMA = (0.299, 0.587, 0.114)


class Grayscale(Degradation):
    """The luma of colour images, .299 R + .587 G + .114 B (ITU-R BT.601), with shape (*, N, 1, H, W).

    The weights add up to 1, so that grey in [-1, 1] is grey in [-1, 1].

    Args:
        image_shape: (3, H, W).
        num_images: N.
        device: of ``observed``.

    Raises:
        ValueError: for images of another number of channels.
    """

    def __init__(
        self, image_shape: Sequence[int], num_images: int = 1, device: torch.device | str | None = None
    ) -> None:
        (channels, height, width), num_images = check_images(image_shape, num_images)
        if channels != 3:
            raise ValueError(f"colourisation is for images of 3 channels, red, green and blue, not of {channels}")
        weights = torch.tensor(LUMA, dtype=torch.float64, device="cpu")[:, None, None]
        super().__init__((3, height, width), (1, height, width), num_images, (weights,), device)

    def estimate(self, y: Tensor) -> Tensor:
        """y in all three channels, which A takes back to y."""
        return y.expand(*y.shape[:-3], *self.image_shape).clone()

    def pseudo_inverse(self, y: Tensor) -> Tensor:
        """A^T y over the sum of the squared weights; pixels that are not observed stay 0."""
        y = torch.where(self.observed, y, 0)
        return self.adjoint(y) / sum(w * w for w in LUMA)

    def _measure(self, x: Tensor, *constants: Tensor) -> Tensor:
        (weights,) = constants
        return (x * weights).sum(-3, keepdim=True)

    def _adjoint(self, y: Tensor, *constants: Tensor) -> Tensor:
        (weights,) = constants
        return y * weights
