"""The pseudo-inverse of separable operators, of which some may not be observed."""

import pytest
import torch

from vipaint_pyro.measurements.blurs import GaussianBlur
from vipaint_pyro.measurements.matrix import as_matrix
from vipaint_pyro.measurements.super_resolution import SuperResolution


@pytest.mark.parametrize("hidden", [0, 1, 3])
def test_the_pseudo_inverse_is_that_of_what_is_observed(hidden):
    operator = SuperResolution((1, 4, 6), 2, "bicubic")
    operator.observed[..., 0, :hidden] = False
    y = torch.randn(1, 1, 2, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    matrix = as_matrix(operator, (1, 4, 6), y)[0]
    expected = torch.linalg.pinv(matrix) @ torch.where(operator.observed, y, 0).flatten()
    torch.testing.assert_close(operator.pseudo_inverse(y), expected.reshape(1, 1, 4, 6), rtol=1e-6, atol=1e-8)


def test_the_pseudo_inverse_leaves_out_what_a_byte_would_drown():
    operator = GaussianBlur((1, 8, 9), 21, 1.5)  # condition number 1e7
    y = torch.randn(1, 1, 8, 9, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    matrix = as_matrix(operator, (1, 8, 9), y)[0]
    expected = torch.linalg.pinv(matrix, rtol=1 / 255) @ y.flatten()
    torch.testing.assert_close(operator.pseudo_inverse(y).flatten(), expected, rtol=0, atol=1e-9)
    single = operator.pseudo_inverse(y.float())
    torch.testing.assert_close(single.flatten().double(), expected, rtol=0, atol=1e-3)
