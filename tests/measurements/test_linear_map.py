"""A user's function as an operator: what passes and what is found out."""

import pytest
import torch

from vipaint_pyro.measurements.linear_map import LinearMap
from vipaint_pyro.measurements.matrix import as_matrix


def test_by_hand():
    operator = LinearMap(lambda x: x[..., 1:] - x[..., :-1], (1, 1, 3), 2)
    x = torch.tensor([[[[1.0, 4.0, 9.0]]], [[[0.0, 1.0, 0.0]]]])
    assert operator.observed.shape == (2, 1, 1, 2) and operator.observed.all()
    assert operator(x).flatten().tolist() == [3, 5, 1, -1]
    assert operator.adjoint(operator(x)).flatten().tolist() == [-3, -2, 5, -1, 2, -1]
    assert as_matrix(operator, (1, 1, 3), x)[0].tolist() == [[-1, 1, 0], [0, -1, 1]]


def test_a_networks_convolution_in_its_own_precision():
    convolution = torch.nn.Conv2d(2, 3, 3, stride=2, padding=1, bias=False).requires_grad_(False)
    with pytest.raises(ValueError, match="torch.float64 on cpu.*another precision.*dtype="):
        LinearMap(convolution, (2, 8, 8), dtype=torch.float64)
    operator = LinearMap(convolution, (2, 8, 8), 4)
    y = torch.randn(7, 4, 3, 4, 4)
    expected = torch.nn.functional.conv_transpose2d(
        y.flatten(0, 1), convolution.weight, stride=2, padding=1, output_padding=1
    )
    torch.testing.assert_close(operator.adjoint(y), expected.reshape(7, 4, 2, 8, 8), rtol=1e-5, atol=1e-6)


def test_the_trial_leaves_the_random_state_alone():
    state = torch.get_rng_state()
    LinearMap(lambda x: 2 * x, (1, 4, 4))
    assert torch.equal(state, torch.get_rng_state())


def test_in_inference_mode_it_is_the_same():
    made = LinearMap(difference, (1, 4, 4))
    y = torch.randn(2, 1, 1, 4, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        inside = LinearMap(difference, (1, 4, 4))
        adjoint = made.adjoint(y)
    assert torch.equal(made.adjoint(y), adjoint) and torch.equal(inside.adjoint(y), adjoint)
    x = torch.ones(1, 1, 4, 4, dtype=torch.float64, requires_grad=True)
    (inside(x)[..., 0] * inside.observed[..., 0]).sum().backward()
    assert x.grad[0, 0, 0].tolist() == [-1, 1, 0, 0]


def difference(x):
    return x[..., 1:] - x[..., :-1]


CURE = "goes through a likelihood instead: vipaint_pyro.measurements.nonlinear.Nonlinear"


@pytest.mark.parametrize(
    "function, error, message",
    [
        (lambda x: x + 1e-3, ValueError, f"not linear: it is not 0 at 0. .* {CURE}"),
        (lambda x: x.abs(), ValueError, f"not linear: A.* {CURE}"),
        (lambda x: x.relu(), ValueError, f"not linear: A.* {CURE}"),
        (lambda x: x**3, ValueError, "not linear: A"),
        (lambda x: x.clamp(-1, 1), ValueError, "not linear: A"),
        (lambda x: x + 1e-4 * x * x, ValueError, "not linear: A"),
        (lambda x: x * torch.rand_like(x), ValueError, "not linear: A"),
        (lambda x: x / 0, ValueError, "not finite"),
        (lambda x: x - x.mean(0), ValueError, "mixes the images of a batch"),
        (lambda x: x.sum(0, keepdim=True), ValueError, r"\(3, 2, 4, 4\) became \(1, 2, 4, 4\)"),
        (lambda x: x.flatten(1), ValueError, r"became \(3, 32\), which is not \(B, C', H', W'\)"),
        (lambda x: x.detach() * 2, ValueError, "cannot be differentiated"),
        (lambda x: torch.fft.fft2(x), TypeError, "real tensors, but this one gave torch.complex128"),
        (lambda x: x.tolist(), TypeError, "real tensors, but this one gave list"),
        ("deblur", TypeError, "takes images .* but is 'deblur'"),
    ],
)
def test_finds_out_what_is_not_linear(function, error, message):
    with pytest.raises(error, match=message):
        LinearMap(function, (2, 4, 4))
