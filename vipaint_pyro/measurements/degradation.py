"""What the restoration operators share: every entry observed, shapes checked, the input's precision followed."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from vipaint_pyro.measurements.checks import check_images, check_shape
from vipaint_pyro.measurements.operator import LinearOperator

__all__ = ["Degradation"]


class Degradation(LinearOperator):
    """A linear operator on whole images, given by a few constant tensors.

    A subclass hands its constants over in float64 and defines ``_measure(x, *constants)`` and
    ``_adjoint(y, *constants)``, which see them where x is and in its precision; bfloat16 and float16 are
    computed in float32 and rounded at the end.

    Args:
        image_shape: (C, H, W) of x.
        measured_shape: (C', H', W') of y.
        num_images: N, all measured alike.
        constants: float64, or complex128, on the CPU.
        device: where ``observed`` is, by default the CPU; everything else follows x.

    Raises:
        ValueError: for shapes that are none.
    """

    def __init__(
        self,
        image_shape: Sequence[int],
        measured_shape: Sequence[int],
        num_images: int,
        constants: Sequence[Tensor],
        device: torch.device | str | None = None,
    ) -> None:
        self.image_shape, num_images = check_images(image_shape, num_images)
        self.measured_shape = tuple(measured_shape)
        self.observed = torch.ones(num_images, *self.measured_shape, dtype=torch.bool, device=device)
        self._constants = tuple(constants)
        self._cast: dict[tuple[torch.dtype, torch.device], tuple[Tensor, ...]] = {}

    def __call__(self, x: Tensor) -> Tensor:
        """A x, with shape (*, N, C', H', W'), of images (*, N, C, H, W).

        Raises:
            ValueError: for images of another shape.
            TypeError: for whole numbers.
        """
        check_shape("x", x, self.image_shape)
        return self._run(self._measure, x)

    def adjoint(self, y: Tensor) -> Tensor:
        """A^T y, with shape (*, N, C, H, W), of measurements (*, N, C', H', W'); raises as the call does."""
        check_shape("y", y, self.measured_shape)
        return self._run(self._adjoint, y)

    @abstractmethod
    def _measure(self, x: Tensor, *constants: Tensor) -> Tensor:
        """A x, in the precision of the constants."""

    @abstractmethod
    def _adjoint(self, y: Tensor, *constants: Tensor) -> Tensor:
        """A^T y."""

    def _run(self, function: Callable[..., Tensor], v: Tensor) -> Tensor:
        if not v.is_floating_point():
            raise TypeError(f"images and measurements are floating point, but came as {v.dtype}")
        u = v.float() if v.dtype in (torch.bfloat16, torch.float16) else v
        return function(u, *self._like(u)).to(v.dtype)

    def _like(self, v: Tensor) -> tuple[Tensor, ...]:
        key = v.dtype, v.device
        if key not in self._cast:
            # Tensors made in inference mode could not be used in a later call that is differentiated.
            with torch.inference_mode(False):
                self._cast[key] = tuple(
                    c.to(v.device, v.dtype.to_complex() if c.is_complex() else v.dtype) for c in self._constants
                )
        return self._cast[key]
