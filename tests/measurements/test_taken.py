"""What users measured, of images in [0, 1], becomes y of images in [-1, 1]: exactly A x, or one clear error."""

from types import SimpleNamespace

import numpy as np
import PIL.Image
import pyro.distributions as dist
import pytest
import torch
from diffusers import DDPMScheduler

from tests.conftest import tiny_unet
from vipaint_pyro import LinearMap, Nonlinear, VIPaintPipeline, make_operator
from vipaint_pyro.measurements.inpainting import Inpainting
from vipaint_pyro.measurements.likelihoods import Noiseless
from vipaint_pyro.measurements.matrix import Matrix
from vipaint_pyro.measurements.taken import masked, measured, to_y

SHAPE = (3, 8, 8)
PRIOR = SimpleNamespace(image_shape=SHAPE, dtype=torch.float64, device=torch.device("cpu"))


def images(n=2, shape=SHAPE):
    return torch.rand(n, *shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


OPERATORS = {
    "half": LinearMap(lambda x: 0.5 * x, SHAPE, 2),
    "sums": LinearMap(lambda x: x[..., ::2].cumsum(-1), SHAPE, 2),
    "differences": LinearMap(lambda x: x.diff(dim=-1), SHAPE, 2),
    "matrix": Matrix(torch.randn(2, 5, 192, generator=torch.Generator().manual_seed(1), dtype=torch.float64), SHAPE),
    "super-resolution": make_operator("super-resolution", SHAPE, 2),
    "deblur": make_operator("deblur", SHAPE, 2),
    "colorization": make_operator("colorization", SHAPE, 2),
}


@pytest.mark.parametrize("name", OPERATORS)
def test_what_was_measured_of_unit_images_is_y_of_ours(name):
    A, u = OPERATORS[name], images()
    y = to_y(A(u).clamp(0, 1) if name in ("super-resolution", "deblur") else A(u), A, PRIOR)
    expected = A(2 * u - 1)
    if name in ("super-resolution", "deblur"):  # bicubic weights overshoot; a picture does not
        expected = expected.clamp(-1, 1)
    torch.testing.assert_close(y, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_pictures_are_told_from_other_numbers_in_every_precision(dtype):
    prior = SimpleNamespace(image_shape=SHAPE, dtype=dtype, device=torch.device("cpu"))
    for task in ("super-resolution", "deblur", "motion-deblur", "colorization"):
        A = make_operator(task, SHAPE)
        shape = A.observed.shape[1:]
        y = to_y(torch.full(shape, 0.25), A, prior)
        assert y.dtype == dtype and torch.equal(y, torch.full((1, *shape), -0.5, dtype=dtype))
        with pytest.raises(ValueError, match=r"floating images are in \[0, 1\], noise up to 0.5 apart"):
            to_y(torch.full(shape, 1.6), A, prior)


def test_noise_may_leave_the_range_of_pictures():
    """Clipped, or refused with advice that spoils it, a noisy measurement would be another one."""
    A, generator = make_operator("super-resolution", SHAPE), torch.Generator().manual_seed(0)
    u = (torch.arange(8.0).expand(1, *SHAPE) > 3).double()  # black on the left, white on the right
    noisy = A(u) + 0.1 * torch.randn(A(u).shape, generator=generator).double()
    assert noisy.min() < 0 and noisy.max() > 1
    torch.testing.assert_close(to_y(noisy, A, PRIOR), 2 * noisy - 1, rtol=0, atol=1e-12)
    array = noisy[0].permute(1, 2, 0).numpy()
    torch.testing.assert_close(to_y(array, A, PRIOR), 2 * noisy - 1, rtol=0, atol=1e-12)
    for wrong in (A(u * 2 - 1), A(u * 255)):
        with pytest.raises(ValueError, match="noise up to 0.5 apart"):
            to_y(wrong, A, PRIOR)


@pytest.mark.parametrize("factor", [0.95, 0.999, 1.001, 1.05])
def test_what_is_nearly_a_picture_is_none(factor):
    A, u = LinearMap(lambda x: factor * x, SHAPE), images(1)
    torch.testing.assert_close(to_y(A(u), A, PRIOR), A(2 * u - 1), rtol=0, atol=1e-12)


def test_only_what_is_observed_has_to_be_a_picture():
    observed = torch.arange(8).expand(1, *SHAPE) < 4
    operator = Inpainting(observed)
    torch.testing.assert_close(to_y(images(1) * observed, operator, PRIOR), (2 * images(1) - 1) * observed)
    with pytest.raises(ValueError, match=r"floating images are in \[0, 1\], noise up to 0.5 apart"):
        to_y(torch.full(SHAPE, 1.6), operator, PRIOR)


@pytest.mark.parametrize("wrong", [-1.0, 2.5])
def test_what_a_family_cannot_give_is_said_at_once(wrong):
    counts = Nonlinear(lambda x: 0.3 + 15 * (x.clamp_min(-1) + 1), dist.Poisson, SHAPE)
    y = torch.ones(1, *SHAPE)
    y[0, 0, 1, 1] = wrong
    with pytest.raises(ValueError, match=f"y holds {wrong:g}, which a Poisson cannot give"):
        measured(y, counts, PRIOR)


def test_a_nonlinear_measurement_is_y_as_it_is():
    counts = Nonlinear(lambda x: 0.3 + 15 * (x.clamp_min(-1) + 1), dist.Poisson, SHAPE)
    y = torch.poisson(30 * images(1))
    assert torch.equal(to_y(y, counts, PRIOR), y) and y.max() > 20
    assert torch.equal(to_y(y.long()[0], counts, PRIOR), y)
    array = y[0].permute(1, 2, 0).numpy()  # arrays are (H, W, C), as everywhere
    assert torch.equal(to_y(array.astype(np.uint8), counts, PRIOR), y)


def test_entries_that_are_not_observed_are_nothing():
    observed = torch.rand(1, 1, 8, 8) < 0.5
    counts = Nonlinear(lambda x: x, lambda loc: dist.Normal(loc, 1.0), SHAPE, observed=observed)
    y = to_y(images(1), counts, PRIOR)
    assert torch.equal(y, images(1) * observed)


def test_pipeline_fits_to_y_of_any_linear_map():
    """Half of an image says what the image says: all else equal, the same samples."""
    pipe = VIPaintPipeline(tiny_unet(3), DDPMScheduler(clip_sample=False)).to(torch.float64)
    pipe.set_progress_bar_config(disable=True)
    settings = {"num_samples": 2, "fit_steps": 2, "num_inference_steps": 3, "output_type": "pt", "zeta": 0.0}
    settings["guide"] = "hierarchical"  # the noise that the other takes y to have does not shrink with it
    u, same, half = images(1), LinearMap(lambda x: x, SHAPE), LinearMap(lambda x: 0.5 * x, SHAPE)
    a, b = (
        pipe(m, operator=A, noise_scale=scale, generator=torch.Generator().manual_seed(0), **settings).images
        for m, A, scale in ((u, same, 0.3), (0.5 * u, half, 0.15))
    )
    torch.testing.assert_close(a, b, rtol=0, atol=1e-9)


def test_the_measurement_has_the_likelihood_that_its_operator_brings():
    counts = Nonlinear(lambda x: 0.3 + 15 * (x.clamp_min(-1) + 1), dist.Poisson, SHAPE)
    seen = measured(torch.poisson(30 * images(1)), counts, PRIOR)
    assert seen.operator is counts and seen.likelihood is counts.likelihood
    half = measured(0.5 * images(), OPERATORS["half"], PRIOR)
    assert half.likelihood == Noiseless() and torch.equal(half.y, to_y(0.5 * images(), OPERATORS["half"], PRIOR))


def test_a_picture_outside_of_a_mask():
    picture, holes = images(2), torch.zeros(8, 8)
    holes[:3] = 1  # white is to be filled
    seen, unit, observed = masked(picture, holes, PRIOR)
    known = torch.arange(8)[:, None].expand(2, 1, 8, 8) >= 3
    assert torch.equal(unit.double(), picture) and torch.equal(observed, known)
    assert torch.equal(seen.operator.observed, known) and seen.likelihood == Noiseless() and seen.num_images == 2
    torch.testing.assert_close(seen.y, torch.where(known, 2 * picture - 1, 0), rtol=0, atol=1e-15)


def bad(name):
    ones = torch.ones(*SHAPE)
    return {
        "task's name": (ones, "deblur", TypeError, "make_operator.*not 'deblur'"),
        "function": (ones, lambda x: x, TypeError, "wrapped as vipaint_pyro.LinearMap"),
        "number": (images(3), OPERATORS["half"], ValueError, "3 images, but the operator measures 2"),
        "number of pictures": (images(1), OPERATORS["deblur"], ValueError, "1 image, but the operator measures 2"),
        "shape": (images(2)[..., :4], OPERATORS["half"], ValueError, "4x8 with 3 .*this operator measures 8x8 with 3"),
        "channels last": (torch.ones(8, 8, 3), OPERATORS["half"], ValueError, r"give image.permute\(2, 0, 1\)"),
        "channels first": (np.ones((3, 8, 8)), OPERATORS["half"], ValueError, r"give image.transpose\(1, 2, 0\)"),
        "nan": (images(2) * float("nan"), OPERATORS["half"], ValueError, "not finite"),
        "flat": (torch.ones(8), OPERATORS["half"], ValueError, r"\(C, H, W\), not \(8,\)"),
        "none": ([], OPERATORS["half"], ValueError, "no image"),
        "text": ("y.png", OPERATORS["half"], TypeError, "not str"),
        "size of a picture": (PIL.Image.new("RGB", (4, 4)), OPERATORS["half"], ValueError, "4x4"),
    }[name]


@pytest.mark.parametrize(
    "name",
    ["task's name", "function", "number", "number of pictures", "shape", "channels last", "nan", "flat", "none", "text",
     "size of a picture"],
)  # fmt: skip
def test_what_cannot_be(name):
    image, operator, error, words = bad(name)
    for take in (to_y, measured):
        with pytest.raises(error, match=words):
            take(image, operator, PRIOR)
