"""Medians and quantiles of every guide: those that are known exactly, and those that are estimated from draws."""

import math

import pyro.distributions as dist
import pytest
import torch

from tests.guides.oracle import OBSERVED, Program, Y
from tests.guides.test_registry import NAMES, OTHER, pair
from vipaint_pyro.guides import GUIDES, REDDiffGuide
from vipaint_pyro.guides.quantiles import quantiles_of
from vipaint_pyro.inference.fit import fit
from vipaint_pyro.measurements.inpainting import Inpainting
from vipaint_pyro.models import REDDiffModel
from vipaint_pyro.samplers import draw

ASKED = [0.05, 0.5, 0.9]
POINTS = ["AutoDelta", "AutoLaplaceApproximation"]
#: Pyro's that know quantiles themselves; others whose levels are all Gaussian; those that follow z_t, as a chain.
PYROS = ["AutoNormal", "AutoDiagonalNormal", "AutoMultivariateNormal", "AutoLowRankMultivariateNormal"]
GAUSSIAN = ["gaussian", "mean-field", "AutoNormalMessenger"]
CHAINS = {"hierarchical": {}, "hierarchical-x0": {}, "mixture": {"num_components": 1}}


def near_known(found, exact, num_samples, times=5.0):
    """Quantiles of draws are within their sampling error, (q (1 - q) / S)^(1/2) / density, of the exact ones."""
    for q, value in zip(ASKED, found, strict=True):
        place = exact.icdf(torch.full_like(exact.loc, q))
        error = math.sqrt(q * (1 - q) / num_samples) / exact.log_prob(place).exp()
        assert ((value - place).abs() < times * error).all()


@pytest.mark.battery
@pytest.mark.parametrize("name", sorted({*NAMES, *GUIDES}))
def test_every_guide_has_them_in_pyros_shapes(gaussian, name):
    y = torch.cat([Y, OTHER])
    model, guide = pair(name, gaussian, y)
    state = torch.get_rng_state()
    median = guide.median(y, num_samples=7)
    assert list(median) == [f"z_{t}" for t in model.timesteps]
    assert all(v.shape == (2, 1, 2, 3) and v.dtype == torch.float64 and not v.requires_grad for v in median.values())
    if name in POINTS:
        with pytest.raises(TypeError, match=f"{name}.* is a point: it has no quantiles"):
            guide.quantiles(ASKED)
    else:
        found = guide.quantiles(torch.tensor(ASKED, dtype=torch.float64), y, num_samples=7)
        assert list(found) == list(median)
        for key, value in found.items():
            assert value.shape == (3, 2, 1, 2, 3) and (value[0] < value[2]).all()
            torch.testing.assert_close(value[1], median[key], rtol=1e-10, atol=1e-10)
        assert torch.equal(guide.quantiles(ASKED, num_samples=7)[key], value)
    assert torch.equal(torch.get_rng_state(), state)
    for value in median.values():
        value.fill_(9.0)  # what is handed out is nobody's parameter
    assert all(v.max() < 9 for v in guide.median(num_samples=7).values())


