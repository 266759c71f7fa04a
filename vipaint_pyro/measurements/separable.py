r"""Separable operators, A X = R X C^T with one matrix for the rows and one for the columns of each channel.

Every linear filter of an axis is such a matrix, borders included, and its adjoint is the transpose.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import torch
from torch import Tensor

from vipaint_pyro.measurements.checks import check_shape
from vipaint_pyro.measurements.degradation import Degradation

__all__ = ["Separable", "filter_matrix", "mirrored", "reflected"]


#: Directions that an operator shrinks to less than this share of what it keeps best are not inverted: one step of a
#: byte, in [0, 1], is as large as what is left of them, so that y says of them what rounding says.
FAINTEST = 1 / 255


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
        """A^+ y without the directions of which y is no evidence, those of singular values below 1/255 of the largest.

        A blur's matrices are nearly singular: with all of them, what rounds y in the eighth digit, or to bytes, is
        multiplied by up to 1e28. What is left out is in the null space of A^+, where a prior decides.
        """
        if not self.observed.all():
            return super().pseudo_inverse(y)
        check_shape("y", y, self.measured_shape)
        U_r, U_c, V_r, V_c, inverse = (m.to(y) for m in self._inverted)
        return V_r @ (inverse * (U_r.mT @ y @ U_c)) @ V_c.mT

    @cached_property
    @torch.inference_mode(False)  # what is kept may serve a fit
    def _inverted(self) -> tuple[Tensor, ...]:
        """Singular vectors of R and C, and 1 / (r_i c_j), 0 where that is no evidence; float64."""
        (U_r, r, V_r), (U_c, c, V_c) = (torch.linalg.svd(m, full_matrices=False) for m in self._constants)
        values = r[:, None] * c
        inverse = torch.where(values > FAINTEST * values.max(), 1 / values.clamp_min(1e-300), 0)
        return U_r, U_c, V_r.mT, V_c.mT, inverse


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
