"""Every restoration operator: adjoint, precision, shapes, estimate, and what it refuses."""

import copy
import pickle

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vipaint_pyro.measurements.blurs import Blur, GaussianBlur, MotionBlur
from vipaint_pyro.measurements.grayscale import Grayscale
from vipaint_pyro.measurements.linear_map import LinearMap
from vipaint_pyro.measurements.matrix import as_matrix
from vipaint_pyro.measurements.super_resolution import SuperResolution

KERNEL = torch.rand(3, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
#: (C, H, W) to an operator of N images. If you add an operator, add it here.
KINDS = {
    "bicubic 2": lambda shape, n: SuperResolution(shape, 2, num_images=n),
    "bicubic 4": lambda shape, n: SuperResolution(shape, 4, num_images=n),
    "average 2": lambda shape, n: SuperResolution(shape, 2, "average", n),
    "average 4": lambda shape, n: SuperResolution(shape, 4, "average", n),
    "Gaussian": lambda shape, n: GaussianBlur(shape, 7, 1.3, n),
    "Gaussian, larger than the image": lambda shape, n: GaussianBlur(shape, 61, 3.0, n),
    "motion": lambda shape, n: MotionBlur(shape, 3.7, 30, num_images=n),
    "kernel": lambda shape, n: Blur(shape, KERNEL, n),
    "grey": lambda shape, n: Grayscale((3, *shape[1:]), n),
    "function": lambda shape, n: LinearMap(lambda x: x[..., ::2].cumsum(-1), shape, n, dtype=torch.float32),
}
#: Of <A x, y> - <x, A^T y> over |A x| |y|.
TOLERANCES = {torch.float64: 1e-12, torch.float32: 1e-6, torch.bfloat16: 0.01}

shapes = st.tuples(st.integers(1, 3), st.sampled_from([4, 8, 12, 16]), st.sampled_from([4, 8, 20]))


def random(*shape, seed=0, dtype=torch.float64):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def inner(a, b):
    return (a.double() * b.double()).sum((-3, -2, -1))


@pytest.mark.parametrize("kind", KINDS)
@settings(deadline=None, max_examples=25, derandomize=True)
@given(
    shape=shapes,
    n=st.integers(1, 2),
    left=st.sampled_from([(), (3,), (2, 1)]),
    dtype=st.sampled_from(list(TOLERANCES)),
    seed=st.integers(0, 99),
)
def test_adjoint(kind, shape, n, left, dtype, seed):
    operator = KINDS[kind](shape, n)
    x = random(*left, n, *operator.image_shape, seed=seed, dtype=dtype)
    Ax = operator(x)
    y = random(*Ax.shape, seed=seed + 1, dtype=dtype)
    ATy = operator.adjoint(y)
    assert Ax.dtype == ATy.dtype == dtype and ATy.shape == x.shape
    assert operator.observed.shape == (n, *Ax.shape[-3:]) and operator.observed.all()
    error = inner(Ax, y) - inner(x, ATy)
    assert (error.abs() <= TOLERANCES[dtype] * (inner(Ax, Ax) * inner(y, y)).sqrt()).all()


@pytest.mark.parametrize("kind", KINDS)
def test_the_adjoint_is_the_transpose_of_the_matrix(kind):
    operator = KINDS[kind]((2, 8, 4), 2)
    x = random(2, *operator.image_shape)
    matrix = as_matrix(operator, operator.image_shape, x)
    y = operator(x)
    torch.testing.assert_close((matrix @ x.flatten(-3)[..., None])[..., 0], y.flatten(-3), rtol=1e-12, atol=1e-12)
    back = (matrix.mT @ y.flatten(-3)[..., None])[..., 0]
    torch.testing.assert_close(back, operator.adjoint(y).flatten(-3), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_autograd_gives_the_adjoint_and_goes_through_it(kind):
    operator = KINDS[kind]((1, 8, 8), 1)
    x = random(1, *operator.image_shape).requires_grad_()
    y = random(*operator(x).shape, seed=1).requires_grad_()
    (gradient,) = torch.autograd.grad(operator(x), x, y.detach())
    torch.testing.assert_close(gradient, operator.adjoint(y.detach()), rtol=1e-12, atol=1e-12)
    (gradient,) = torch.autograd.grad(operator.adjoint(y), y, x.detach())
    torch.testing.assert_close(gradient, operator(x.detach()), rtol=1e-12, atol=1e-12)
    with torch.no_grad():
        assert not operator.adjoint(y).requires_grad


@pytest.mark.parametrize("kind", KINDS)
def test_estimate_is_an_image_like_the_truth(kind):
    # A smooth picture comes back about as it was, in brightness and in place.
    operator = KINDS[kind]((1, 16, 16), 2)
    ramp = torch.linspace(-0.9, 0.9, 16, dtype=torch.float64)
    x = (ramp[:, None] + 0.5 * ramp).expand(2, *operator.image_shape)
    start = operator.estimate(operator(x))
    assert start.shape == x.shape and start.dtype == x.dtype
    if kind == "function":  # nothing of the kind can be known of any function
        return
    assert (start - x).abs().max() < (0.75 if "larger" in kind else 0.3)
    grey = torch.full_like(x, -0.35)
    torch.testing.assert_close(operator.estimate(operator(grey)), grey, rtol=0, atol=1e-12)


def test_the_estimate_of_a_function_explains_y_best():
    operator = KINDS["function"]((1, 4, 8), 3)
    y = random(5, 3, 1, 4, 4)
    x = operator.estimate(y)
    assert x.shape == (5, 3, 1, 4, 8)

    def misfit(c):
        return (operator(c * x) - y).square().sum((-3, -2, -1))

    assert (misfit(1.0) < misfit(1.01)).all() and (misfit(1.0) < misfit(0.99)).all()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_what_is_kept_of_a_call_in_inference_mode_serves_a_fit(kind, dtype):
    operator = KINDS[kind]((1, 8, 8), 1)
    x = random(1, *operator.image_shape, dtype=dtype)
    with torch.inference_mode():
        expected = operator(x)
        inverted = operator.pseudo_inverse(expected)
    x.requires_grad_()
    y = operator(x)
    assert torch.equal(y, expected) and torch.equal(operator.pseudo_inverse(y), inverted)
    y.square().sum().backward()
    assert x.grad.isfinite().all()


@pytest.mark.parametrize("kind", KINDS)
def test_copies_and_devices(kind):
    operator = KINDS[kind]((1, 8, 8), 1)
    x = random(1, *operator.image_shape)
    y = operator(x)
    assert torch.equal(copy.deepcopy(operator)(x), y)
    if kind != "function":
        assert torch.equal(pickle.loads(pickle.dumps(operator))(x), y)
    if not isinstance(operator, LinearMap):
        other = type(operator).__call__  # observed is where it was asked for, whatever x is
        made = {
            SuperResolution: lambda: SuperResolution((1, 8, 8), 2, device="meta"),
            GaussianBlur: lambda: GaussianBlur((1, 8, 8), 3, device="meta"),
            MotionBlur: lambda: MotionBlur((1, 8, 8), device="meta"),
            Blur: lambda: Blur((1, 8, 8), KERNEL, device="meta"),
            Grayscale: lambda: Grayscale((3, 8, 8), device="meta"),
        }[type(operator)]()
        assert made.observed.device.type == "meta" and other(made, x).device.type == "cpu"


@pytest.mark.parametrize("kind", KINDS)
def test_refuses_images_of_another_shape(kind):
    operator = KINDS[kind]((3, 8, 8), 1)
    with pytest.raises(ValueError, match=r"x has shape \(\*, N, 3, 8, 8\), but came with \(1, 3, 8, 9\)"):
        operator(torch.zeros(1, 3, 8, 9))
    with pytest.raises(ValueError, match=r"y has shape \(\*, N, .*\), but came with \(1, 2, 5, 5\)"):
        operator.adjoint(torch.zeros(1, 2, 5, 5))
    if kind != "function":
        with pytest.raises(TypeError, match=r"floating point, but came as torch.uint8"):
            operator(torch.zeros(1, 3, 8, 8, dtype=torch.uint8))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "shape, n, message",
    [
        ((3, 8), 1, r"image_shape is \(C, H, W\), but is \(3, 8\)"),
        ((3, 8, 0), 1, "each size in image_shape is a whole number of at least 1, but is 0"),
        ((3, 8, 8.0), 1, "each size in image_shape is a whole number of at least 1, but is 8.0"),
        ((3, 8, 8), 0, "num_images is a whole number of at least 1, but is 0"),
        ((3, 8, 8), True, "num_images is a whole number of at least 1, but is True"),
    ],
)
def test_refuses_what_is_no_shape(kind, shape, n, message):
    with pytest.raises(ValueError, match=message):
        KINDS[kind](shape, n)


@pytest.mark.parametrize("task", [GaussianBlur, SuperResolution, MotionBlur, Grayscale])
def test_one_operator_serves_every_precision(task):
    operator, x = task((3, 8, 8)), random(1, 3, 8, 8)
    exact = operator(x)
    for dtype, atol in ((torch.float32, 1e-6), (torch.bfloat16, 0.05), (torch.float16, 0.01), (torch.float64, 0)):
        y = operator(x.to(dtype))
        assert y.dtype == dtype and (y.double() - exact).abs().max() <= atol
        assert operator.adjoint(y).dtype == dtype
