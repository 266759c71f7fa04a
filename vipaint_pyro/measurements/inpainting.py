"""Pixels seen through a mask."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from vipaint_pyro.measurements.harmonic import continued
from vipaint_pyro.measurements.operator import LinearOperator
from vipaint_pyro.tensors import check_tensor

__all__ = ["Inpainting"]

_OF_MASKS = (
    "vipaint_pyro.images.to_observed(mask, N, (H, W)) makes it of a mask that is white (True) where pixels are hidden"
)
#: By its number of axes, what gives it four.
_WIDER = {
    2: "observed[None, None] has it; ",
    3: "observed[None] has it, or of one mask (H, W) for each image observed[:, None]; ",
}


class Inpainting(LinearOperator):
    """Pixels seen through a mask: A x = observed * x.

    Args:
        observed: bool, with shape (N, C, H, W), True where the pixel is known; C may be 1.

    Raises:
        TypeError: where observed is not a bool tensor.
        ValueError: where it has another rank.
    """

    def __init__(self, observed: Tensor) -> None:
        if not isinstance(observed, Tensor):
            kind = type(observed).__name__
            raise TypeError(f"observed is a bool tensor, not {kind}; {_OF_MASKS}")
        if observed.dtype != torch.bool:
            raise TypeError(
                f"observed is a bool tensor, True where a pixel is known, but has dtype {observed.dtype}; "
                "write e.g. mask < 0.5"
            )
        check_tensor("observed", observed, "(N, C, H, W)")
        if observed.ndim != 4 or not observed.numel():
            own = _WIDER.get(observed.ndim, "") if observed.numel() else ""
            came = f"observed has shape (N, C, H, W), but came with {tuple(observed.shape)}"
            raise ValueError(f"{came}: {own}{_OF_MASKS}")
        self.observed = observed

    @property
    def image_shape(self) -> tuple[int, int, int]:  # type: ignore[override]  # it is only read
        """(C, H, W), C = 1 where one mask stands for all channels."""
        channels, height, width = self.observed.shape[1:]
        return channels, height, width

    def fits(self, image_shape: Sequence[int]) -> bool:
        channels, height, width = self.image_shape
        return (height, width) == tuple(image_shape[1:]) and channels in (1, image_shape[0])

    def __call__(self, x: Tensor) -> Tensor:
        return x * self.observed

    def adjoint(self, y: Tensor) -> Tensor:
        return y * self.observed

    def estimate(self, y: Tensor) -> Tensor:
        """What is seen, gone on with into the holes as smoothly as can be: a grey hole is no picture of a prior's."""
        return continued(y, self.observed)

    def scaled_estimate(self, y: Tensor) -> Tensor:
        """A^T y, which explains y as it is: RED-diff's published start, holes in mid-grey."""
        return self.adjoint(y)

    def pseudo_inverse(self, y: Tensor) -> Tensor:
        return self.adjoint(y)
