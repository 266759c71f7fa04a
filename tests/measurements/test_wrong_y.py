"""A y of another shape or in other units: said in one line, with what mends it."""

import re

import pyro.distributions as dist
import pytest
import torch

from tests.measurements.refusals import SHAPE, f64, identity, random, refused, seen
from vipaint_pyro.exact.likelihood import ExactGaussian
from vipaint_pyro.measurements.any_family import Family
from vipaint_pyro.measurements.blurs import GaussianBlur
from vipaint_pyro.measurements.likelihoods import Gaussian, Laplace, Noiseless
from vipaint_pyro.measurements.measurement import Measurement, y_for
from vipaint_pyro.measurements.nonlinear import Nonlinear
from vipaint_pyro.measurements.perceptual import Perceptual


@pytest.mark.parametrize(
    "observed, made, mended",
    [
        ((1, 3, 4, 6), lambda p: p.permute(0, 2, 3, 1), "y.permute(0, 3, 1, 2)"),
        ((1, 3, 4, 6), lambda p: p[0].permute(1, 2, 0), "y.permute(2, 0, 1)[None]"),
        ((1, 1, 4, 6), lambda p: p.permute(0, 2, 3, 1), "y.permute(0, 3, 1, 2)"),  # one mask for all channels
        ((1, 1, 4, 6), lambda p: p[0].permute(1, 2, 0), "y.permute(2, 0, 1)[None]"),
        ((1, 3, 4, 6), lambda p: p[0], "y.reshape(1, 3, 4, 6)"),
        ((1, 1, 4, 6), lambda p: p[0], "y.reshape(1, 3, 4, 6)"),
        ((1, 1, 4, 6), lambda p: p[0, 0], "y.reshape(1, 1, 4, 6)"),
        ((1, 1, 4, 6), lambda p: p[0, 0, ..., None], "y.reshape(1, 1, 4, 6)"),
        ((1, 1, 4, 6), lambda p: p[:, 0, ..., None], "y.reshape(1, 1, 4, 6)"),
        # As many numbers, but they would change places.
        ((1, 3, 4, 6), lambda p: p.flatten(), ""),
        ((1, 3, 4, 6), lambda p: p.flatten(2), ""),
        ((1, 3, 4, 6), lambda p: p.mT, ""),
        ((1, 3, 4, 6), lambda p: p.transpose(1, 2), ""),
        # Either may be meant, and they differ.
        ((1, 3, 3, 1), lambda p: p[:, :, :3, :1].permute(0, 2, 3, 1), ""),
    ],
)
def test_what_brings_y_into_shape_leaves_the_picture_whole(observed, made, mended):
    picture = random(1, *SHAPE)
    y = made(picture)
    words = refused(lambda: Measurement(seen(*observed), Gaussian(0.1), y))
    suggested = re.search(r"but came with \([\d, ]*\)(?:: (.+) has it)?$", words)[1] or ""
    assert suggested == mended
    if mended:
        whole = eval(suggested, {"y": y})
        assert torch.equal(whole, picture[:, : whole.shape[1]])


@pytest.mark.parametrize(
    "likelihood",
    [Gaussian(0.1), Laplace(), Noiseless(), ExactGaussian(0.1), Perceptual(1.0, Gaussian(0.1))],
    ids=lambda kind: type(kind).__name__,
)
@pytest.mark.parametrize("dtype", [torch.uint8, torch.int64])
def test_y_of_a_picture_in_bytes(likelihood, dtype):
    y = torch.tensor([0, 51, 255] * 24).reshape(1, *SHAPE).to(dtype)
    operators = (seen(1, *SHAPE), GaussianBlur(SHAPE, 3, 1.0))
    asks = [lambda o=o: Measurement(o, likelihood, y) for o in operators]
    asks.append(lambda: y_for(operators[0], likelihood, y))
    for make in asks:
        words = refused(make)
        assert f"y is in units of images in [-1, 1], as floating-point numbers, but holds {dtype}" in words
        assert words.endswith("of a picture in 0 ... 255 it is picture / 127.5 - 1")
    good = y / 127.5 - 1  # of bytes, too, where 2 * picture would overflow
    assert good.flatten()[:3].tolist() == pytest.approx([-1, -0.6, 1], abs=1e-6)
    assert Measurement(operators[0], Noiseless(), good).y is good


def test_counts_may_be_whole_numbers():
    y = torch.tensor([0, 3, 7] * 24).reshape(1, *SHAPE)
    counts = Nonlinear(lambda x: 5 * x.exp(), dist.Poisson, SHAPE, **f64)
    for operator, likelihood in (
        (counts, counts.likelihood),
        (identity(), Family(lambda loc: dist.Poisson(loc.exp()), saturated=0.0)),
        (identity(), lambda loc: dist.Poisson(loc.exp())),
        (counts, Gaussian(1.0)),  # y is in the units of the function
    ):
        x, whole = random(1, *SHAPE), Measurement(operator, likelihood, y)
        assert torch.equal(whole.log_prob(x), Measurement(operator, likelihood, y.double()).log_prob(x))
