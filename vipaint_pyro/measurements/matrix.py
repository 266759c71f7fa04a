"""Operators as dense matrices, and any linear operator's matrix."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy

import torch
from torch import Tensor

from vipaint_pyro.measurements.checks import check_images, check_shape
from vipaint_pyro.measurements.operator import LinearOperator, Operator
from vipaint_pyro.tensors import check_tensor

__all__ = ["Matrix", "as_matrix"]


class Matrix(LinearOperator):
    """A dense matrix: A x for x flattened; y has shape (N, 1, 1, d_y), all of it observed.

    Args:
        matrix: A, with shape (d_y, D), or (N, d_y, D) for N images measured each in its own way.
        image_shape: (C, H, W) of x, with D entries; by default (1, 1, D).

    Raises:
        ValueError: where the shapes do not fit.
    """

    def __init__(self, matrix: Tensor, image_shape: Sequence[int] | None = None) -> None:
        check_tensor("matrix", matrix, "(d_y, D) or (N, d_y, D)")
        if matrix.ndim not in (2, 3) or not matrix.is_floating_point() or not matrix.numel():
            came = f"{tuple(matrix.shape)} of {matrix.dtype}"
            raise ValueError(f"matrix has shape (d_y, D) or (N, d_y, D) of floating-point numbers, but is {came}")
        if not matrix.isfinite().all():
            raise ValueError("matrix holds values that are not finite")
        self.matrix = matrix if matrix.ndim == 3 else matrix[None]
        size = matrix.shape[-1]  # which may be more than a picture's side
        self.image_shape = (1, 1, size) if image_shape in (None, (1, 1, size)) else check_images(image_shape, 1)[0]
        if torch.Size(self.image_shape).numel() != matrix.shape[-1]:
            raise ValueError(
                f"images of shape {self.image_shape} have not the {matrix.shape[-1]} columns of the matrix"
            )
        n, d_y, _ = self.matrix.shape
        self.observed = torch.ones(n, 1, 1, d_y, dtype=torch.bool, device=matrix.device)

    def __call__(self, x: Tensor) -> Tensor:
        check_shape("x", x, self.image_shape)
        y = (self.matrix.to(x) @ x.flatten(-3)[..., None])[..., 0]
        return y[..., None, None, :]

    def adjoint(self, y: Tensor) -> Tensor:
        check_shape("y", y, self.observed.shape[1:])
        x = (self.matrix.mT.to(y) @ y.flatten(-3)[..., None])[..., 0]
        return x.reshape(*x.shape[:-1], *self.image_shape)

    def pseudo_inverse(self, y: Tensor) -> Tensor:
        x = (torch.linalg.pinv(self.matrix).to(y) @ y.flatten(-3)[..., None])[..., 0]
        return x.reshape(*x.shape[:-1], *self.image_shape)

    def part(self, start: int, stop: int) -> Matrix:
        return self._of(self.matrix.expand(self.num_images, -1, -1)[start:stop], self.observed[start:stop])

    def to(self, device: torch.device) -> Matrix:
        return self._of(self.matrix.to(device), self.observed.to(device))

    def _of(self, matrix: Tensor, observed: Tensor) -> Matrix:
        """The same with these, which need no new check."""
        changed = copy(self)
        changed.matrix, changed.observed = matrix, observed
        return changed


def as_matrix(operator: Operator, image_shape: Sequence[int], like: Tensor) -> Tensor:
    """The matrix of a linear operator, (N, d_y, D), in the precision and on the device of ``like``.

    Rows of entries that are not observed are 0.

    Raises:
        TypeError: for a :class:`~vipaint_pyro.measurements.nonlinear.Nonlinear` measurement, which has no matrix.
    """
    if not isinstance(operator, LinearOperator):
        raise TypeError("a nonlinear measurement has no matrix: what is exact or moment-matched needs a linear one")
    if isinstance(operator, Matrix):
        return operator.matrix.to(like)
    size = torch.Size(image_shape).numel()
    units = torch.eye(size, dtype=like.dtype, device=like.device).reshape(size, 1, *image_shape)
    n = operator.observed.shape[0]
    columns = operator(units.expand(size, n, *image_shape)) * operator.observed
    return columns.flatten(2).permute(1, 2, 0)
