"""A guide of one's own that does not belong to its model: said on the first step, with the site and the mend."""

from contextlib import nullcontext
from functools import partial

import pyro
import pyro.distributions as dist
import pytest
import torch
from pyro import poutine
from pyro.infer import SVI, JitTrace_ELBO, Trace_ELBO, TraceGraph_ELBO, TraceMeanField_ELBO
from pyro.infer.autoguide import AutoDelta, AutoDiagonalNormal, AutoNormal
from pyro.optim import Adam

from tests.guides.oracle import OBSERVED, Y
from vipaint_pyro.guides import Guide, HierarchicalGuide, make_guide
from vipaint_pyro.inference import draw, draw_path, fit
from vipaint_pyro.measurements import Gaussian, Inpainting
from vipaint_pyro.models import DiffusionModel
from vipaint_pyro.models.sites import site

TIMES = (500, 200, 20)


class Independent(Guide):
    """A Gaussian at every level; it may leave out a site, or the weight."""

    def __init__(self, model, y, *, without=None, weighed=True):
        super().__init__(model)
        self.without, self.weighed = without, weighed
        for t in model.timesteps:
            self.real(f"mu_{t}", self.encoded(y))

    def forward(self, y=None):
        model = self.model
        with model.images(), model.weight() if self.weighed else nullcontext():
            for t in model.timesteps:
                if t != self.without:
                    z = pyro.sample(site(t), dist.Normal(getattr(self, f"mu_{t}"), 0.5).to_event(3))
        return z


def program(prior, **options):
    return DiffusionModel(prior, Inpainting(OBSERVED), TIMES, Gaussian(0.3), form="marginal", **options)


WEIGHT = "the site z_500 weighs 3 in the model, but 1 in the guide {}, .*: sample it inside 'with self.model.weight"


def test_a_guide_without_the_weight_is_refused_where_it_counts(gaussian):
    model = program(gaussian, beta=3.0)
    with pytest.raises(TypeError, match=WEIGHT.format("Independent")):
        fit(model, Independent(model, Y, weighed=False), Y, num_steps=1)
    fit(model, Independent(model, Y), Y, num_steps=1)
    plain = program(gaussian)
    fit(plain, Independent(plain, Y, weighed=False), Y, num_steps=1)


def test_so_is_an_autoguide_of_pyros_by_itself_unless_it_is_a_point(gaussian):
    model = program(gaussian, beta=3.0)
    with pytest.raises(TypeError, match=WEIGHT.format("AutoDiagonalNormal")):
        fit(model, AutoDiagonalNormal(model), Y, num_steps=1)
    fit(model, AutoDelta(model), Y, num_steps=1)


def step(model, guide, loss):
    return SVI(model, guide, Adam({"lr": 0.01}), loss()).step(Y)


@pytest.mark.parametrize(
    "loss",
    [Trace_ELBO, partial(TraceMeanField_ELBO, 2, vectorize_particles=True, max_plate_nesting=3), TraceGraph_ELBO,
     partial(JitTrace_ELBO, ignore_jit_warnings=True)],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore::FutureWarning:torch.jit")
def test_so_it_is_by_svi_alone(gaussian, loss):
    """Pyro itself compares shapes alone: AutoNormal under beta = 3 would end at a third of the variance."""
    model = program(gaussian, beta=3.0)
    for guide in (AutoNormal(model), Independent(program(gaussian), Y)):
        with pytest.raises(TypeError, match=WEIGHT.format(type(guide).__name__)):
            step(model, guide, loss)
    step(model, make_guide("AutoNormal", model, Y), loss)


def test_a_weight_around_both_is_anybodys_to_choose(gaussian):
    """As where KL terms are annealed; and what is replayed by hand is nobody's objective."""
    model = program(gaussian, beta=3.0)
    plain = program(gaussian)
    both = [poutine.scale(p, scale=0.5) for p in (model, Independent(model, Y))]
    step(*both, Trace_ELBO)
    drawn = poutine.trace(Independent(plain, Y)).get_trace()
    poutine.replay(model, trace=drawn)(Y)


def test_particles_without_a_density_have_no_weight(gaussian):
    """Stein's are points whose sites are said to be parts of a vector."""
    model = program(gaussian, beta=3.0)
    kernel, optim = pyro.infer.RBFSteinKernel(), Adam({"lr": 0.01})
    pyro.infer.SVGD(model, kernel, optim, num_particles=2, max_plate_nesting=2, mode="multivariate").step(Y)


def test_a_guide_of_the_bridge_is_refused_on_the_marginal_form(gaussian):
    bridge = DiffusionModel(gaussian, Inpainting(OBSERVED), TIMES, Gaussian(0.3))
    guide, model = HierarchicalGuide(bridge, Y), program(gaussian)
    said = "the guide HierarchicalGuide draws z_t and z_s, which the marginal form of a model has not"
    for run in (lambda: step(model, guide, Trace_ELBO), lambda: fit(model, guide, Y, num_steps=1)):
        with pytest.raises(TypeError, match=said):
            run()


@pytest.mark.parametrize(
    "name, shape", [("z_500", (2, 3)), ("z_500", (1, 2, 3)), ("z_200", (1, 1, 2, 4)), ("y", (1, 2, 3))]
)
@pytest.mark.parametrize("form", ["bridge", "marginal"])
def test_values_that_are_conditioned_on_have_their_shape(gaussian, name, shape, form):
    model = DiffusionModel(gaussian, Inpainting(OBSERVED), TIMES, Gaussian(0.3), form=form)
    said = rf"the site {name} has values of shape \(\*, 1, 1, 2, 3\), but was given \({', '.join(map(str, shape))}\)"
    with pytest.raises(ValueError, match=said):
        poutine.condition(model, data={name: torch.zeros(shape).double()})()
    right = {"z_500": Y * 0, "y": Y}
    conditioned = poutine.trace(poutine.condition(model, data=right)).get_trace()
    assert all(torch.equal(conditioned.nodes[n]["value"], v) for n, v in right.items())


@pytest.mark.parametrize("loss", [None, TraceMeanField_ELBO(2, vectorize_particles=True, max_plate_nesting=3)])
@pytest.mark.parametrize("t", [500, 20])
def test_a_guide_that_leaves_out_a_site(gaussian, loss, t):
    model = program(gaussian)
    with pytest.raises(ValueError, match=f"the guide Independent draws no z_{t}, which the model has: give it a pyro"):
        fit(model, Independent(model, Y, without=t), Y, num_steps=1, loss=loss)


@pytest.mark.parametrize("drawing", [draw, draw_path])
def test_nor_can_it_be_drawn_from(gaussian, drawing):
    model = program(gaussian)
    with pytest.raises(ValueError, match="the guide Independent draws no z_20"):
        drawing(model, Independent(model, Y, without=20), 2)
