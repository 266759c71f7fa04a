"""What one does wrong with a measurement at first: said in one line before anything is computed, with what mends it."""

import re
import warnings

import numpy as np
import pyro
import pyro.distributions as dist
import pytest
import torch
from torch.nn import functional as F

from vipaint_pyro.exact.likelihood import ExactGaussian
from vipaint_pyro.images import to_observed
from vipaint_pyro.measurements.any_family import Family
from vipaint_pyro.measurements.blurs import GaussianBlur
from vipaint_pyro.measurements.inpainting import Inpainting
from vipaint_pyro.measurements.likelihoods import Gaussian, Laplace, Noiseless
from vipaint_pyro.measurements.linear_map import LinearMap
from vipaint_pyro.measurements.measurement import Measurement, check_operator, y_for
from vipaint_pyro.measurements.nonlinear import Nonlinear
from vipaint_pyro.measurements.operator import Operator
from vipaint_pyro.measurements.perceptual import Perceptual

SHAPE = (3, 4, 6)
f64 = dict(dtype=torch.float64)


def random(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), **f64) * 1.6 - 0.8


def seen(*shape):
    return Inpainting(torch.ones(shape, dtype=torch.bool))


def refused(make, error=ValueError):
    with pytest.raises(error) as caught:
        make()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def identity(shape=SHAPE):
    return LinearMap(lambda x: x, shape)


# -- the shape of y


@pytest.mark.parametrize(
    "observed, made, mended",
    [
        ((1, 3, 4, 6), lambda p: p.permute(0, 2, 3, 1), "y.permute(0, 3, 1, 2)"),
        ((1, 3, 4, 6), lambda p: p[0].permute(1, 2, 0), "y.permute(2, 0, 1)[None]"),
        ((1, 1, 4, 6), lambda p: p.permute(0, 2, 3, 1), "y.permute(0, 3, 1, 2)"),  # one mask for all channels
        ((1, 1, 4, 6), lambda p: p[0].permute(1, 2, 0), "y.permute(2, 0, 1)[None]"),
        ((1, 3, 4, 6), lambda p: p[0], "y.reshape(1, 3, 4, 6)"),
        ((1, 1, 4, 6), lambda p: p[0], "y.reshape(1, 3, 4, 6)"),
        ((1, 1, 4, 6), lambda p: p[0, 0], "y.reshape(1, 1, 4, 6)"),
        ((1, 1, 4, 6), lambda p: p[0, 0, ..., None], "y.reshape(1, 1, 4, 6)"),
        ((1, 1, 4, 6), lambda p: p[:, 0, ..., None], "y.reshape(1, 1, 4, 6)"),
        # As many numbers, but they would change places.
        ((1, 3, 4, 6), lambda p: p.flatten(), ""),
        ((1, 3, 4, 6), lambda p: p.flatten(2), ""),
        ((1, 3, 4, 6), lambda p: p.mT, ""),
        ((1, 3, 4, 6), lambda p: p.transpose(1, 2), ""),
        # Either may be meant, and they differ.
        ((1, 3, 3, 1), lambda p: p[:, :, :3, :1].permute(0, 2, 3, 1), ""),
    ],
)
def test_what_brings_y_into_shape_leaves_the_picture_whole(observed, made, mended):
    picture = random(1, *SHAPE)
    y = made(picture)
    words = refused(lambda: Measurement(seen(*observed), Gaussian(0.1), y))
    suggested = re.search(r"but came with \([\d, ]*\)(?:: (.+) has it)?$", words)[1] or ""
    assert suggested == mended
    if mended:
        whole = eval(suggested, {"y": y})
        assert torch.equal(whole, picture[:, : whole.shape[1]])


# -- whole numbers


