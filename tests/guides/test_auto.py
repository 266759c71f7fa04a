"""Pyro's AutoGuides: the start, the weight beta, the second stage, and what is refused."""

import pyro.distributions as dist
import pyro.infer.autoguide as autoguide
import pytest
import torch
from pyro import poutine
from pyro.infer import Trace_ELBO, TraceMeanField_ELBO

from tests.conftest import standard_error
from tests.guides.oracle import OBSERVED, Program, Y
from vipaint_pyro.guides import AUTO_GUIDES, GUIDES, PyroAutoGuide, make_guide
from vipaint_pyro.guides.auto import NO_AUTO_GUIDES
from vipaint_pyro.inference.fit import fit
from vipaint_pyro.measurements.harmonic import continued
from vipaint_pyro.measurements.inpainting import Inpainting
from vipaint_pyro.measurements.likelihood import as_likelihood
from vipaint_pyro.measurements.likelihoods import Gaussian
from vipaint_pyro.models import DiffusionModel
from vipaint_pyro.priors.kernels import posterior_std
from vipaint_pyro.samplers import draw

TIMES = (500, 100)
POINTS = ["AutoDelta", "AutoLaplaceApproximation"]
MIXED = ["AutoHierarchicalNormalMessenger", "AutoRegressiveMessenger"]


def pair(prior, name, *, scale=0.4, beta=1.0, times=TIMES, **options):
    model = DiffusionModel(prior, Inpainting(OBSERVED), times, Gaussian(scale), form="marginal", beta=beta)
    return model, PyroAutoGuide(model, Y, name, **options)


def test_every_autoguide_that_pyro_exports_is_offered_or_explained(gaussian):
    exported = {name for name in autoguide.__all__ if name.startswith("Auto")}
    assert exported == set(AUTO_GUIDES) | set(NO_AUTO_GUIDES)
    assert set(AUTO_GUIDES) <= set(GUIDES)
    model = DiffusionModel(gaussian, Inpainting(OBSERVED), TIMES, form="marginal")
    for name, reason in NO_AUTO_GUIDES.items():
        for build in (lambda n: PyroAutoGuide(model, Y, n), lambda n: make_guide(n, model, Y)):
            with pytest.raises(ValueError, match=reason):
                build(name)


@pytest.mark.battery
@pytest.mark.parametrize("name", [n for n in AUTO_GUIDES if n not in POINTS])
def test_it_starts_as_wide_and_as_far_as_the_other_guides(gaussian, name):
    schedule = gaussian.schedule
    _, guide = pair(gaussian, name)
    z = draw(guide.model, guide, 4000)
    stds = [float(schedule.sigma(500)), 0.7 * float(posterior_std(schedule, 500, 100))]
    for (t, std), drawn in zip(zip(TIMES, stds), z.values()):
        if name in MIXED and (t == 100 or name == "AutoRegressiveMessenger"):
            continue
        mean = float(schedule.alpha(t)) * continued(Y, OBSERVED)
        # A low rank draws its directions by chance, a flow its bend.
        loose = 2.0 if name in ("AutoLowRankMultivariateNormal", "AutoIAFNormal") else 1.1
        assert ((drawn.mean(0) - mean).abs() < 0.6 * std).all()
        ratio = (drawn.std(0) / std)[0]
        assert ((ratio > 1 / loose) & (ratio < loose)).all(), ratio


@pytest.mark.battery
@pytest.mark.parametrize("name", AUTO_GUIDES)
def test_the_global_state_is_left_alone(gaussian, name):
    state, default = torch.get_rng_state(), torch.get_default_dtype()
    _, first = pair(gaussian, name)
    assert torch.equal(torch.get_rng_state(), state) and torch.get_default_dtype() == default
    assert all(p.dtype == torch.float64 for p in first.parameters())
    assert first().dtype == torch.float64
    _, other = pair(gaussian, name, seed=1)
    assert first._pyro_name != other._pyro_name  # or they would share parameters


@pytest.mark.battery
@pytest.mark.parametrize("name", [n for n in AUTO_GUIDES if n not in POINTS])
def test_beta_weighs_the_guide_as_it_weighs_the_model(gaussian, name):
    # The bound at beta is beta E[log p(z) - log q(z)] + E[log p(y|z)], so it is linear in beta.
    values = []
    for beta in (1.0, 2.0, 3.0):
        model, guide = pair(gaussian, name, beta=beta)
        torch.manual_seed(0)
        loss = Trace_ELBO(8, vectorize_particles=True, max_plate_nesting=3)
        values.append(loss.loss(model, guide, Y))
    assert values[1] - values[0] == pytest.approx(values[2] - values[1], rel=1e-9)
    model, guide = pair(gaussian, name, beta=3.0)
    nodes = poutine.trace(guide).get_trace(Y).nodes
    assert "x" not in nodes and "y" not in nodes
    for node in nodes.values():
        if node["type"] == "sample" and type(node["fn"]).__name__ != "_Subsample":
            assert node["scale"] == 3.0


