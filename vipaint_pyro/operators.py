"""Measurement operators: y = A x + noise, where observed."""

from __future__ import annotations

import numbers
from collections.abc import Callable, Sequence
from typing import Protocol

import torch
from torch import Tensor

__all__ = ["Inpainting", "Matrix", "Operator", "as_matrix", "estimate", "num_measurements", "scaled_adjoint"]


class Operator(Protocol):
    """The contract of a linear measurement.

    ``observed`` is a bool tensor (N, C', H', W') that says which entries of y are known: the others
    are marginalised. ``operator(x)`` is A x for images (*, N, C, H, W) and ``adjoint(y)`` is A^T y.

    An operator may also have ``estimate(y)``, an image to begin from where A^T y is none: see
    :func:`estimate`.
    """

    observed: Tensor

    def __call__(self, x: Tensor) -> Tensor: ...

    def adjoint(self, y: Tensor) -> Tensor: ...


class Inpainting:
    """Pixels seen through a mask: A x = observed * x.

    Args:
        observed: bool, with shape (N, C, H, W), True where the pixel is known; C may be 1.

    Raises:
        TypeError: where observed is not a bool tensor.
        ValueError: where it has another rank.
    """

    def __init__(self, observed: Tensor) -> None:
        if observed.dtype != torch.bool:
            raise TypeError(
                f"observed is a bool tensor, True where a pixel is known, but has dtype {observed.dtype}; "
                "write e.g. mask < 0.5"
            )
        if observed.ndim != 4:
            raise ValueError(f"observed has shape (N, C, H, W), but came with {tuple(observed.shape)}")
        self.observed = observed

    def __call__(self, x: Tensor) -> Tensor:
        return x * self.observed

    def adjoint(self, y: Tensor) -> Tensor:
        return y * self.observed


class Matrix:
    """A dense matrix: A x for x flattened; y has shape (N, 1, 1, d_y), all of it observed.

    Args:
        matrix: A, with shape (d_y, D), or (N, d_y, D) for N images measured each in its own way.
        image_shape: (C, H, W) of x, with D entries; by default (1, 1, D).

    Raises:
        ValueError: where the shapes do not fit.
    """

    def __init__(self, matrix: Tensor, image_shape: Sequence[int] | None = None) -> None:
        if matrix.ndim not in (2, 3) or not matrix.is_floating_point():
            raise ValueError(f"matrix has shape (d_y, D) or (N, d_y, D), but came with {tuple(matrix.shape)}")
        self.matrix = matrix if matrix.ndim == 3 else matrix[None]
        self.image_shape = tuple(image_shape or (1, 1, matrix.shape[-1]))
        if torch.Size(self.image_shape).numel() != matrix.shape[-1]:
            raise ValueError(f"images of shape {self.image_shape} have not the {matrix.shape[-1]} columns of the matrix")
        n, d_y, _ = self.matrix.shape
        self.observed = torch.ones(n, 1, 1, d_y, dtype=torch.bool, device=matrix.device)

    def __call__(self, x: Tensor) -> Tensor:
        y = (self.matrix @ x.flatten(-3)[..., None])[..., 0]
        return y[..., None, None, :]

    def adjoint(self, y: Tensor) -> Tensor:
        x = (self.matrix.mT @ y.flatten(-3)[..., None])[..., 0]
        return x.reshape(*x.shape[:-1], *self.image_shape)


def as_matrix(operator: Operator, image_shape: Sequence[int], like: Tensor) -> Tensor:
    """The matrix of a linear operator, (N, d_y, D), in the precision and on the device of ``like``.

    Rows of entries that are not observed are 0.

    Raises:
        TypeError: for a :class:`~vipaint_pyro.nonlinear.Nonlinear` measurement, which has no matrix.
    """
    if not getattr(operator, "linear", True):
        raise TypeError("a nonlinear measurement has no matrix: what is exact or moment-matched needs a linear one")
    if isinstance(operator, Matrix):
        return operator.matrix.to(like)
    size = torch.Size(image_shape).numel()
    units = torch.eye(size, dtype=like.dtype, device=like.device).reshape(size, 1, *image_shape)
    n = operator.observed.shape[0]
    columns = operator(units.expand(size, n, *image_shape)) * operator.observed
    return columns.flatten(2).permute(1, 2, 0)


