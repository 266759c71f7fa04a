"""Measurement operators: y = A x + noise, where observed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from copy import copy
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor

from vipaint_pyro.measurements.least_squares import explaining_most, least_squares

if TYPE_CHECKING:
    from vipaint_pyro.measurements.likelihood import Likelihood

__all__ = ["LinearOperator", "Operator"]


class Operator(ABC):
    """The contract of a measurement of N images: what is seen of them, and which entries are known.

    Attributes:
        observed: bool (N, C', H', W'), which entries of y are known: the others are marginalised. One channel
            may stand for all.
        image_shape: (C, H, W) of the images.
        likelihood: the likelihood that the operator brings with it, where it has one of its own.
    """

    observed: Tensor = cast(Tensor, None)
    image_shape: tuple[int, int, int] = cast("tuple[int, int, int]", None)
    likelihood: Likelihood | None = None

    @abstractmethod
    def __call__(self, x: Tensor) -> Tensor:
        """What is measured, without noise, of images (*, N, C, H, W): (*, N, C', H', W')."""

    @property
    def num_images(self) -> int:
        """N."""
        return len(self.observed)

    def fits(self, image_shape: Sequence[int]) -> bool:
        """Whether it can measure images of this shape (C, H, W); by default, of its own alone."""
        return tuple(image_shape) == tuple(self.image_shape)

    def blank(self, y: Tensor) -> Tensor:
        """Mid-grey images (N, C, H, W) that the operator can be called with.

        They are where y is and, if it can, in its precision.
        """
        floating = y if y.is_floating_point() else y.float()
        return floating.new_zeros(self.num_images, *self.image_shape)

    def estimate(self, y: Tensor) -> Tensor:
        """Images (*, N, C, H, W) that look like y (*, N, C', H', W'), where guides begin; by default mid-grey."""
        return y.new_zeros(*y.shape[:-3], *self.image_shape)

    def scaled_estimate(self, y: Tensor) -> Tensor:
        """The multiple of :meth:`estimate` that explains y best, where the operator knows it."""
        return self.estimate(y)

    def part(self, start: int, stop: int) -> Operator:
        """The operator of the images start ... stop - 1 alone."""
        fewer = copy(self)
        fewer.observed = self.observed[start:stop]
        return fewer

    def to(self, device: torch.device) -> Operator:
        """The same with ``observed`` on another device; constants follow what is measured."""
        observed = self.observed.to(device)
        if observed is self.observed:
            return self
        moved = copy(self)
        moved.observed = observed
        return moved


class LinearOperator(Operator):
    """A linear measurement, y = A x + noise."""

    @abstractmethod
    def adjoint(self, y: Tensor) -> Tensor:
        """A^T y, images (*, N, C, H, W) of measurements (*, N, C', H', W')."""

    def estimate(self, y: Tensor) -> Tensor:
        """Where guides begin; by default A^T y.

        The adjoint of an inpainting is the picture with grey holes; that of a reduction by s has 1 / s^2 of the
        contrast, so that operators say for themselves what to start from.
        """
        return self.adjoint(y)

    def scaled_estimate(self, y: Tensor) -> Tensor:
        r"""The multiple of :meth:`estimate` that explains y best, :math:`\min_c \lVert y - c A \hat x\rVert_2`.

        Each image has a c of its own. Where A A^T is a multiple of the identity and the estimate is the adjoint, it
        is the pseudo-inverse.
        """
        return explaining_most(self, y, self.estimate(y))

    def pseudo_inverse(self, y: Tensor) -> Tensor:
        r"""A^+ y (*, N, C, H, W), the shortest of the images that explain y best.

        By conjugate gradients on :math:`A^T A x = A^T y`, in the precision of y (a subclass may know a closed form):
        of an ill-conditioned operator (a blur) that is the solution its iterations reach, which is smoother.
        """
        return least_squares(self, y)
