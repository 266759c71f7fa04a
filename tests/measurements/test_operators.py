"""Measurements as linear maps: <A x, y> = <x, A^T y>, and their matrices (float64)."""

import pytest
import torch

from vipaint_pyro.measurements.inpainting import Inpainting
from vipaint_pyro.measurements.matrix import Matrix, as_matrix
from vipaint_pyro.measurements.operator import LinearOperator


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


class Pooling(LinearOperator):
    """An operator of a user's: means of 2 x 2 pixels, the first of which are not observed."""

    def __init__(self, n, c, h, w):
        self.image_shape = (c, h, w)
        self.observed = torch.ones(n, c, h // 2, w // 2, dtype=torch.bool)
        self.observed[..., 0, 0] = False

    def __call__(self, x):
        return x.reshape(*x.shape[:-2], x.shape[-2] // 2, 2, x.shape[-1] // 2, 2).mean((-3, -1))

    def adjoint(self, y):
        return y.repeat_interleave(2, -1).repeat_interleave(2, -2) / 4


def operators(seed):
    """One of each kind over random shapes, with its images' shape and its number of images."""
    g = torch.Generator().manual_seed(seed)
    n, c, h, w, d_y = torch.randint(1, 4, (5,), generator=g).tolist()
    shape = (c, 2 * h, 2 * w)
    d = 4 * c * h * w
    mask = torch.rand(n, c, 2 * h, 2 * w, generator=g) < 0.6
    return {
        "mask": (Inpainting(mask), shape, n),
        "mask of one channel": (Inpainting(mask[:, :1]), shape, n),
        "matrix": (Matrix(random(d_y, d, seed=seed), shape), shape, 1),
        "matrices": (Matrix(random(n, d_y, d, seed=seed), shape), shape, n),
        "flat matrix": (Matrix(random(d_y, d, seed=seed)), (1, 1, d), 1),
        "user's": (Pooling(n, *shape), shape, n),
    }


KINDS = list(operators(0))


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("kind", KINDS)
def test_adjoint(kind, seed):
    operator, shape, n = operators(seed)[kind]
    x = random(5, n, *shape, seed=seed)
    y = random(*operator(x).shape, seed=seed + 1)
    assert operator.observed.shape[0] == n and operator.adjoint(y).shape == x.shape
    inner = (operator(x) * y).sum((-3, -2, -1))
    torch.testing.assert_close(inner, (x * operator.adjoint(y)).sum((-3, -2, -1)), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("kind", KINDS)
def test_as_matrix_is_the_operator(kind, seed):
    operator, shape, n = operators(seed)[kind]
    x = random(5, n, *shape, seed=seed)
    matrix = as_matrix(operator, shape, x)
    y = (operator(x) * operator.observed).flatten(-3)
    assert matrix.shape == (n, y.shape[-1], x[0, 0].numel())
    torch.testing.assert_close((matrix @ x.flatten(-3)[..., None])[..., 0], y, rtol=1e-12, atol=1e-12)
    back = (matrix.mT @ y[..., None])[..., 0].reshape(x.shape)
    torch.testing.assert_close(back, operator.adjoint(y.reshape(operator(x).shape)), rtol=1e-12, atol=1e-12)
    assert as_matrix(operator, shape, x.float()).dtype == torch.float32


def test_by_hand():
    A = torch.tensor([[1.0, 2, 3], [4, 5, 6]])
    operator = Matrix(A)
    x = torch.tensor([[[[1.0, 0, -1]]]])
    assert operator(x).tolist() == [[[[-2, -2]]]] and operator.observed.tolist() == [[[[True, True]]]]
    assert operator.adjoint(torch.tensor([[[[1.0, -1]]]])).tolist() == [[[[-3, -3, -3]]]]
    mask = Inpainting(torch.tensor([[[[True, False, True]]]]))
    assert mask(x).tolist() == mask.adjoint(x).tolist() == [[[[1, 0, -1]]]]
    assert as_matrix(mask, (1, 1, 3), x).tolist() == [[[1, 0, 0], [0, 0, 0], [0, 0, 1]]]
    # Every image has a matrix of its own, in whatever axes lie to the left.
    two = Matrix(torch.stack([A, -A]))
    assert two(x.expand(7, 2, 1, 1, 3))[3].tolist() == [[[[-2, -2]]], [[[2, 2]]]]


def test_rows_not_observed_are_zero():
    pooling = Pooling(1, 1, 4, 4)
    assert (as_matrix(pooling, (1, 4, 4), random(1))[0].abs().sum(-1) > 0).tolist() == [False, True, True, True]


@pytest.mark.parametrize("matrix", [torch.ones(3), torch.ones(1, 1, 2, 3), torch.ones(2, 3, dtype=torch.long)])
def test_refuses_what_is_no_matrix(matrix):
    with pytest.raises(ValueError, match=r"matrix has shape \(d_y, D\) or \(N, d_y, D\)"):
        Matrix(matrix)


def test_refuses_another_image_shape():
    with pytest.raises(ValueError, match=r"images of shape \(1, 2, 2\) have not the 3 columns"):
        Matrix(torch.ones(2, 3), (1, 2, 2))


def test_refuses_what_is_no_mask():
    with pytest.raises(TypeError, match="write e.g. mask < 0.5"):
        Inpainting(torch.ones(1, 1, 2, 2))
    with pytest.raises(ValueError, match=r"shape \(N, C, H, W\), but came with \(2, 2\)"):
        Inpainting(torch.ones(2, 2, dtype=torch.bool))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("kind", KINDS)
def test_without_an_estimate_of_its_own_an_operator_begins_from_its_adjoint(kind, seed):
    operator, shape, n = operators(seed)[kind]
    y = operator(random(n, *shape, seed=seed))
    assert torch.equal(LinearOperator.estimate(operator, y), operator.adjoint(y))
    assert "mask" in kind or torch.equal(operator.estimate(y), operator.adjoint(y))


def test_an_operators_own_estimate_comes_first():
    class Bright(Pooling):
        def estimate(self, y):
            return 4 * self.adjoint(y)

    pooling, y = Bright(1, 1, 4, 4), random(1, 1, 2, 2)
    assert torch.equal(pooling.estimate(y), 4 * pooling.adjoint(y))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("kind", KINDS)
def test_the_scaled_estimate_explains_y_best(kind, seed):
    operator, shape, n = operators(seed)[kind]
    y = operator(random(5, n, *shape, seed=seed)) * operator.observed
    x = operator.scaled_estimate(y)
    assert x.shape == (5, n, *shape)
    # The misfit is at its least: what is left of y has no share in A x.
    Ax = operator(x) * operator.observed
    torch.testing.assert_close((Ax * (y - Ax)).sum((-3, -2, -1)), torch.zeros(5, n).double(), rtol=0, atol=1e-11)
    assert torch.equal(x.sign(), operator.adjoint(y).sign())


def test_the_scaled_estimate_of_nothing_is_nothing():
    assert (Pooling(1, 1, 4, 4).scaled_estimate(torch.zeros(1, 1, 2, 2)) == 0).all()
