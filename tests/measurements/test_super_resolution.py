"""Super-resolution against PIL's bicubic resize, and means by hand."""

import numpy as np
import pytest
import torch
from PIL import Image

from vipaint_pyro.measurements.super_resolution import SuperResolution


def picture(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) * 2 - 1


def pil(x, size):
    """PIL's bicubic resize, in its float32."""
    return torch.from_numpy(np.array(Image.fromarray(np.float32(x)).resize(size[::-1], Image.BICUBIC)))


@pytest.mark.parametrize("scale, size", [(2, (12, 20)), (3, (9, 12)), (4, (8, 4)), (4, (64, 64)), (8, (16, 8))])
def test_bicubic_is_pils_of_the_mirrored_image(scale, size):
    x = picture(*size)
    # Wide enough that PIL's own border does not reach what is compared; NumPy repeats the mirror.
    margin = 4 * scale
    padded = np.pad(x.numpy(), margin, mode="symmetric")
    expected = pil(padded, [n // scale for n in padded.shape])[4:-4, 4:-4]
    y = SuperResolution((1, *size), scale)(x[None, None])[0, 0]
    torch.testing.assert_close(y.float(), expected, rtol=0, atol=2e-7)


def test_bicubic_inside_is_torchs_antialiased_one_which_is_pils():
    x = picture(1, 1, 32, 40)
    y = SuperResolution((1, 32, 40), 4)(x)
    other = torch.nn.functional.interpolate(x, size=(8, 10), mode="bicubic", antialias=True)
    torch.testing.assert_close(other[0, 0].float(), pil(x[0, 0], (8, 10)), rtol=0, atol=2e-7)
    torch.testing.assert_close(y[..., 2:-2, 2:-2], other[..., 2:-2, 2:-2], rtol=0, atol=1e-14)
    # Only at the border are the two rules two.
    assert (y - other).abs().max() > 1e-3


def test_16_pixels_of_an_axis_count_at_scale_4():
    rows = SuperResolution((1, 64, 64), 4)._constants[0]
    assert ((rows != 0).sum(1)[2:-2] == 16).all()
    torch.testing.assert_close(rows.sum(1), torch.ones(16, dtype=torch.float64), rtol=0, atol=1e-15)


def test_the_estimate_is_pils_bicubic_enlargement():
    y = picture(1, 1, 6, 5)
    x = SuperResolution((1, 24, 20), 4).estimate(y)[0, 0]
    padded = np.pad(y[0, 0].numpy(), 4, mode="symmetric")
    expected = pil(padded, [4 * n for n in padded.shape])[16:-16, 16:-16]
    torch.testing.assert_close(x.float(), expected, rtol=0, atol=3e-7)


def test_average_by_hand():
    operator = SuperResolution((1, 2, 4), 2, "average")
    x = torch.tensor([[[[1.0, 2, 5, 6], [3, 4, 7, 8]]]])
    assert operator(x).tolist() == [[[[2.5, 6.5]]]]
    assert operator.adjoint(torch.tensor([[[[4.0, 8.0]]]])).tolist() == [[[[1, 1, 2, 2], [1, 1, 2, 2]]]]
    assert operator.estimate(torch.tensor([[[[4.0, 8.0]]]])).tolist() == [[[[4, 4, 8, 8], [4, 4, 8, 8]]]]


@pytest.mark.parametrize("method", ["bicubic", "average"])
def test_constants_are_kept(method):
    operator = SuperResolution((3, 12, 8), 4, method)
    x = torch.full((1, 3, 12, 8), 0.7, dtype=torch.float64)
    torch.testing.assert_close(operator(x), torch.full((1, 3, 3, 2), 0.7).double(), rtol=0, atol=1e-14 + 3e-8)
    torch.testing.assert_close(operator.estimate(operator(x)), x, rtol=0, atol=1e-14)


@pytest.mark.parametrize(
    "arguments, message",
    [
        (dict(scale=3), r"scale 3 does not divide the image's height and width \(8, 16\); 2, 4, 8 would"),
        (dict(scale=16), "scale 16 does not divide"),
        (dict(scale=1), "scale is a whole number of at least 2, but is 1"),
        (dict(scale=2.0), "scale is a whole number of at least 2, but is 2.0"),
        (dict(method="nearest"), "method is 'bicubic' or 'average', not 'nearest'"),
    ],
)
def test_refuses(arguments, message):
    with pytest.raises(ValueError, match=message):
        SuperResolution((1, 8, 16), **arguments)
