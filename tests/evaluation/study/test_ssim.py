"""SSIM against values known by hand, and against scikit-image's."""

import pytest
import torch

from vipaint_pyro.evaluation.study.ssim import ssim

C1 = 0.01**2


def picture(kind: str, height: int, width: int) -> torch.Tensor:
    """Smooth or hard-edged, (H, W) in [-1, 1]."""
    r = torch.arange(height, dtype=torch.float64)[:, None]
    c = torch.arange(width, dtype=torch.float64)[None]
    inside = (r - height / 2) ** 2 + (c - width / 3) ** 2 < height * width / 14
    return {
        "waves": torch.sin(0.3 * r) * torch.cos(0.25 * c),
        "tilted": torch.sin(0.3 * r + 0.6) * torch.cos(0.25 * c),
        "discs": torch.where(inside, 0.8, -0.6).double(),
        "rings": torch.cos(((r - 9) ** 2 + (c - 14) ** 2).sqrt() * 0.6),
    }[kind].expand(height, width)


@pytest.mark.parametrize("a, b", [(0.2, 0.5), (-1.0, 1.0), (0.0, 0.0), (-1.0, -0.9)])
def test_of_constant_images_only_the_means_are_compared(a, b):
    x, y = (torch.full((1, 13, 11), v, dtype=torch.float64) for v in (a, b))
    p, q = (a + 1) / 2, (b + 1) / 2  # as intensities in [0, 1]
    assert ssim(x, y).item() == pytest.approx((2 * p * q + C1) / (p**2 + q**2 + C1), abs=1e-12)


def test_of_a_shifted_image_too_window_by_window():
    # A ramp's weighted mean in a window is the value at its middle; a shift leaves variances and covariance alike.
    ramp = torch.linspace(-0.8, 0.4, 20, dtype=torch.float64).expand(1, 15, 20)
    p = (ramp[0, 0, 5:-5] + 1) / 2
    q = p + 0.1
    expected = ((2 * p * q + C1) / (p**2 + q**2 + C1)).mean()
    torch.testing.assert_close(ssim(ramp + 0.2, ramp)[()], expected, rtol=0, atol=1e-12)


def test_of_an_image_and_its_negative_about_a_mean():
    # At one window: mean m, variance v, covariance -v.
    x = torch.rand(1, 11, 11, generator=torch.Generator().manual_seed(0)).double() - 0.5
    k = torch.exp(-((torch.arange(11).double() - 5) ** 2) / 4.5)
    w = k[:, None] * k / k.sum() ** 2
    p = (x[0] + 1) / 2
    m = (w * p).sum()
    v, other = (w * (p - m) ** 2).sum(), 2 * m - p
    expected = (2 * m * m + C1) * (-2 * v + 9e-4) / ((2 * m * m + C1) * (2 * v + 9e-4))
    torch.testing.assert_close(ssim(2 * other[None] - 1, x)[()], expected, rtol=0, atol=1e-12)


# Computed by scikit-image 0.26.0: structural_similarity((x + 1) / 2, (y + 1) / 2, gaussian_weights=True, sigma=1.5,
# use_sample_covariance=False, data_range=1).
KNOWN = [
    ("waves", "tilted", 28, 28, 0.76024522016221),
    ("waves", "discs", 28, 28, 0.19261202499983),
    ("discs", "rings", 28, 28, 0.07136812989447),
    ("rings", "tilted", 11, 20, 0.46594774480083),
]


@pytest.mark.parametrize("a, b, height, width, value", KNOWN)
def test_agrees_with_scikit_image_as_it_was(a, b, height, width, value):
    x, y = picture(a, height, width), picture(b, height, width)
    assert ssim(x[None], y[None]).item() == pytest.approx(value, abs=1e-12)


def test_agrees_with_scikit_image_in_colour():
    x = torch.stack([picture(k, 40, 33) for k in ("waves", "discs", "rings")])
    y = torch.stack([picture(k, 40, 33) for k in ("tilted", "discs", "waves")])
    assert ssim(x, y).item() == pytest.approx(0.60744583489132, abs=1e-12)


def test_agrees_with_scikit_image_where_it_is_installed():
    metrics = pytest.importorskip("skimage.metrics")
    for a, b, height, width, _ in KNOWN:
        x, y = ((picture(k, height, width).numpy() + 1) / 2 for k in (a, b))
        value = metrics.structural_similarity(
            x, y, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=1
        )
        assert ssim(picture(a, height, width)[None], picture(b, height, width)[None]).item() == pytest.approx(value)


def test_each_image_is_for_itself_and_the_truth_scores_one():
    x = torch.rand(4, 2, 3, 12, 15, generator=torch.Generator().manual_seed(1)) * 2 - 1
    value = ssim(x, x[0])
    assert value.shape == (4, 2) and value.dtype == torch.float64
    torch.testing.assert_close(value[2, 1], ssim(x[2, 1], x[0, 1]))
    torch.testing.assert_close(value[0], torch.ones(2).double())
    torch.testing.assert_close(ssim(3 * x, x[0]), ssim((3 * x).clamp(-1, 1), x[0]))  # what lies beyond is cut off


def test_smaller_images_than_the_window_are_refused():
    with pytest.raises(ValueError, match="windows of 11 x 11 pixels, but the images are 28 x 10"):
        ssim(torch.zeros(1, 10, 28), torch.zeros(1, 10, 28))
