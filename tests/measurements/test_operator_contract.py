"""What every operator holds to: adjoint, pseudo-inverse, parts, devices, images for themselves (float64)."""

import pyro.distributions as dist
import pytest
import torch

from vipaint_pyro.measurements.blurs import Blur, GaussianBlur, MotionBlur
from vipaint_pyro.measurements.grayscale import Grayscale
from vipaint_pyro.measurements.inpainting import Inpainting
from vipaint_pyro.measurements.linear_map import LinearMap
from vipaint_pyro.measurements.matrix import Matrix, as_matrix
from vipaint_pyro.measurements.nonlinear import Nonlinear
from vipaint_pyro.measurements.operator import LinearOperator
from vipaint_pyro.measurements.super_resolution import SuperResolution

SHAPE, N = (3, 6, 8), 4
IMAGE = (-3, -2, -1)


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


class Pooling(LinearOperator):
    """An operator of a user's, with the defaults alone: means of 2 x 2 pixels, some of which are not observed."""

    image_shape = SHAPE

    def __init__(self):
        self.observed = random(N, 3, 3, 4) > -0.5

    def __call__(self, x):
        return x.unflatten(-1, (-1, 2)).unflatten(-3, (-1, 2)).mean((-3, -1))

    def adjoint(self, y):
        return y.repeat_interleave(2, -1).repeat_interleave(2, -2) / 4


def partly_observed():
    operator = Blur(SHAPE, KERNEL, N)
    operator.observed = MASK
    return operator


MASK = random(N, *SHAPE) > 0.2
#: Of rank 5, so that A A^+ is not the identity either.
MATRIX = random(N, 7, 5) @ random(N, 5, 144, seed=1)
KERNEL = random(3, 5).abs()
KERNEL[1, 2] += 9
#: If you add an operator, add it here.
CLOSED = {
    "mask": lambda: Inpainting(MASK),
    "mask of one channel": lambda: Inpainting(MASK[:, :1]),
    "matrix": lambda: Matrix(MATRIX, SHAPE),
    "bicubic": lambda: SuperResolution(SHAPE, 2, num_images=N),
    "average": lambda: SuperResolution(SHAPE, 2, "average", N),
    "Gaussian": lambda: GaussianBlur(SHAPE, 5, 0.6, N),
    "grey": lambda: Grayscale(SHAPE, N),
}
BY_CGLS = {
    "motion": lambda: MotionBlur(SHAPE, 1.5, 30, num_images=N),
    "kernel": lambda: Blur(SHAPE, KERNEL, N),
    "kernel, partly observed": partly_observed,
    "function": lambda: LinearMap(lambda x: x[..., ::2].cumsum(-1), SHAPE, N),
    "user's": Pooling,
}
LINEAR = {**CLOSED, **BY_CGLS}
COUNTS = {"start": lambda y: torch.cat([y, y[..., :1]], -1) / 5, "observed": random(N, 3, 6, 7) > 0}
ALL = {**LINEAR, "nonlinear": lambda: Nonlinear(lambda x: x[..., 1:].exp(), dist.Poisson, SHAPE, N, **COUNTS)}

linear = pytest.mark.parametrize("operator", [make() for make in LINEAR.values()], ids=LINEAR)
every = pytest.mark.parametrize("operator", [make() for make in ALL.values()], ids=ALL)


def seen(operator, *left):
    """Some y that no image explains, 0 where not observed."""
    y = operator(random(*left, N, *operator.image_shape))
    return operator.observed * (y + random(*y.shape, seed=1))


def inner(a, b):
    return (a * b).sum(IMAGE)


def does(operator):
    """Everything an operator does, by name, and what to do it to."""
    yield "__call__", random(2, N, *operator.image_shape)
    for name in ("adjoint", "estimate", "scaled_estimate", "pseudo_inverse"):
        if hasattr(operator, name):
            yield name, seen(operator, 2)


@linear
def test_the_adjoint_is_the_adjoint(operator):
    x = random(2, N, *operator.image_shape)
    Ax = operator(x)
    y = random(*Ax.shape, seed=1)
    error = inner(Ax, y) - inner(x, operator.adjoint(y))
    assert (error.abs() <= 1e-12 * (inner(Ax, Ax) * inner(y, y)).sqrt()).all()


@every
def test_it_says_how_many_images_of_which_shape(operator):
    expected = (1, *SHAPE[1:]) if isinstance(operator, Inpainting) and operator.observed.shape[1] == 1 else SHAPE
    assert operator.image_shape == expected and operator.num_images == N
    y = operator(random(5, N, *operator.image_shape))
    assert y.shape == (5, *operator.observed.shape) and operator.observed.dtype == torch.bool
    assert operator.estimate(y).shape == (5, N, *operator.image_shape)


