"""A guide of one's own that does not belong to its model: said on the first step, with the site and the mend."""

from contextlib import nullcontext

import pyro
import pyro.distributions as dist
import pytest
from pyro.infer import TraceMeanField_ELBO
from pyro.infer.autoguide import AutoDelta, AutoDiagonalNormal

from tests.guides.oracle import OBSERVED, Y
from vipaint_pyro.guides import Guide
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
    with pytest.raises(ValueError, match=WEIGHT.format("Independent")):
        fit(model, Independent(model, Y, weighed=False), Y, num_steps=1)
    fit(model, Independent(model, Y), Y, num_steps=1)
    plain = program(gaussian)
    fit(plain, Independent(plain, Y, weighed=False), Y, num_steps=1)


def test_so_is_an_autoguide_of_pyros_by_itself_unless_it_is_a_point(gaussian):
    model = program(gaussian, beta=3.0)
    with pytest.raises(ValueError, match=WEIGHT.format("AutoDiagonalNormal")):
        fit(model, AutoDiagonalNormal(model), Y, num_steps=1)
    fit(model, AutoDelta(model), Y, num_steps=1)


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