@pytest.mark.parametrize("name", PYROS)
def test_those_of_pyro_are_pyros(gaussian, name):
    _, guide = pair(name, gaussian)
    assert guide.quantiles(ASKED).keys() == guide.auto.quantiles(ASKED).keys()
    for site, value in guide.auto.quantiles(ASKED).items():
        torch.testing.assert_close(guide.quantiles(ASKED)[site], value, rtol=1e-10, atol=1e-10)
        torch.testing.assert_close(guide.median()[site], guide.auto.median()[site], rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("form", ["bridge", "marginal"])
@pytest.mark.parametrize("name", ["gaussian", "mean-field", "hierarchical", "hierarchical-x0"])
def test_what_is_gaussian_is_exact(gaussian, name, form):
    model, guide = pair(name, gaussian, form=form)
    times = model.timesteps if name in GAUSSIAN else model.timesteps[:1]
    found = guide.quantiles(ASKED, num_samples=2)
    for t in times:
        loc, scale = float(gaussian.schedule.alpha(t)) * getattr(guide, f"mu_{t}"), getattr(guide, f"tau_{t}")
        for q, value in zip(ASKED, found[f"z_{t}"], strict=True):
            z = (value - loc) / (scale * 2**0.5)
            torch.testing.assert_close(0.5 * (1 + torch.erf(z)), torch.full_like(z, q), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("name", CHAINS)
def test_chains_are_near_their_gaussian_marginals(gaussian, name):
    """A Gaussian prior's step is linear in z_t, so that every level is Gaussian, from the top down."""
    model, _ = pair(name, gaussian)
    guide = GUIDES[name].build(model, Y, **CHAINS[name])
    fit(model, guide, Y, num_steps=3, generator=torch.Generator().manual_seed(2))
    found = guide.quantiles(ASKED, num_samples=4000, generator=torch.Generator().manual_seed(3))
    t = model.timesteps[0]
    with torch.no_grad():
        mean = float(gaussian.schedule.alpha(t)) * getattr(guide, f"mu_{t}").reshape(Y.shape)
        var = getattr(guide, f"tau_{t}").reshape(Y.shape) ** 2
        near_known(found[f"z_{t}"], dist.Normal(mean, var.sqrt()), 4000)
        for t, s in zip(model.timesteps, model.timesteps[1:]):
            step, moved = guide.kernel(mean, t, s).base_dist, guide.kernel(mean + 1, t, s).base_dist
            mean, var = step.loc, (moved.loc - step.loc) ** 2 * var + step.scale**2
            near_known(found[f"z_{s}"], dist.Normal(mean, var.sqrt()), 4000)


@pytest.mark.battery
@pytest.mark.parametrize("name", [n for n in NAMES if n not in (*POINTS, *PYROS, *GAUSSIAN)])
def test_estimates_agree_with_draws(gaussian, name):
    model, guide = pair(name, gaussian)
    found = guide.quantiles(ASKED, num_samples=1500)
    for t, z in draw(model, guide, 1500, torch.Generator().manual_seed(8)).items():
        for q, value in zip(ASKED, found[f"z_{t}"], strict=True):
            below = (z < value).double().mean(0)
            assert (below - q).abs().max() < 5 * math.sqrt(2 * q * (1 - q) / 1500)


def test_each_image_has_its_own_stream(gaussian):
    y = torch.cat([Y, OTHER])
    _, both = pair("hierarchical", gaussian, y)
    found = both.quantiles(ASKED, num_samples=60, generator=[torch.Generator().manual_seed(k) for k in (4, 5)])
    _, one = pair("hierarchical", gaussian, OTHER)
    alone = one.quantiles(ASKED, num_samples=60, generator=torch.Generator().manual_seed(5))
    for site, value in alone.items():
        torch.testing.assert_close(found[site][:, 1:], value, rtol=1e-10, atol=1e-10)


def test_a_finished_laplace_approximation_has_the_posteriors(gaussian):
    model, guide = pair("AutoLaplaceApproximation", gaussian)
    fit(model, guide, Y, num_steps=3)
    done, program = guide.finish(), Program(gaussian, model.timesteps, 0.4)
    for i, (site, value) in enumerate(done.quantiles([0.1, 0.9]).items()):
        torch.testing.assert_close(done.median()[site], guide.median()[site], rtol=1e-10, atol=1e-10)
        width = (value[1] - value[0])[0] / (2 * 1.2815515655446004)
        torch.testing.assert_close(width, program.std[i], rtol=1e-6, atol=1e-8)


def test_red_diffs_guide(gaussian):
    model = REDDiffModel(gaussian, Inpainting(OBSERVED), restarts=2)
    point, wide = REDDiffGuide(model, Y), REDDiffGuide(model, Y, 0.3)
    assert torch.equal(point.median()["z_0"], point.mu_0) and point.median()["z_0"].shape == (2, 1, 1, 2, 3)
    with pytest.raises(TypeError, match="REDDiffGuide is a point"):
        point.quantiles([0.5])
    lower, middle = wide.quantiles([0.1, 0.5])["z_0"]
    torch.testing.assert_close(middle - lower, torch.full_like(middle, 0.3 * 1.2815515655446004))
    assert torch.equal(wide.median()["z_0"], wide.mu_0)


def test_quantiles_of_numbers():
    draws = torch.tensor([[3.0], [1.0], [2.0], [5.0]]).double()
    torch.testing.assert_close(quantiles_of(draws, ASKED), torch.quantile(draws, torch.tensor(ASKED).double(), dim=0))


@pytest.mark.parametrize(
    "asked, more, kind, said",
    [
        (0.5, {}, TypeError, "a list of numbers"),
        (["half"], {}, TypeError, "a list of numbers"),
        ([], {}, ValueError, "one or more numbers between 0 and 1"),
        ([0.5, 1.0], {}, ValueError, r"both excluded, not \[0.5, 1.0\]"),
        ([float("nan")], {}, ValueError, "between 0 and 1"),
        ([0.5], {"num_samples": 0}, ValueError, "num_samples is a whole number of at least 1, but is 0"),
        ([0.5], {"generator": 3}, TypeError, "generator is a torch.Generator"),
    ],
)
def test_what_is_refused(gaussian, asked, more, kind, said):
    with pytest.raises(kind, match=said):
        pair("hierarchical", gaussian)[1].quantiles(asked, **more)


@pytest.mark.parametrize("name", ["mean-field", "AutoDelta"])
def test_what_needs_no_draws_refuses_the_same(gaussian, name):
    guide = pair(name, gaussian)[1]
    for ask in (guide.median, *(() if guide.point() else (lambda **more: guide.quantiles([0.5], **more),))):
        with pytest.raises(ValueError, match="num_samples is a whole number of at least 1, but is 0"):
            ask(num_samples=0)
        with pytest.raises(TypeError, match="generator is a torch.Generator"):
            ask(generator=3)