def num_measurements(operator: Operator, image_shape: Sequence[int]) -> int:
    """Entries of y per image, those that are not observed included: D of an inpainting, D / s^2 of a reduction by s.

    Args:
        operator: the measurement.
        image_shape: (C, H, W) of x. An inpainting's ``observed`` may have one channel for all of them.
    """
    shape = image_shape if isinstance(operator, Inpainting) else operator.observed.shape[1:]
    return torch.Size(shape).numel()


def estimate(operator: Operator, y: Tensor) -> Tensor:
    """An image that looks like y, where guides begin: the operator's own ``estimate``, else its adjoint.

    The adjoint of an inpainting is the picture with its holes; that of a reduction by s has 1 / s^2 of
    the contrast, so that restorations say for themselves what to start from.

    Args:
        operator: of N images.
        y: measurements (*, N, C', H', W'), 0 where not observed.

    Returns:
        Images (*, N, C, H, W), about [-1, 1].
    """
    own = getattr(operator, "estimate", None)
    return operator.adjoint(y) if own is None else own(y)


def scaled_adjoint(operator: Operator, y: Tensor) -> Tensor:
    r"""The multiple of A^T y that explains y best: :math:`c A^T y`, c minimising :math:`\lVert y - c A A^T y\rVert_2`.

    Each image has a c of its own. Where A A^T is a multiple of the identity it is the pseudo-inverse.

    Args:
        operator: a linear one, of N images.
        y: measurements (*, N, C', H', W'), 0 where not observed.

    Returns:
        Images (*, N, C, H, W); 0 where A^T y is 0.
    """
    x = operator.adjoint(y)
    back = operator(x) * operator.observed
    c = (back * y).sum((-3, -2, -1)) / back.square().sum((-3, -2, -1)).clamp_min(1e-20)
    return c[..., None, None, None] * x


# -- shared by the operators of other files ----------------------------------------------------------


def whole(name: str, value, least: int = 1) -> int:
    """The value as an int; a ValueError that names it where it is no whole number, or below ``least``."""
    if not isinstance(value, numbers.Integral) or isinstance(value, bool) or value < least:
        raise ValueError(f"{name} is a whole number of at least {least}, but is {value!r}")
    return int(value)


def check_images(image_shape: Sequence[int], num_images: int) -> tuple[tuple[int, int, int], int]:
    """(C, H, W) and N of an operator, as given, or a ValueError."""
    shape = tuple(image_shape)
    if len(shape) != 3:
        raise ValueError(f"image_shape is (C, H, W), but is {shape}")
    return tuple(whole("each size in image_shape", n) for n in shape), whole("num_images", num_images)


def check_shape(name: str, v: Tensor, shape: Sequence[int]) -> None:
    """A ValueError where the last three axes of v are not ``shape``."""
    if v.shape[-3:] != torch.Size(shape):
        raise ValueError(f"{name} has shape (*, N, {', '.join(map(str, shape))}), but came with {tuple(v.shape)}")


def over_batch(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """A function of (B, C, H, W) applied to (*, N, C, H, W)."""
    y = function(x.reshape(-1, *x.shape[-3:]))
    return y.reshape(*x.shape[:-3], *y.shape[1:])


def tried(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """The first call of a user's function, on images (B, C, H, W); a ValueError with what to look at where it fails."""
    try:
        return function(x)
    except RuntimeError as error:
        raise ValueError(
            f"the function cannot be called with images of shape {tuple(x.shape)}, {x.dtype} on {x.device}: {error}. "
            "Where its constants have another precision or place, give dtype= or device= theirs"
        ) from error