@pytest.mark.parametrize("beta", [1.0, 4.0])
def test_laplace_is_exact_for_a_gaussian_posterior(gaussian, beta):
    # The best q at beta is p(z) p(y|z)^(1/beta): Gaussian noise of sqrt(beta) times the scale.
    model, guide = pair(gaussian, "AutoLaplaceApproximation", beta=beta)
    fit(model, guide, Y, num_steps=150)
    done = guide.finish()
    assert done is not guide and done.kind == "AutoMultivariateNormal" and done._pyro_name != guide._pyro_name
    program = Program(gaussian, TIMES, 0.4 * beta**0.5)
    covariance = done.auto.get_posterior().covariance_matrix.detach().reshape(2, 6, 2, 6)
    exact = program.precision.inverse().reshape(6, 2, 2)
    for d in range(6):
        torch.testing.assert_close(covariance[:, d, :, d], exact[d], rtol=1e-6, atol=1e-9)
    assert abs(float(covariance[0, 0, 0, 1])) < 1e-9
    mean = done.auto.get_posterior().mean.reshape(2, 1, 2, 3)
    assert ((mean - program.mean).abs() < 0.05 * program.std).all()
    assert done.finish() is done
    assert draw(model, done, 3)[100].shape == (3, 1, 1, 2, 3)


def test_laplace_away_from_a_maximum_says_so(gaussian):
    # In the tails of a Student t, which a weak prior does not outweigh, the posterior curves upwards.
    model, guide = pair(gaussian, "AutoLaplaceApproximation", beta=1e-3)
    model.likelihood = as_likelihood(lambda loc: dist.StudentT(0.1, loc, 0.05))
    with torch.no_grad():
        guide.auto.loc.add_(2.0)
    with pytest.raises(ValueError, match="at no maximum yet"):
        guide.finish()


@pytest.mark.battery
@pytest.mark.parametrize("name", [n for n in AUTO_GUIDES if n not in POINTS])
def test_both_losses_agree(gaussian, name):
    # AutoGaussian and AutoStructured keep densities where TraceMeanField_ELBO would not look.
    model, guide = pair(gaussian, name)
    means, errors = [], []
    for kind in (Trace_ELBO, TraceMeanField_ELBO):
        elbo = kind(400, vectorize_particles=True, max_plate_nesting=3)
        with torch.no_grad():
            values = torch.tensor([elbo.loss(model, guide, Y) for _ in range(8)]).double()
        means.append(values.mean())
        errors.append(standard_error(values))
    assert (means[0] - means[1]).abs() < 5 * (errors[0] ** 2 + errors[1] ** 2).sqrt() + 1e-6


def test_flows_are_drawn_from_their_flow_under_seeds(gaussian):
    # The handlers of fit and draw look for Gaussians; a flow's base is one, and is not the flow.
    model, guide = pair(gaussian, "AutoIAFNormal")
    before = [p.detach().clone() for p in guide.parameters()]
    fit(model, guide, Y, num_steps=2, generator=torch.Generator().manual_seed(0))
    assert not any(torch.equal(p, b) for p, b in zip(guide.parameters(), before))
    guide.auto.transform[1].loc.fill_(50.0)
    drawn = draw(model, guide, 100, torch.Generator().manual_seed(0))
    assert min(float(z.min()) for z in drawn.values()) > 20


def test_settings_reach_the_autoguide(gaussian):
    _, guide = pair(gaussian, "AutoLowRankMultivariateNormal", rank=2)
    assert guide.auto.cov_factor.shape == (12, 2)
    _, guide = pair(gaussian, "AutoStructured", conditionals="normal")
    assert not list(guide.auto.scale_trils.parameters())
    with pytest.raises(TypeError, match="depth"):
        pair(gaussian, "AutoNormal", depth=3)


def test_refuses_the_bridge_and_a_prior_without_density(gaussian, network_prior):
    with pytest.raises(ValueError, match="form='marginal'"):
        PyroAutoGuide(DiffusionModel(gaussian, Inpainting(OBSERVED), TIMES), Y, "AutoNormal")
    y = torch.zeros(1, 1, 8, 8).double()
    model = DiffusionModel(network_prior.conditioned([1]), Inpainting(y == 0), TIMES, form="marginal")
    with pytest.raises(ValueError, match="no density"):
        PyroAutoGuide(model, y, "AutoRegressiveMessenger")
