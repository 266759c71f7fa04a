"""A linear map whose constants are of single precision is tried in it."""

import re

import torch
from torch.nn import functional as F

from tests.measurements.refusals import SHAPE, noise, random, refused
from vipaint_pyro.measurements.any_family import Family
from vipaint_pyro.measurements.linear_map import LinearMap
from vipaint_pyro.measurements.measurement import Measurement


def test_a_kernel_in_single_precision_needs_no_dtype():
    kernel = torch.rand(1, 1, 5, 5, generator=torch.Generator().manual_seed(0))

    def blurred(x):
        return F.conv2d(x, kernel, padding=2)

    operator = LinearMap(blurred, (1, 7, 8))
    x = random(2, 1, 1, 7, 8).float()
    assert torch.equal(operator(x), blurred(x.flatten(0, 1)).unflatten(0, (2, 1)))
    assert operator.blank(x[0].double()).dtype == torch.float32  # which it can be called with
    y = operator(x[0])
    assert Measurement(operator, Family(noise), y.double()).num_images == 1
    words = refused(lambda: LinearMap(blurred, (1, 7, 8), dtype=torch.float64))
    assert words.startswith("the function cannot be called with images of shape (3, 1, 7, 8), torch.float64 on cpu: ")
    assert "nor with" not in words and words.endswith("give dtype= or device= theirs")
    assert LinearMap(blurred, (1, 7, 8), dtype=torch.float32).measured_shape == (1, 7, 8)


def test_double_precision_is_tried_first_and_is_enough():
    kinds = []

    def function(x):
        kinds.append(x.dtype)
        return 2 * x

    assert LinearMap(function, SHAPE).blank(random(1, *SHAPE).float()).dtype == torch.float64
    assert {*kinds} == {torch.float64}


def test_what_can_be_called_with_neither_says_why():
    words = refused(lambda: LinearMap(lambda x: x @ x.new_ones(5, 5), SHAPE))  # for one reason, said once
    assert re.search(r"\(3, 3, 4, 6\), torch.float64 on cpu: (.+)\. Where its constants", words)
    assert "nor with" not in words
    words = refused(lambda: LinearMap(lambda x: x @ torch.ones(6, 6).half(), SHAPE))
    assert re.search(r"torch.float64 on cpu: .*; nor with torch.float32 on cpu: .*\. Where its constants", words)
