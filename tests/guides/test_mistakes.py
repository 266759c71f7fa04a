"""What one gets wrong in a guide of one's own: one sentence with the class, the site and the mend."""

import pyro.distributions as dist
import pytest
import torch
from pyro.infer.autoguide import AutoNormal
from pyro.nn import PyroParam

from tests.guides.oracle import OBSERVED, Y
from vipaint_pyro.guides import Guide, MarkovGuide, make_guide, recipe
from vipaint_pyro.inference import draw, fit
from vipaint_pyro.measurements import Gaussian, Inpainting
from vipaint_pyro.models import DiffusionModel

GOOD = {"top": lambda z: dist.Normal(z, 1.0).to_event(3), "kernel": lambda z: dist.Normal(z, 1.0).to_event(3)}
PLACES = {"top": r"top\(\), of the site z_500,", "kernel": r"kernel\(z, 500, 200\), of the site z_200,"}


class Chain(MarkovGuide):
    def __init__(self, model, y, **laws):
        super().__init__(model)
        self.real("mu", self.encoded(y))
        self.laws = {**GOOD, **laws}

    def top(self):
        return self.laws["top"](self.mu)

    def kernel(self, z_t, t, s):
        return self.laws["kernel"](z_t)


def program(prior, **options):
    return DiffusionModel(prior, Inpainting(OBSERVED), (500, 200, 20), Gaussian(0.3), **options)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(
    "law, error, words",
    [
        (lambda z: None, TypeError, r"such as dist.Normal\(mean, std\).to_event\(3\), but gave None"),
        (lambda z: z, TypeError, r"such as dist.Normal\(mean, std\).to_event\(3\), but gave (tensor\(|Parameter)"),
        (lambda z: torch.distributions.Normal(z, 1.0), TypeError, "but gave torch's own Normal"),
        (lambda z: dist.Normal(z, 1.0), ValueError, r"\(1, 2, 3\), but .* event shape \(\): .* so write .to_event"),
        (lambda z: dist.Normal(z, 1.0).to_event(2), ValueError, r"shape \(1, 2, 3\), but .* event shape \(2, 3\): "),
        (lambda z: dist.Normal(z.mean(-1), 1.0).to_event(3), ValueError, r"event shape \(1, 1, 2\): .*keepdim=True"),
    ],
)
def test_what_top_and_kernel_give(gaussian, place, law, error, words):
    model = program(gaussian)
    guide = Chain(model, Y, **{place: law})
    for use in (lambda: fit(model, guide, Y, num_steps=1), lambda: draw(model, guide, 2)):
        with pytest.raises(error, match=f"Chain.{PLACES[place]} gives a distribution of .*{words}"):
            use()


@pytest.mark.parametrize("place", PLACES)
def test_one_image_does_not_stand_for_all(gaussian, place):
    two = Inpainting(OBSERVED.expand(2, -1, -1, -1))
    model, y = DiffusionModel(gaussian, two, (500, 200, 20), Gaussian(0.3)), Y.expand(2, -1, -1, -1)
    guide = Chain(model, y, **{place: lambda z: dist.Normal(z[..., :1, :, :, :], 1.0).to_event(3)})
    with pytest.raises(ValueError, match=r"are the 2 images, but gave one of batch shape .*1,?\): each image has"):
        fit(model, guide, y, num_steps=1)
    fit(model, Chain(model, y), y, num_steps=1)


class Bare(Guide):
    def __init__(self, model, y):
        self.mine = model


class Early(Guide):
    def __init__(self, model, y):
        self.real("mu", y)


class Direct(Guide):
    def __init__(self, model, y):
        self.mu = PyroParam(y)


@pytest.mark.parametrize("kind", [Bare, Early, Direct])
@pytest.mark.parametrize("use", [lambda m, g: fit(m, g, Y, num_steps=1), lambda m, g: draw(m, g, 2)])
def test_a_class_that_does_not_call_its_base(gaussian, kind, use):
    model = program(gaussian)
    words = rf"{kind.__name__}.__init__ does not begin with super\(\).__init__\(model\), without .*: call it first"
    with pytest.raises(AttributeError, match=words):
        use(model, kind(model, Y))


@pytest.mark.parametrize("place", PLACES)
def test_sites_are_drawn_in_the_priors_precision(gaussian, place):
    model = program(gaussian)
    guide = Chain(model, Y, **{place: lambda z: dist.Normal(z.float(), 1.0).to_event(3)})
    with pytest.raises(ValueError, match=r"Chain draws the site z_\d+ in torch.float32, but the prior"):
        fit(model, guide, Y, num_steps=1)


class Starts(Guide):
    def __init__(self, model, y, **starts):
        super().__init__(model)
        for kind, value in starts.items():
            getattr(self, kind)(*(("own", value) if kind == "real" else ("own", y, value)))


@pytest.mark.parametrize(
    "starts, error, words",
    [
        ({"real": Y.numpy()}, TypeError, r"the start of own is a tensor of shape \(\*, C, H, W\), not ndarray"),
        ({"positive": -1.0}, ValueError, "own is positive, but would start at -1.0"),
        ({"positive": float("nan")}, ValueError, "own is positive, but would start at nan"),
        ({"unit": 1.0}, ValueError, "own lies between 0 and 1, but would start at 1.0"),
    ],
)
def test_parameters_start_where_they_can(gaussian, starts, error, words):
    with pytest.raises(error, match=words):
        Starts(program(gaussian), Y, **starts)


@pytest.mark.parametrize(
    "settings, words",
    [({"num_components": 2.5}, "num_components of the guide 'mixture' is a whole number, but is 2.5"),
     ({"spread": "wide"}, "spread of the guide 'mixture' is a finite number, but is 'wide'")],
)  # fmt: skip
def test_settings_are_of_their_kind(gaussian, settings, words):
    with pytest.raises(ValueError, match=words):
        make_guide("mixture", program(gaussian, form="marginal"), Y, **settings)


def test_a_class_of_pyros_is_asked_for_by_its_name():
    with pytest.raises(ValueError, match="AutoNormal of Pyro is asked for by its name, 'AutoNormal'"):
        recipe(AutoNormal)