@pytest.mark.parametrize(
    "likelihood",
    [Gaussian(0.1), Laplace(), Noiseless(), ExactGaussian(0.1), Perceptual(1.0, Gaussian(0.1))],
    ids=lambda kind: type(kind).__name__,
)
@pytest.mark.parametrize("dtype", [torch.uint8, torch.int64])
def test_y_of_a_picture_in_bytes(likelihood, dtype):
    y = torch.tensor([0, 51, 255] * 24).reshape(1, *SHAPE).to(dtype)
    operators = (seen(1, *SHAPE), GaussianBlur(SHAPE, 3, 1.0))
    asks = [lambda o=o: Measurement(o, likelihood, y) for o in operators]
    asks.append(lambda: y_for(operators[0], likelihood, y))
    for make in asks:
        words = refused(make)
        assert f"y is in units of images in [-1, 1], as floating-point numbers, but holds {dtype}" in words
        assert words.endswith("of a picture in 0 ... 255 it is picture / 127.5 - 1")
    good = y / 127.5 - 1  # of bytes, too, where 2 * picture would overflow
    assert good.flatten()[:3].tolist() == pytest.approx([-1, -0.6, 1], abs=1e-6)
    assert Measurement(operators[0], Noiseless(), good).y is good


def test_counts_may_be_whole_numbers():
    y = torch.tensor([0, 3, 7] * 24).reshape(1, *SHAPE)
    counts = Nonlinear(lambda x: 5 * x.exp(), dist.Poisson, SHAPE, **f64)
    for operator, likelihood in (
        (counts, counts.likelihood),
        (identity(), Family(lambda loc: dist.Poisson(loc.exp()), saturated=0.0)),
        (identity(), lambda loc: dist.Poisson(loc.exp())),
        (counts, Gaussian(1.0)),  # y is in the units of the function
    ):
        x, whole = random(1, *SHAPE), Measurement(operator, likelihood, y)
        assert torch.equal(whole.log_prob(x), Measurement(operator, likelihood, y.double()).log_prob(x))


# -- no gradient


def noise(loc):
    return dist.Normal(loc, 0.1)


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


# -- the units of a family


def logits(loc):
    return dist.Bernoulli(logits=loc)


@pytest.mark.parametrize(
    "family, y",
    [(logits, 1.0), (logits, 0.0), (lambda p: dist.Binomial(10, probs=p.sigmoid()), 0.0),
     (lambda p: dist.Binomial(10, probs=p.clamp(0.1, 0.9)), 7.0)],
)  # fmt: skip
def test_a_family_whose_parameter_is_not_in_the_units_of_y(family, y):
    y = torch.full((1, *SHAPE), y, **f64)
    for operator in (LinearMap(lambda x: 20 * x, SHAPE), Nonlinear(lambda x: 20 * x, family, SHAPE, **f64)):
        words = refused(lambda o=operator: Measurement(o, o.likelihood or Family(family), y))
        assert "saturated is not the largest log density that y can have: the family's parameter is not in" in words
        assert "Family(family, saturated=0.0)" in words
        assert Measurement(operator, Family(family, saturated=0.0), y).y is y


def test_y_that_is_no_parameter_of_the_family():
    y = torch.full((1, *SHAPE), 7.0, **f64)
    tenths = Nonlinear(lambda x: x.sigmoid(), lambda p: dist.Binomial(10, probs=p), SHAPE, **f64)
    assert "the family's parameter is not in the units of y" in refused(lambda: Measurement.of(tenths, y))


def test_a_saturated_that_is_too_low():
    y = random(1, *SHAPE)
    wrong = Family(noise, saturated=lambda y: 0 * y)  # a density, which may be above 1
    words = refused(lambda: Measurement(Nonlinear(lambda x: x.sinh(), wrong, SHAPE), wrong, 0 * y))
    assert re.search("largest log density .*: it is <function .*, and there are images that give y a larger one", words)
    assert Measurement(identity(), Family(noise), y).y is y


def test_of_what_is_hidden_no_density_is_asked():
    y = torch.zeros(1, *SHAPE, **f64)
    y[..., 0] = 1
    observed = torch.ones(SHAPE, dtype=torch.bool)
    observed[..., 0] = False
    # Of y = 0 the probability by logits is largest where they are lowest, of 1 where they are highest.
    low = Family(logits, saturated=lambda y: torch.where(y == 1, -9.0, 0.0))
    hidden = Nonlinear(lambda x: 20 * x, low, SHAPE, observed=observed, **f64)
    assert Measurement.of(hidden, y).y is y
    assert "it is <function" in refused(lambda: Measurement.of(Nonlinear(lambda x: 20 * x, low, SHAPE, **f64), y))


