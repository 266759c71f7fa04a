"""Measurement operators: y = A x + noise, where observed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from vipaint_pyro.measurements.inpainting import Inpainting

__all__ = ["Operator", "estimate", "num_measurements", "scaled_adjoint"]


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
