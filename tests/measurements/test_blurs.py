"""Blurs against torch's convolution, SciPy's Gaussian filter, and motions integrated numerically."""

import math

import numpy as np
import pytest
import scipy.ndimage
import torch
from torch.nn.functional import conv2d

from vipaint_pyro.measurements.blurs import Blur, GaussianBlur, MotionBlur
from vipaint_pyro.measurements.motion import segment


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


KERNEL = random(5, 7).abs()


def test_a_bright_pixel_becomes_the_kernel():
    x = torch.zeros(1, 2, 16, 20, dtype=torch.float64)
    x[0, 1, 8, 9] = 1
    y = Blur((2, 16, 20), KERNEL)(x)
    expected = torch.zeros_like(x)
    expected[0, 1, 6:11, 6:13] = KERNEL
    torch.testing.assert_close(y, expected, rtol=0, atol=1e-14)


@pytest.mark.parametrize("size", [(16, 20), (4, 5), (2, 2), (1, 3)])
def test_is_the_convolution_of_the_reflected_image(size):
    x = random(3, 2, *size)
    # NumPy's padding reflects as often as it takes, as torch's does not.
    padded = torch.from_numpy(np.pad(x.numpy(), [(0, 0), (0, 0), (2, 2), (3, 3)], mode="reflect"))
    expected = conv2d(padded.flatten(0, 1)[:, None], KERNEL.flip(0, 1)[None, None]).reshape(x.shape)
    torch.testing.assert_close(Blur((2, *size), KERNEL, 3)(x), expected, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("size, kernel_size, std", [((28, 28), 61, 3.0), ((64, 64), 61, 3.0), ((7, 12), 9, 1.7)])
def test_gaussian_is_scipys(size, kernel_size, std):
    x = random(2, 3, *size)
    filtered = scipy.ndimage.gaussian_filter(
        x.numpy(), std, axes=(2, 3), mode="mirror", radius=kernel_size // 2
    )
    y = GaussianBlur((3, *size), kernel_size, std, 2)(x)
    torch.testing.assert_close(y, torch.from_numpy(filtered), rtol=1e-12, atol=1e-13)


def test_gaussian_is_a_blur_by_its_kernel():
    x = random(1, 3, 10, 11)
    taps = torch.exp(-torch.arange(-4, 5).double() ** 2 / (2 * 1.5**2))
    kernel = torch.outer(taps, taps) / taps.sum() ** 2
    y = GaussianBlur((3, 10, 11), 9, 1.5)(x)
    torch.testing.assert_close(y, Blur((3, 10, 11), kernel)(x), rtol=1e-12, atol=1e-13)


def test_the_kernel_of_dps_is_that_of_25_pixels():
    # Its code filters a bright pixel of 61 x 61 by SciPy's Gaussian filter, which cuts at 4 standard deviations.
    x = np.zeros((61, 61))
    x[30, 30] = 1
    y = GaussianBlur((1, 61, 61), 25)(torch.from_numpy(x)[None, None])[0, 0]
    torch.testing.assert_close(y, torch.from_numpy(scipy.ndimage.gaussian_filter(x, 3.0)), rtol=1e-12, atol=1e-16)
    whole = GaussianBlur((1, 61, 61))(torch.from_numpy(x)[None, None])[0, 0]
    assert (whole - y).abs().sum() == pytest.approx(1.2e-4, rel=0.1)


@pytest.mark.parametrize(
    "length, taps", [(1.0, [1 / 8, 3 / 4, 1 / 8]), (2.0, [1 / 4, 1 / 2, 1 / 4]), (1e-9, [0, 1, 0])]
)
def test_motion_along_an_axis_by_hand(length, taps):
    expected = torch.zeros(3, 3, dtype=torch.float64)
    expected[1] = torch.tensor(taps)
    for angle in (0, 180):
        torch.testing.assert_close(segment(length, angle), expected, rtol=0, atol=1e-9)
    for angle in (90, -90):
        torch.testing.assert_close(segment(length, angle), expected.T, rtol=0, atol=1e-9)


@pytest.mark.parametrize("length", [0.3, 2 * 2**0.5, 5.0, 9.7])
@pytest.mark.parametrize("angle", [0, 17.3, 45, 90, 118])
def test_motion_is_the_mean_over_the_path(length, angle):
    size = 2 * math.ceil(length / 2) + 3
    n = 20_001
    s = (torch.arange(n).double() + 0.5) / n * length - length / 2
    lines = torch.arange(size).double() - size // 2
    rows = (1 - (lines[:, None] + s * math.sin(math.radians(angle))).abs()).clamp_min(0)
    columns = (1 - (lines[:, None] - s * math.cos(math.radians(angle))).abs()).clamp_min(0)
    kernel = segment(length, angle, size)
    torch.testing.assert_close(kernel, rows @ columns.T / n, rtol=0, atol=1e-7)
    assert kernel.sum().item() == pytest.approx(1, abs=1e-14) and (kernel >= 0).all()
    # Its middle is the pixel itself, and the smallest kernel holds all of it.
    torch.testing.assert_close(kernel, kernel.flip(0, 1), rtol=0, atol=1e-14)
    torch.testing.assert_close(segment(length, angle), kernel[1:-1, 1:-1], rtol=0, atol=1e-14)


def test_motion_at_45_degrees_goes_up_to_the_right():
    kernel = segment(6.0, 45)
    mid = len(kernel) // 2
    assert kernel[mid - 1, mid + 1] > 0.1 and kernel[mid + 1, mid + 1] == 0


def test_motion_blur_is_the_blur_by_its_segment():
    x = random(2, 3, 16, 24)
    operator = MotionBlur((3, 16, 24), 5.0, 30, num_images=2)
    torch.testing.assert_close(operator(x), Blur((3, 16, 24), segment(5.0, 30), 2)(x), rtol=1e-14, atol=1e-14)
    larger = MotionBlur((3, 16, 24), 5.0, 30, 61, 2)
    torch.testing.assert_close(larger(x), operator(x), rtol=1e-12, atol=1e-12)
    assert MotionBlur((3, 16, 24)).length == 2 and MotionBlur((3, 16, 24)).angle == 45


def test_a_kernel_is_used_as_it_is_and_its_estimate_is_of_the_right_brightness():
    x = torch.full((1, 1, 8, 8), 0.4, dtype=torch.float64)
    operator = Blur((1, 8, 8), torch.full((3, 3), 1.0))
    torch.testing.assert_close(operator(x), 9 * x, rtol=1e-14, atol=0)
    torch.testing.assert_close(operator.estimate(operator(x)), x, rtol=1e-14, atol=0)


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: Blur((1, 8, 8), torch.ones(2, 3)), r"kernel has shape \(h, w\), both odd, but came with \(2, 3\)"),
        (lambda: Blur((1, 8, 8), torch.ones(3)), r"kernel has shape \(h, w\), both odd"),
        (lambda: Blur((1, 8, 8), torch.full((3, 3), torch.nan)), "finite numbers with a positive sum"),
        (lambda: Blur((1, 8, 8), torch.zeros(3, 3)), "finite numbers with a positive sum"),
        (lambda: GaussianBlur((1, 8, 8), 60), "kernel_size is odd, so that the kernel has a middle, but is 60"),
        (lambda: GaussianBlur((1, 8, 8), -1), "kernel_size is a whole number of at least 1, but is -1"),
        (lambda: GaussianBlur((1, 8, 8), 3, 0.0), "std is a positive number of pixels, at most 1000000, but is 0.0"),
        (lambda: GaussianBlur((1, 8, 8), 3, math.inf), "std is a positive number of pixels, .*, but is inf"),
        (lambda: MotionBlur((1, 8, 8), 0.0), "length is a positive number of pixels, but is 0.0"),
        (lambda: MotionBlur((1, 8, 8), 4, math.nan), "angle is a finite number of degrees, but is nan"),
        (lambda: MotionBlur((1, 8, 8), 9, 0, 9), "over 9 pixels needs a kernel_size of at least 11, but has 9"),
        (lambda: MotionBlur((1, 8, 8), 2, 0, 4), "kernel_size is odd"),
    ],
)
def test_refuses(make, message):
    with pytest.raises(ValueError, match=message):
        make()