@pytest.mark.parametrize("many, dtype", [(1e5, torch.float32), (1e9, torch.float64)])
def test_many_counts_are_in_their_units(many, dtype):
    """Rounding is no error of the user's: the two densities differ by less than their last digits here."""
    counts = Nonlinear(lambda x: many + x, dist.Poisson, (1, 8, 8), dtype=dtype)
    y = many + torch.arange(-32.0, 32.0, dtype=dtype).reshape(1, 1, 8, 8)
    assert Measurement.of(counts, y).y is y


def test_a_family_that_does_not_take_all_images_is_tried_on_the_others():
    y = torch.zeros(1, *SHAPE, **f64)
    darker = Nonlinear(lambda x: 0.5 - x.mean((1, 2, 3), keepdim=True).expand_as(x), dist.Poisson, SHAPE, **f64)
    assert Measurement.of(darker, y).y is y  # of a light image the rate is negative
    near = Family(lambda loc: dist.Uniform(loc - 1.5, loc + 1.5))
    assert Measurement(identity(), near, y + 0.8).num_images == 1  # which is none of its values for a dark image


# -- likelihoods


@pytest.mark.parametrize("given", [dist.Normal, torch.distributions.Laplace, dist.Poisson])
def test_a_class_of_distributions_is_no_likelihood(given):
    words = refused(lambda: Measurement(identity(), given, random(1, *SHAPE)), TypeError)
    assert words == (
        "a likelihood is a function of A x to a distribution, as in lambda loc: dist.Normal(loc, 0.1), not the class "
        f"{given.__name__}"
    )


@pytest.mark.parametrize("given", [dist.Normal(0.0, 1.0), torch.distributions.Normal(0.0, 1.0)])
def test_a_distribution_is_no_likelihood(given):
    words = refused(lambda: Measurement(identity(), given, random(1, *SHAPE)), TypeError)
    assert "as in lambda loc: dist.Normal(loc, 0.1), not the distribution Normal(loc: 0.0, scale: 1.0)" in words


IGNORES = (
    "gives a distribution that does not depend on A x, so that pictures would ignore y: put A x into it, as in "
    "lambda loc: dist.Normal(loc, 0.1)"
)


@pytest.mark.parametrize(
    "function",
    [
        lambda loc: dist.Normal(0.0, 0.3),
        lambda loc: dist.Normal(torch.zeros_like(loc), 0.3),
        lambda loc: dist.Normal(loc.detach(), 0.3),
        lambda loc: dist.Laplace(WEIGHTS, 0.3),
        lambda loc: dist.Normal(pyro.param("of a mistake", torch.zeros(())), 0.3),
        lambda loc: dist.Delta(torch.zeros_like(loc)),
    ],
)
def test_a_likelihood_that_ignores_a_x(function):
    y = random(1, *SHAPE)
    store, state = {*pyro.get_param_store().keys()}, torch.get_rng_state()
    with torch.no_grad():
        words = refused(lambda: Measurement(identity(), function, y))
        assert words.startswith("the likelihood <function <lambda> at ") and words.endswith(IGNORES)
        assert {*pyro.get_param_store().keys()} == store and torch.equal(state, torch.get_rng_state())
        assert refused(lambda: Measurement(identity(), Family(function), y)) == f"the family {IGNORES}"


@pytest.mark.parametrize(
    "function",
    [
        lambda loc: dist.Normal(loc, 0.3),
        lambda loc: dist.Normal(0.0, 0.1 + loc.abs()),
        lambda loc: dist.Delta(loc),
        lambda loc: dist.Bernoulli(logits=loc),  # y is none of its values
        lambda loc: dist.Normal(loc, pyro.sample("scale of noise", dist.Gamma(2.0, 2.0))),
        lambda loc: dist.Exponential(loc),  # which takes no y for A x
        lambda loc: 1 / 0,
    ],
)
def test_a_likelihood_of_a_x_passes_or_is_left_to_say_what_it_does_not_take(function):
    y, state = random(1, *SHAPE), torch.get_rng_state()
    trace = pyro.poutine.trace(lambda: Measurement(identity(), function, y)).get_trace()
    assert set(trace.nodes) == {"_INPUT", "_RETURN"} and torch.equal(state, torch.get_rng_state())


