"""A mask without its axes, and one that may be inverted: said in one line, with what mends it."""

import re
import warnings

import numpy as np
import pytest
import torch

from tests.measurements.refusals import SHAPE, random, refused
from vipaint_pyro.images import to_observed
from vipaint_pyro.measurements.blurs import GaussianBlur
from vipaint_pyro.measurements.inpainting import Inpainting
from vipaint_pyro.measurements.likelihoods import Gaussian
from vipaint_pyro.measurements.measurement import Measurement, y_for

MADE = r"vipaint_pyro.images.to_observed\(mask, N, \(H, W\)\) makes it of a mask that is white \(True\) where"


@pytest.mark.parametrize(
    "shape, mended",
    [
        ((4, 6), r"\(4, 6\): observed\[None, None\] has it; "),
        ((1, 4, 6), r"\(1, 4, 6\): observed\[None\] has it, or of one mask \(H, W\) for each .* observed\[:, None\]; "),
        ((6,), r"\(6,\): "),
        ((1, 1, 0, 6), r"\(1, 1, 0, 6\): "),
        ((1, 1, 1, 4, 6), r"\(1, 1, 1, 4, 6\): "),
    ],
)
def test_a_mask_without_its_axes_is_told_which(shape, mended):
    words = refused(lambda: Inpainting(torch.ones(shape, dtype=torch.bool)))
    assert re.match(rf"observed has shape \(N, C, H, W\), but came with {mended}{MADE}", words)


def test_what_is_said_of_masks_is_so():
    hidden = np.zeros((4, 6), bool)
    hidden[1:3, 2:] = True
    assert re.match(f"observed is a bool tensor, not ndarray; {MADE}", refused(lambda: Inpainting(hidden), TypeError))
    observed = torch.as_tensor(~hidden)
    assert torch.equal(Inpainting(to_observed(hidden, 2, (4, 6))).observed, observed[None, None].expand(2, 1, 4, 6))


def heard(make):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        make()
    return caught


def test_an_inverted_mask_is_warned_of():
    observed = torch.ones(1, 1, 4, 6, dtype=torch.bool)
    observed[..., 2:] = False
    y = random(1, *SHAPE) * ~observed
    for make in (
        lambda: Measurement(Inpainting(observed), Gaussian(0.1), y),
        lambda: Measurement.of(Inpainting(observed.expand(1, *SHAPE)), y),
        lambda: y_for(Inpainting(observed), Gaussian(0.1), y),
    ):
        (warning,) = heard(make)
        assert str(warning.message) == (
            "y is 0 wherever it is observed, and is not where it is hidden: the mask may be inverted. observed is True "
            "where a pixel is known, and y is 0 where it is not"
        )
    assert heard(lambda: Measurement(Inpainting(observed), Gaussian(0.1), y))[0].filename == __file__
    with warnings.catch_warnings(action="ignore"):
        given = Measurement(Inpainting(observed), Gaussian(0.1), y)
    assert heard(lambda: y_for(given.operator, given.likelihood, given)) == []  # it has been said


def test_a_mask_is_not_called_inverted_where_anything_speaks_for_it():
    observed = torch.ones(2, 1, 4, 6, dtype=torch.bool)
    observed[..., 2:] = False
    y = random(2, *SHAPE)
    one = y * ~observed
    one[1, 2, 3, 1] = 1e-30
    for given in (y * observed, y, 0 * y, one):
        assert heard(lambda given=given: Measurement(Inpainting(observed), Gaussian(0.1), given)) == []
    nothing = Inpainting(torch.zeros(2, 1, 4, 6, dtype=torch.bool))
    assert heard(lambda: Measurement(nothing, Gaussian(0.1), y)) == []
    blur = GaussianBlur(SHAPE, 3, 1.0, 2)
    blur.observed = observed.expand(2, *SHAPE)
    assert heard(lambda: Measurement(blur, Gaussian(0.1), y * ~observed)) == []


def test_bytes_in_floating_point_are_warned_of():
    observed = torch.ones(1, 1, 4, 6, dtype=torch.bool)
    observed[..., 2:] = False
    y = (random(1, *SHAPE).abs() * 100).round() * observed
    for make in (
        lambda: Measurement(Inpainting(observed), Gaussian(0.1), y),
        lambda: y_for(Inpainting(observed), Gaussian(0.1), y),
    ):
        (warning,) = heard(make)
        assert str(warning.message).startswith(f"y goes from 0 to {y.max():g}, as bytes of a picture do, and ")
    blur = GaussianBlur(SHAPE, 3, 1.0, 1)
    for operator, given in ((Inpainting(observed), y / 127.5 - 1), (Inpainting(observed), -y), (blur, y)):
        assert heard(lambda operator=operator, given=given: Measurement(operator, Gaussian(0.1), given)) == []
