"""Luma by hand."""

import pytest
import torch

from vipaint_pyro.measurements.grayscale import Grayscale


def test_luma_is_that_of_itu_r_601():
    x = torch.tensor([1.0, -0.5, 0.25], dtype=torch.float64).reshape(1, 3, 1, 1).expand(2, 3, 2, 4)
    operator = Grayscale((3, 2, 4), 2)
    y = operator(x)
    assert y.shape == operator.observed.shape == (2, 1, 2, 4)
    torch.testing.assert_close(y, torch.full_like(y, 0.299 - 0.587 / 2 + 0.114 / 4), rtol=0, atol=1e-16)
    back = operator.adjoint(torch.ones(1, 1, 2, 4, dtype=torch.float64))
    assert back[0, :, 0, 0].tolist() == [0.299, 0.587, 0.114]


def test_grey_is_grey_and_the_estimate_measures_as_y():
    operator = Grayscale((3, 4, 4))
    y = torch.rand(5, 1, 1, 4, 4, dtype=torch.float64) * 2 - 1
    x = operator.estimate(y)
    assert x.shape == (5, 1, 3, 4, 4) and (x == y).all()
    torch.testing.assert_close(operator(x), y, rtol=0, atol=1e-15)


def test_refuses_other_images():
    with pytest.raises(ValueError, match="for images of 3 channels, red, green and blue, not of 1"):
        Grayscale((1, 8, 8))