def test_in_inference_mode_too_a_likelihood_is_one_of_a_x():
    with torch.inference_mode():
        y = random(1, *SHAPE)
        assert Measurement(seen(1, *SHAPE), noise, y).y is y
        assert refused(lambda: Measurement(seen(1, *SHAPE), lambda loc: dist.Normal(0.0, 0.3), y)).endswith(IGNORES)


@pytest.mark.parametrize("function", [lambda loc: None, lambda loc: loc])
def test_a_function_that_gives_no_distribution(function):
    words = refused(lambda: Measurement(identity(), function, random(1, *SHAPE)), TypeError)
    assert "gives a distribution of pyro.distributions, such as dist.Normal(loc, 0.1), but gave" in words


def test_a_negative_distance():
    class Negative(Laplace):
        def distance(self, operator, y, x):
            return self.sign * (y - operator(x)).square().sum((-3, -2, -1))

    y, x = random(1, *SHAPE), random(5, 1, *SHAPE, seed=1)
    likelihood = Negative()
    measurement = Measurement(identity(), likelihood, y)
    squares = (x - y).square().sum((-3, -2, -1))
    for sign in (torch.tensor(-1.0, **f64), torch.tensor([1.0, 1, -1, 1, 1], **f64)[:, None]):
        object.__setattr__(likelihood, "sign", sign)
        words = refused(lambda: measurement.distance(x))
        assert words.startswith("Negative.distance is at least 0, and 0 where x explains y as well as can be")
        assert words.endswith(f"It gave {(sign * squares).min():.4g}")
    object.__setattr__(likelihood, "sign", 1.0)
    assert torch.equal(measurement.distance(x), squares)
    assert measurement.distance(y) == 0


# -- constants of single precision


def test_a_kernel_in_single_precision_needs_no_dtype():
    kernel = torch.rand(1, 1, 5, 5, generator=torch.Generator().manual_seed(0))

    def blurred(x):
        return F.conv2d(x, kernel, padding=2)

    operator = LinearMap(blurred, (1, 7, 8))
    x = random(2, 1, 1, 7, 8).float()
    assert torch.equal(operator(x), blurred(x.flatten(0, 1)).unflatten(0, (2, 1)))
    assert operator.blank(x[0].double()).dtype == torch.float32  # which it can be called with
    y = operator(x[0])
    assert Measurement(operator, Family(noise), y.double()).num_images == 1
    words = refused(lambda: LinearMap(blurred, (1, 7, 8), dtype=torch.float64))
    assert words.startswith("the function cannot be called with images of shape (3, 1, 7, 8), torch.float64 on cpu: ")
    assert "nor with" not in words and words.endswith("give dtype= or device= theirs")
    assert LinearMap(blurred, (1, 7, 8), dtype=torch.float32).measured_shape == (1, 7, 8)


def test_double_precision_is_tried_first_and_is_enough():
    kinds = []

    def function(x):
        kinds.append(x.dtype)
        return 2 * x

    assert LinearMap(function, SHAPE).blank(random(1, *SHAPE).float()).dtype == torch.float64
    assert {*kinds} == {torch.float64}


def test_what_can_be_called_with_neither_says_why():
    words = refused(lambda: LinearMap(lambda x: x @ x.new_ones(5, 5), SHAPE))  # for one reason, said once
    assert re.search(r"\(3, 3, 4, 6\), torch.float64 on cpu: (.+)\. Where its constants", words)
    assert "nor with" not in words
    words = refused(lambda: LinearMap(lambda x: x @ torch.ones(6, 6).half(), SHAPE))
    assert re.search(r"torch.float64 on cpu: .*; nor with torch.float32 on cpu: .*\. Where its constants", words)


# -- masks


