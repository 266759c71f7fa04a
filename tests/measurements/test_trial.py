"""An operator of one's own is tried once: what it does wrong is said before anything is computed with it."""

import pytest
import torch

from tests.measurements.test_operator_contract import Pooling
from vipaint_pyro.measurements import Gaussian, LinearOperator, Measurement, Operator
from vipaint_pyro.measurements.measurement import check_operator
from vipaint_pyro.models import DiffusionModel

SHAPE = (1, 2, 3)


class Means(LinearOperator):
    """The mean of every column, right as it stands."""

    image_shape = SHAPE

    def __init__(self, observed=(1, 1, 1, 3)):
        self.observed, self.calls = torch.ones(observed, dtype=torch.bool), 0

    def __call__(self, x):
        self.calls += 1
        return x.mean(-2, keepdim=True)

    def adjoint(self, y):
        return y.expand(*y.shape[:-2], 2, 3) / 2


class Loses(Means):
    def __call__(self, x):
        return x.mean(-2)


class Joins(Means):
    def __call__(self, x):
        return x.flatten(0, 1).mean(-2, keepdim=True)


class Lists(Means):
    def __call__(self, x):
        return x.tolist()


class Affine(Means):
    def __call__(self, x):
        return super().__call__(x) + 1e-3


class Bent(Means):
    def __call__(self, x):
        return super().__call__(x).relu()


class Divides(Means):
    def __call__(self, x):
        return super().__call__(x) / 0


class Unscaled(Means):
    def adjoint(self, y):
        return 2 * super().adjoint(y)


class Wider(Means):
    def adjoint(self, y):
        return y.expand(*y.shape[:-2], 3, 3)


MAKES = r"makes {} of images \(1, 1, 1, 2, 3\): A x has shape .* by its observed .* are \(1, 1, 1, 3\) \(keepdim"


@pytest.mark.parametrize(
    "kind, words",
    [
        (Loses, MAKES.format(r"\(1, 1, 1, 3\)")),
        (Joins, MAKES.format(r"\(1, 1, 1, 3\)")),
        (Lists, MAKES.format("list")),
        (Affine, "is not linear: it is not 0 at 0. Take its constant off; .*Nonlinear"),
        (Bent, r"is not linear: A\(2.3 u"),
        (Divides, "gives values that are not finite"),
        (Unscaled, r"has an adjoint that is none: <A u, w> is \S+, but <u, A.T w> is .*mend adjoint, or take"),
        (Wider, r"makes images \(1, 1, 1, 3, 3\) of y .* by its adjoint, but A.T y has .* \(1, 1, 1, 2, 3\)"),
    ],
)
def test_what_is_wrong_is_said(gaussian, kind, words):
    y = torch.zeros(1, 1, 1, 3).double()
    makes = (lambda: Measurement(kind(), Gaussian(0.1), y), lambda: DiffusionModel(gaussian, kind(), (500, 20)))
    for make in makes:
        with pytest.raises(ValueError, match=f"the operator {kind.__name__} {words}"):
            make()


def test_one_that_measures_another_shape_than_it_says():
    with pytest.raises(ValueError, match=r"the operator Means makes \(1, 1, 1, 1, 3\) .* last four are \(1, 1, 2, 3\)"):
        check_operator(Means((1, 1, 2, 3)))


def test_of_what_is_not_linear_the_shape_alone_is_looked_at():
    class Squares(Operator):
        image_shape, observed = SHAPE, torch.ones(1, *SHAPE, dtype=torch.bool)

        def __call__(self, x):
            return x**2 + 1

    check_operator(Squares())
    Squares.__call__ = lambda self, x: x.sum(-1)
    with pytest.raises(ValueError, match=r"the operator Squares makes \(1, 1, 1, 2\)"):
        check_operator(Squares())


@pytest.mark.parametrize("own", [Means, Pooling])
def test_a_right_one_passes_and_is_tried_once(own):
    operator = own()
    state = torch.get_rng_state()
    check_operator(operator)
    assert torch.equal(state, torch.get_rng_state())
    made = vars(operator).get("calls")
    check_operator(operator)
    check_operator(operator.part(0, 1))
    assert vars(operator).get("calls") == made


@pytest.mark.parametrize("adjoint", ["masks", "does not"])
def test_hidden_entries_are_0_in_any_y(adjoint):
    """An adjoint may leave them out, or take y at its word."""

    class Half(Means):
        def adjoint(self, y):
            return super().adjoint(torch.where(self.observed, y, 0) if adjoint == "masks" else y)

    operator = Half()
    operator.observed[..., 0] = False
    check_operator(operator)


def test_in_single_precision_the_tolerance_is_wider():
    convolution = torch.nn.Conv2d(1, 2, 3, padding=1, bias=False).requires_grad_(False)

    class Convolved(LinearOperator):
        image_shape, observed, factor = (1, 8, 8), torch.ones(2, 2, 8, 8, dtype=torch.bool), 1.0

        def __call__(self, x):
            return convolution(x.flatten(0, -4)).unflatten(0, x.shape[:-3])

        def adjoint(self, y):
            back = torch.nn.functional.conv_transpose2d(y.flatten(0, -4), convolution.weight, padding=1)
            return self.factor * back.unflatten(0, y.shape[:-3])

    operator = Convolved()
    check_operator(operator)
    operator = Convolved()
    operator.factor = 1.001
    with pytest.raises(ValueError, match="the operator Convolved has an adjoint that is none"):
        check_operator(operator)


def test_one_that_cannot_be_called_here_is_left_to_say_so_itself():
    class Elsewhere(Means):
        def __call__(self, x):
            raise RuntimeError("on another device")

    check_operator(Elsewhere())
