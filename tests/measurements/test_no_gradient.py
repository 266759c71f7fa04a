"""An operator through which no gradient passes is refused when it is tried: pictures would ignore y."""

import re

import pytest
import torch

from tests.measurements.refusals import SHAPE, noise, refused
from vipaint_pyro.measurements.linear_map import LinearMap
from vipaint_pyro.measurements.measurement import check_operator
from vipaint_pyro.measurements.nonlinear import Nonlinear
from vipaint_pyro.measurements.operator import Operator


def own(function, shape=SHAPE):
    class Own(Operator):
        image_shape, observed = shape, torch.ones(1, *shape, dtype=torch.bool)

        def __call__(self, x):
            return function(x)

    return Own()


WAYS = {
    "Nonlinear": ("the function", lambda function: Nonlinear(function, noise, SHAPE)),
    "class": ("the operator Own", lambda function: check_operator(own(function))),
}
WEIGHTS = torch.nn.Parameter(torch.ones(()))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "function, words",
    [
        (lambda v: v.round(), "has a gradient of 0 for all random images .* a rounding .* goes into the family"),
        (lambda v: v * 0, "has a gradient of 0"),
        (lambda v: v.clamp(2, 3) if v.abs().max() <= 1 else v.sign(), "has a gradient of 0"),
        (lambda v: v.detach() ** 2, "cannot be differentiated: no gradient passes from A x to x.* detach, no_grad"),
        (lambda v: WEIGHTS * v.detach(), "cannot be differentiated: no gradient passes"),
        (lambda v: (v > 0).to(v), "cannot be differentiated: no gradient passes"),
        (torch.no_grad()(lambda v: v**2), "cannot be differentiated: no gradient passes"),
    ],
)
def test_what_is_measured_follows_the_image(way, function, words):
    name, make = WAYS[way]
    state = torch.get_rng_state()
    assert re.match(f"{name} {words}", refused(lambda: make(function)))
    assert torch.equal(state, torch.get_rng_state())


@pytest.mark.parametrize(
    "function, words",
    [
        (lambda v: v * 0, "the function has a gradient of 0 for all random images"),
        (lambda v: 2 * v.detach() + 0 * v, "the function has a gradient of 0"),
        (lambda v: v.detach() * 2, "the function cannot be differentiated: no gradient passes"),
    ],
)
def test_a_linear_map_follows_the_image(function, words):
    assert refused(lambda: LinearMap(function, SHAPE)).startswith(words)


class OneWay(torch.autograd.Function):
    @staticmethod
    def forward(ctx, v):
        return v**2


@pytest.mark.parametrize("way", WAYS)
def test_a_function_that_has_no_way_back(way):
    name, make = WAYS[way]
    assert refused(lambda: make(OneWay.apply)).startswith(f"{name} cannot be differentiated: You must implement")


def test_a_class_that_takes_no_graph():
    words = refused(lambda: check_operator(own(lambda v: torch.as_tensor(v.numpy() ** 2))))
    assert words.startswith("the operator Own cannot be differentiated: Can't call numpy()")


@pytest.mark.parametrize(
    "function, shape",
    [
        (lambda v: v.clamp(-0.1, 0.1), SHAPE),
        (lambda v: v.clamp_min(0.8), (1, 1, 1)),  # of nine images in ten there is none
        (lambda v: v.clamp_max(-0.5), (1, 1, 1)),
        (lambda v: v.clamp_max_(-0.5), (1, 1, 1)),
        (lambda v: v - v.mean((1, 2, 3), keepdim=True), SHAPE),  # that of its sum is 0
        (lambda v: v.clamp_(-0.5, 0.5), SHAPE),  # into what it is given
        (lambda v: v.round() + 1e-3 * v, SHAPE),
    ],
)
def test_a_gradient_that_is_0_in_places_is_one(function, shape):
    for nowhere in (torch.no_grad, torch.inference_mode):
        with nowhere():
            assert Nonlinear(function, noise, shape).measured_shape == shape
            check_operator(own(function, shape))