MADE = r"vipaint_pyro.images.to_observed\(mask, N, \(H, W\)\) makes it of a mask that is white \(True\) where"


@pytest.mark.parametrize(
    "shape, mended",
    [
        ((4, 6), r"\(4, 6\): observed\[None, None\] has it; "),
        ((1, 4, 6), r"\(1, 4, 6\): observed\[None\] has it, or of one mask \(H, W\) for each .* observed\[:, None\]; "),
        ((6,), r"\(6,\): "),
        ((1, 1, 0, 6), r"\(1, 1, 0, 6\): "),
        ((1, 1, 1, 4, 6), r"\(1, 1, 1, 4, 6\): "),
    ],
)
def test_a_mask_without_its_axes_is_told_which(shape, mended):
    words = refused(lambda: Inpainting(torch.ones(shape, dtype=torch.bool)))
    assert re.match(rf"observed has shape \(N, C, H, W\), but came with {mended}{MADE}", words)


def test_what_is_said_of_masks_is_so():
    hidden = np.zeros((4, 6), bool)
    hidden[1:3, 2:] = True
    assert re.match(f"observed is a bool tensor, not ndarray; {MADE}", refused(lambda: Inpainting(hidden), TypeError))
    observed = torch.as_tensor(~hidden)
    assert torch.equal(Inpainting(to_observed(hidden, 2, (4, 6))).observed, observed[None, None].expand(2, 1, 4, 6))


def heard(make):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        make()
    return caught


def test_an_inverted_mask_is_warned_of():
    observed = torch.ones(1, 1, 4, 6, dtype=torch.bool)
    observed[..., 2:] = False
    y = random(1, *SHAPE) * ~observed
    for make in (
        lambda: Measurement(Inpainting(observed), Gaussian(0.1), y),
        lambda: Measurement.of(Inpainting(observed.expand(1, *SHAPE)), y),
        lambda: y_for(Inpainting(observed), Gaussian(0.1), y),
    ):
        (warning,) = heard(make)
        assert str(warning.message) == (
            "y is 0 wherever it is observed, and is not where it is hidden: the mask may be inverted. observed is True "
            "where a pixel is known, and y is 0 where it is not"
        )
    assert heard(lambda: Measurement(Inpainting(observed), Gaussian(0.1), y))[0].filename == __file__
    with warnings.catch_warnings(action="ignore"):
        given = Measurement(Inpainting(observed), Gaussian(0.1), y)
    assert heard(lambda: y_for(given.operator, given.likelihood, given)) == []  # it has been said


def test_a_mask_is_not_called_inverted_where_anything_speaks_for_it():
    observed = torch.ones(2, 1, 4, 6, dtype=torch.bool)
    observed[..., 2:] = False
    y = random(2, *SHAPE)
    one = y * ~observed
    one[1, 2, 3, 1] = 1e-30
    for given in (y * observed, y, 0 * y, one):
        assert heard(lambda given=given: Measurement(Inpainting(observed), Gaussian(0.1), given)) == []
    nothing = Inpainting(torch.zeros(2, 1, 4, 6, dtype=torch.bool))
    assert heard(lambda: Measurement(nothing, Gaussian(0.1), y)) == []
    blur = GaussianBlur(SHAPE, 3, 1.0, 2)
    blur.observed = observed.expand(2, *SHAPE)
    assert heard(lambda: Measurement(blur, Gaussian(0.1), y * ~observed)) == []


@pytest.mark.parametrize("rate", [30.0, 2e4, 1e6])
def test_many_counts_are_no_mistake_in_single_precision(rate):
    """The terms of log p are as large as the counts there, and their rounding is no larger density."""
    counts = Nonlinear(lambda x: rate * x.exp(), dist.Poisson, SHAPE)
    truth = torch.rand(1, *SHAPE, generator=torch.Generator().manual_seed(0)) * 2 - 1
    y = counts(truth).round()
    exact, single = (counts.likelihood.deviance(counts, y.to(d), truth.to(d)) for d in (torch.float64, torch.float32))
    assert torch.allclose(single.double(), exact, rtol=0, atol=1e-4 * rate)