@every
@pytest.mark.parametrize("start, stop", [(1, 3), (3, 4), (0, 4)])
def test_a_part_does_to_its_images_what_the_whole_does(operator, start, stop):
    part = operator.part(start, stop)
    assert part.num_images == stop - start and torch.equal(part.observed, operator.observed[start:stop])
    assert operator.num_images == N and part.likelihood is operator.likelihood
    for name, v in does(operator):
        own, whole = getattr(part, name)(v[:, start:stop]), getattr(operator, name)(v)
        torch.testing.assert_close(own, whole[:, start:stop], rtol=1e-12, atol=1e-12, msg=name)


@every
def test_moved_it_does_the_same(operator):
    moved, gone = operator.to(torch.device("cpu")), operator.to(torch.device("meta"))
    assert gone.observed.is_meta and not operator.observed.is_meta
    assert torch.equal(moved.observed, operator.observed)
    assert moved.image_shape == gone.image_shape == operator.image_shape
    for name, v in does(operator):
        assert torch.equal(getattr(moved, name)(v), getattr(operator, name)(v)), name


@every
def test_no_image_sees_another(operator):
    for name, v in does(operator):
        f, changed = getattr(operator, name), v.clone()
        changed[:, 1] = 3 * changed[:, 1].flip(-1)
        before, after = f(v), f(changed)
        others = [0, 2, 3]
        torch.testing.assert_close(after[:, others], before[:, others], rtol=1e-12, atol=1e-12, msg=name)
        torch.testing.assert_close(f(v[:1]), before[:1], rtol=1e-12, atol=1e-12, msg=name)


@pytest.mark.parametrize("name", LINEAR)
def test_the_pseudo_inverse_is_moores_and_penroses(name):
    operator = LINEAR[name]()
    shape, y = operator.image_shape, operator.observed
    A = as_matrix(operator, shape, random(1))
    size = y[0].numel()
    units = torch.eye(size, dtype=torch.float64).reshape(size, 1, *y.shape[1:]).expand(size, *y.shape)
    P = operator.pseudo_inverse(units).flatten(-3).permute(1, 2, 0)
    assert P.shape == A.mT.shape
    _, values, V = torch.linalg.svd(A)
    kept = values > 1e-10 * values[:, :1]
    condition = float((values[:, 0] / values.masked_fill(~kept, torch.inf).amin(1)).max())
    # A closed form is off by its condition number times the precision (9 of the Gaussian blur's). CGLS ends where
    # A^T (y - A x) is at the precision: its x may be off by the square of it (8 of the kernel's).
    eps = torch.finfo(torch.float64).eps
    near = 20 * eps * (condition**2 if name in BY_CGLS else condition)
    assert near < 1e-12

    def same(a, b, size):
        torch.testing.assert_close(a, b, rtol=0, atol=near * float(size))

    largest, inverse = values[:, 0].max(), float(P.abs().max())
    same(A @ P @ A, A, largest)
    same(P @ A @ P, P, inverse)
    same((P @ A).mT, P @ A, 1)
    same((A @ P).mT, A @ P, 1)
    # What A does not see is not there.
    for n in range(N):
        null = V[n, kept[n].sum() :]
        same(null @ P[n], torch.zeros(len(null), size, dtype=torch.float64), inverse)


@linear
def test_the_scaled_estimate_is_the_multiple_that_explains_y_best(operator):
    y = seen(operator, 2)
    x, start = operator.scaled_estimate(y), operator.estimate(y)
    if isinstance(operator, Inpainting):  # a continuation is no adjoint: RED-diff's published start is
        start = operator.adjoint(y)
    c = (inner(x, start) / inner(start, start))[..., None, None, None]
    torch.testing.assert_close(x, c * start, rtol=1e-12, atol=1e-12)
    factor = torch.ones(2, N, 1, 1, 1, dtype=torch.float64, requires_grad=True)
    Ax = operator.observed * operator(x)
    (slope,) = torch.autograd.grad((y - factor * Ax).square().sum(), factor)
    assert (slope.flatten(-4).abs() <= 1e-12 * inner(y, y)).all() and (inner(Ax, Ax) > 1e-3 * inner(y, y)).all()


def test_of_a_nonlinear_one_the_scaled_estimate_is_the_estimate():
    operator = ALL["nonlinear"]()
    y = seen(operator)
    assert torch.equal(operator.scaled_estimate(y), operator.estimate(y)) and operator.estimate(y).abs().max() > 0.1
