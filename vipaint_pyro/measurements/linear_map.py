"""Any linear function as a measurement, its adjoint by automatic differentiation."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from vipaint_pyro.measurements.checks import check_images, check_shape, check_trial, over_batch, tried
from vipaint_pyro.measurements.least_squares import explaining_most
from vipaint_pyro.measurements.operator import LinearOperator
from vipaint_pyro.measurements.trial import check_gradient, check_linear
from vipaint_pyro.wording import shown

__all__ = ["LinearMap"]


class LinearMap(LinearOperator):
    r"""A x for a function of your own; the vector-Jacobian product of a linear map is its adjoint, exactly.

    It is tried on a few random images when it is made, so that a function that is not linear is found out::

        operator = LinearMap(lambda x: x[..., ::2].cumsum(-1), (1, 28, 28))

    Args:
        function: differentiable and linear, images (B, C, H, W) to (B, C', H', W'), each by itself. Its own
            constants decide which precision and device it can be called with, here and by a prior.
        image_shape: (C, H, W).
        num_images: N, all measured alike.
        dtype: of the trial, that of the function's constants. By default float64, the sharpest, or float32 where the
            function cannot be called with that: a convolution whose kernel is float32.
        device: of the trial and of ``observed``, by default the CPU.

    Raises:
        TypeError: where the function gives no real tensor.
        ValueError: where it cannot be called, gives another number of images than it got, mixes them, is not linear,
            cannot be differentiated, or is 0.
    """

    def __init__(
        self,
        function: Callable[[Tensor], Tensor],
        image_shape: Sequence[int],
        num_images: int = 1,
        *,
        dtype: torch.dtype | None = None,
        device: torch.device | str | None = None,
    ) -> None:
        if not callable(function):
            raise TypeError(f"function takes images (B, C, H, W) and gives what is measured, but is {shown(function)}")
        dtypes = (torch.float64, torch.float32) if dtype is None else (dtype,)
        check_trial(dtypes[0], device)
        self.image_shape, num_images = check_images(image_shape, num_images)
        self.function = function
        with torch.inference_mode(False):  # tensors made in it take part in no gradient
            self.measured_shape = self._tried(dtypes, device)
            self.observed = torch.ones(num_images, *self.measured_shape, dtype=torch.bool, device=device)

    def __call__(self, x: Tensor) -> Tensor:
        """A x, with shape (*, N, C', H', W'), of images (*, N, C, H, W).

        Raises:
            ValueError: for images of another shape.
        """
        check_shape("x", x, self.image_shape)
        return over_batch(self.function, x)

    def adjoint(self, y: Tensor) -> Tensor:
        """A^T y, with shape (*, N, C, H, W), of measurements (*, N, C', H', W'); differentiable in y.

        Raises:
            ValueError: for measurements of another shape.
        """
        check_shape("y", y, self.measured_shape)
        keep = torch.is_grad_enabled() and y.requires_grad
        return over_batch(lambda flat: self._pullback(flat, keep), y)

    def blank(self, y: Tensor) -> Tensor:
        return super().blank(y).to(self._dtype)

    def estimate(self, y: Tensor) -> Tensor:
        """The multiple of A^T y that explains y best."""
        return explaining_most(self, y, self.adjoint(y))

    def _pullback(self, y: Tensor, keep: bool) -> Tensor:
        with torch.inference_mode(False), torch.enable_grad():
            x = y.new_zeros(len(y), *self.image_shape).requires_grad_()
            (back,) = torch.autograd.grad(self.function(x), x, y, create_graph=keep)
        return back

    def _tried(self, dtypes: Sequence[torch.dtype], device: torch.device | str | None) -> tuple[int, int, int]:
        """(C', H', W'), once the function has passed."""
        generator = torch.Generator().manual_seed(0)
        noise = torch.randn(2, 3, *self.image_shape, generator=generator, dtype=torch.float64, device="cpu")
        with torch.enable_grad():
            u, Au = tried(self.function, *(noise[0].to(device, dtype).requires_grad_() for dtype in dtypes))
        self._dtype, v = u.dtype, noise[1].to(u)
        if not isinstance(Au, Tensor) or not Au.is_floating_point():
            kind = Au.dtype if isinstance(Au, Tensor) else type(Au).__name__
            raise TypeError(f"the function gives real tensors, but this one gave {kind}")
        if Au.ndim != 4 or len(Au) != len(u):
            raise ValueError(f"images {tuple(u.shape)} became {tuple(Au.shape)}, which is not (B, C', H', W')")
        check_gradient("the function", self.function, u, Au)
        with torch.no_grad():
            u, Au = u.detach(), Au.detach()
            slack = check_linear("the function", self.function, u, Au, v)
            if not (self.function(u[1:]) - Au[1:]).abs().max() <= slack:
                raise ValueError("the function mixes the images of a batch: each has to be measured by itself")
        channels, height, width = Au.shape[1:]
        return channels, height, width
