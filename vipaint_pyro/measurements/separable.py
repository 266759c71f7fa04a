r"""Separable operators, A X = R X C^T with one matrix for the rows and one for the columns of each channel.

Every linear filter of an axis is such a matrix, borders included, and its adjoint is the transpose.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from vipaint_pyro.measurements.checks import check_shape
from vipaint_pyro.measurements.degradation import Degradation

__all__ = ["Separable", "filter_matrix", "mirrored", "reflected"]


class Separable(Degradation):
    """A X = R X C^T, channel by channel.

    Args:
        image_shape: (C, H, W).
        rows: R, float64 with shape (H', H).
        columns: C, float64 with shape (W', W).
        num_images: N.
        device: of ``observed``.
    """

    def __init__(
        self,
        image_shape: Sequence[int],
        rows: Tensor,
        columns: Tensor,
        num_images: int = 1,
        device: torch.device | str | None = None,
    ) -> None:
        measured = (image_shape[0], rows.shape[0], columns.shape[0])
        super().__init__(image_shape, measured, num_images, (rows, columns), device)

    def _measure(self, x: Tensor, *constants: Tensor) -> Tensor:
        rows, columns = constants
        return rows @ x @ columns.mT

    def _adjoint(self, y: Tensor, *constants: Tensor) -> Tensor:
        rows, columns = constants
        return rows.mT @ y @ columns

    def pseudo_inverse(self, y: Tensor) -> Tensor:
        """R^+ y C^+T: of a blur, whose matrices are nearly singular, what float64 makes of it."""
        if not self.observed.all():
            return super().pseudo_inverse(y)
        check_shape("y", y, self.measured_shape)
        rows, columns = (torch.linalg.pinv(m).to(y) for m in self._constants)
        return rows @ y @ columns.mT


def filter_matrix(weights: Tensor, indices: Tensor, size: int) -> Tensor:
    """The matrix (M, size) whose row m holds ``weights[m]`` at ``indices[m]``, both (M, K); repeated ones add up."""
    matrix = torch.zeros(len(weights), size, dtype=weights.dtype, device=weights.device)
    return matrix.scatter_add_(1, indices, weights)


def reflected(index: Tensor, size: int) -> Tensor:
    """Indices beyond an axis reflected about its outermost pixels, which are not repeated: 2 1 | 0 1 2 3 | 2 1.

    torch's ``reflect`` padding, and as often as it takes, so that any width can be padded.
    """
    period = max(2 * (size - 1), 1)
    index = index % period
    return torch.minimum(index, period - index) if size > 1 else torch.zeros_like(index)


def mirrored(index: Tensor, size: int) -> Tensor:
    """Indices beyond an axis reflected about its edge, the outermost pixel repeated: 1 0 | 0 1 2 3 | 3 2."""
    index = index % (2 * size)
    return torch.minimum(index, 2 * size - 1 - index)
