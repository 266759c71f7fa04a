"""Tasks by name: their settings, what they refuse, and the noise of a measurement."""

import math

import pytest
import torch

from vipaint_pyro.measurements.blurs import GaussianBlur, MotionBlur
from vipaint_pyro.measurements.grayscale import Grayscale
from vipaint_pyro.measurements.inpainting import Inpainting
from vipaint_pyro.measurements.super_resolution import SuperResolution
from vipaint_pyro.measurements.tasks import TASKS, check_sigma, make_operator, measure


@pytest.mark.parametrize("size", [28, 64])
@pytest.mark.parametrize("task", TASKS)
def test_every_task_serves_small_images(task, size):
    operator = make_operator(task, (3, size, size), 2)
    x = torch.rand(2, 3, size, size, generator=torch.Generator().manual_seed(0)) * 2 - 1
    y = measure(operator, x, TASKS[task].sigma, torch.Generator().manual_seed(1))
    assert y.shape == operator.observed.shape and y.isfinite().all() and y.dtype == torch.float32
    assert operator.estimate(y).shape == x.shape
    assert TASKS[task].text and "\n" not in TASKS[task].text


def test_the_papers_settings():
    assert all(task.sigma == 0.05 for task in TASKS.values())
    sr = make_operator("super-resolution", (3, 256, 256))
    assert isinstance(sr, SuperResolution) and (sr.scale, sr.method) == (4, "bicubic")
    blur = make_operator("deblur", (3, 256, 256))
    assert isinstance(blur, GaussianBlur) and (blur.kernel_size, blur.std) == (61, 3.0)
    motion = make_operator("motion-deblur", (3, 256, 256))
    assert isinstance(motion, MotionBlur) and (motion.length, motion.angle) == (32, 45)
    assert isinstance(make_operator("colorization", (3, 256, 256)), Grayscale)


def test_options():
    assert make_operator("super-resolution", (1, 8, 8), scale=2, method="average").scale == 2
    assert make_operator("deblur", (1, 8, 8), std=1).std == 1.0
    assert make_operator("motion-deblur", (1, 8, 8), length=3, kernel_size=9).kernel.shape == (9, 9)
    assert make_operator("deblur", (1, 8, 8), device="meta").observed.device.type == "meta"


@pytest.mark.parametrize(
    "arguments, options, message",
    [
        (("inpaint", (1, 8, 8)), {}, "unknown task 'inpaint': known are super-resolution, deblur, motion-deblur"),
        (("deblur", (1, 8, 8)), {"scale": 2}, "deblur has no option 'scale': its options are kernel_size, std"),
        (("colorization", (3, 8, 8)), {"std": 2}, "colorization has no option 'std': it has none"),
        (("super-resolution", (1, 28, 30)), {}, "scale 4 does not divide"),
        (("deblur", (8, 8)), {}, r"image_shape is \(C, H, W\)"),
        (("deblur", (1, 8, 8), 0), {}, "num_images is a whole number of at least 1"),
    ],
)
def test_refuses(arguments, options, message):
    with pytest.raises(ValueError, match=message):
        make_operator(*arguments, **options)


@pytest.mark.parametrize("sigma", [0, -0.1, 1.01, math.nan, math.inf, "0.05", True, None])
def test_refuses_sigma(sigma):
    with pytest.raises(ValueError, match=r"in \(0, 1\], but is"):
        check_sigma(sigma)
    assert check_sigma(1) == 1.0


def test_a_measurement_is_the_images_plus_noise_where_observed():
    g = torch.Generator().manual_seed(0)
    observed = torch.rand(2, 1, 64, 64, generator=g) < 0.5
    x = torch.rand(3, 2, 2, 64, 64, generator=g, dtype=torch.float64) * 2 - 1
    operator = Inpainting(observed)
    y = measure(operator, x, 0.2, torch.Generator().manual_seed(1))
    assert (y.masked_select(~observed) == 0).all()
    noise = (y - x).masked_select(observed)
    # Of 24,500 values: the mean within 4.5 of its standard errors, the variance too.
    n = len(noise)
    assert abs(noise.mean()) < 4.5 * 0.2 / n**0.5
    assert abs(noise.square().mean() / 0.04 - 1) < 4.5 * (2 / n) ** 0.5


def test_a_measurement_is_0_where_not_observed_whatever_the_operator_gives_there():
    operator = make_operator("deblur", (1, 8, 8))
    operator.observed[..., :4] = False
    y = measure(operator, torch.ones(1, 1, 8, 8), 0.1)
    assert (y[..., :4] == 0).all() and (y[..., 4:] != 0).all()


def test_each_image_has_noise_of_its_own():
    operator = make_operator("deblur", (1, 8, 8), 2)
    x = torch.zeros(2, 1, 8, 8)

    def seeded(*seeds):
        return [torch.Generator().manual_seed(s) for s in seeds]

    y = measure(operator, x, 0.1, seeded(1, 2))
    assert torch.equal(measure(operator, x, 0.1, seeded(3, 2))[1], y[1])
    assert not torch.equal(y[0], y[1])
    with pytest.raises(ValueError, match=r"x has shape \(\*, 2, C, H, W\) for this operator"):
        measure(operator, x[:1], 0.1)


def test_the_noise_of_many_draws_is_each_images_own_too():
    def noise(*seeds):
        operator = make_operator("colorization", (3, 2, 2), len(seeds))
        x = torch.zeros(4, len(seeds), 3, 2, 2)
        return measure(operator, x, 0.1, [torch.Generator().manual_seed(k) for k in seeds])

    together = noise(1, 2, 3)
    for i, seed in enumerate((1, 2, 3)):
        assert torch.equal(together[:, i : i + 1], noise(seed))
