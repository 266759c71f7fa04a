"""Every guide against what is known exactly: the posterior and the evidence of a Gaussian program."""

import pyro
import pytest
import torch
from pyro.infer import Trace_ELBO, TraceMeanField_ELBO

from tests.conftest import standard_error
from tests.guides.oracle import OBSERVED, Program, Y
from vipaint_pyro.guides import make_guide, recipe
from vipaint_pyro.inference.fit import fit
from vipaint_pyro.measurements.inpainting import Inpainting
from vipaint_pyro.measurements.likelihoods import Gaussian
from vipaint_pyro.models import DiffusionModel
from vipaint_pyro.samplers import draw

TIMES, SCALE = (500, 100), 0.4

#: Guides whose family holds the posterior; those of independent levels; those between the two.
EXACT = ["hierarchical-x0", "AutoMultivariateNormal", "AutoGaussian", "AutoStructured", "AutoLaplaceApproximation"]
INDEPENDENT = ["mean-field", "AutoNormal"]
SLOW = ["hierarchical", "AutoHierarchicalNormalMessenger", "mixture", "flow", "AutoDiagonalNormal",
        "AutoLowRankMultivariateNormal", "AutoNormalMessenger", "AutoRegressiveMessenger", "AutoIAFNormal"]  # fmt: skip
#: How many times the steps of the others a guide needs, by the slow rates of its networks.
MORE_STEPS = {"AutoIAFNormal": 4}


def scaled(guide, factor):
    return lambda name: {"lr": factor * guide.learning_rate(name), "betas": (0.9, 0.99)}


def fitted(name, prior, times, **settings):
    model = DiffusionModel(prior, Inpainting(OBSERVED), times, Gaussian(SCALE), form="marginal")
    guide = make_guide(name, model, Y, **settings)
    # The mixture's weights have score-function gradients, which the second loss cannot take.
    loss = (Trace_ELBO if name == "mixture" else TraceMeanField_ELBO)(64, vectorize_particles=True, max_plate_nesting=3)
    for factor, steps in ((2.0, 120), (0.4, 60)):
        rates = scaled(guide, factor)
        fit(model, guide, Y, num_steps=steps * MORE_STEPS.get(name, 1), optim=pyro.optim.Adam(rates), loss=loss)
    return model, guide.finish()


def bounds(model, guide):
    elbo = Trace_ELBO(1000, vectorize_particles=True, max_plate_nesting=3)
    with torch.no_grad():
        return -torch.tensor([elbo.loss(model, guide, Y) for _ in range(10)]).double()


def compare(name, prior, times, known_gap, low, high, std):
    """The bound is the evidence less the gap, never more; means are the posterior's, widths as given."""
    model, guide = fitted(name, prior, times)
    program = Program(prior, times, SCALE)
    values = bounds(model, guide)
    assert values.mean() < program.evidence + 2 * standard_error(values) + 1e-3
    gap = program.evidence - values.mean()
    assert known_gap + low - 3 * standard_error(values) < gap < known_gap + high, gap
    for i, (t, z) in enumerate(draw(model, guide, 20_000).items()):
        assert ((z[:, 0].mean(0) - program.mean[i]).abs() < 0.2 * program.std[i]).all()
        if std is not None:
            ratio = z[:, 0].var(0) / std(program)[i] ** 2
            assert ((ratio > 0.87) & (ratio < 1.15)).all(), (t, ratio)


@pytest.mark.battery
@pytest.mark.parametrize("name", EXACT)
def test_guides_that_hold_the_posterior_find_it(gaussian, name):
    compare(name, gaussian, TIMES, 0.0, -1e-3, 0.08, lambda program: program.std)


@pytest.mark.parametrize("name", INDEPENDENT)
def test_independent_levels_find_their_best(gaussian, name):
    # Widths 1 / sqrt(Lambda_ss), and the KL that is left: about 0.8 nats here.
    gap = float(Program(gaussian, TIMES, SCALE).mean_field_gap)
    assert gap > 0.5
    compare(name, gaussian, TIMES, gap, -1e-3, 0.08, lambda program: program.mean_field_std)


def test_one_gaussian_is_exact_on_one_level(gaussian):
    compare("gaussian", gaussian, TIMES[-1:], 0.0, -1e-3, 0.02, lambda program: program.std)


def test_a_point_is_the_mode(gaussian):
    model, guide = fitted("AutoDelta", gaussian, TIMES)
    program = Program(gaussian, TIMES, SCALE)
    for i, z in enumerate(draw(model, guide, 3).values()):
        assert torch.equal(z[0], z[2])
        assert ((z[0, 0] - program.mean[i]).abs() < 0.05 * program.std[i]).all()


@pytest.mark.slow
@pytest.mark.parametrize("name", SLOW)
def test_other_guides_come_between(gaussian, name):
    # None beats the evidence; none is worse than independent levels, bar what the optimiser leaves.
    gap = float(Program(gaussian, TIMES, SCALE).mean_field_gap)
    compare(name, gaussian, TIMES, 0.0, -1e-3, gap + 0.1, None)


@pytest.mark.parametrize("name", ["hierarchical-x0", "mean-field", "gaussian"])
def test_the_bridge_form_has_the_same_bound(gaussian, name):
    # What the marginal form knows in closed form, the bridge estimates without bias.
    times = TIMES[-1:] if recipe(name).levels == 1 else TIMES
    results = []
    for form in ("marginal", "bridge"):
        model = DiffusionModel(gaussian, Inpainting(OBSERVED), times, Gaussian(SCALE), form=form, num_levels=32)
        guide = make_guide(name, model, Y)
        elbo = TraceMeanField_ELBO(200, vectorize_particles=True, max_plate_nesting=3)
        with torch.no_grad():
            results.append(torch.tensor([elbo.loss(model, guide, Y) for _ in range(20)]).double())
    spread = (standard_error(results[0]) ** 2 + standard_error(results[1]) ** 2).sqrt()
    # The exact kernel between neighbours is Gaussian here, so nothing is lost above T_e.
    assert (results[0].mean() - results[1].mean()).abs() < 4 * spread + 0.02
