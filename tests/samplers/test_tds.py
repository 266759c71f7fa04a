"""VIPaint refined by TDS: what is drawn, and what is refused."""

import pytest
import torch

from tests.conftest import standard_error
from tests.exact.brute_force import SCHEDULES
from tests.inference.test_smc import Prior, unbiased
from tests.samplers.half_seen import seeded
from vipaint_pyro.exact import GaussianMixturePrior, exact_posterior
from vipaint_pyro.measurements import Gaussian, Inpainting, Measurement, Nonlinear
from vipaint_pyro.measurements.likelihoods import Laplace
from vipaint_pyro.models import DiffusionModel
from vipaint_pyro.samplers import VIPaintSampler
from vipaint_pyro.samplers.vipaint import weighed as module

#: Of six pixels three are seen.
HOLES = torch.tensor([[True, False, True], [False, True, False]]).reshape(1, 1, 2, 3)
ONE = {"own_cloud": False}
FEW = {"timesteps": (500, 100), "fit_steps": 2, "refinement_steps": 3}


def holed(prior, n=1, sigma=0.3):
    y = torch.linspace(-0.5, 0.6, 6).double().reshape(1, 1, 2, 3) * HOLES
    return Measurement(Inpainting(HOLES.expand(n, 1, 2, 3)), Gaussian(sigma), y.expand(n, 1, 2, 3))


def of(prior, n=1):
    observed = torch.ones(n, 1, *prior.image_shape[1:], dtype=torch.bool)
    y = torch.full((n, *prior.image_shape), 0.2).double()
    return Measurement(Inpainting(observed), Gaussian(0.3), y)


@pytest.mark.parametrize("kind", ["gaussian", "latent"])
def test_three_images_are_the_three_alone(request, kind):
    prior = request.getfixturevalue(kind)
    s, seen = VIPaintSampler((500, 100), fit_steps=2, refinement_steps=3, refine="tds"), of(prior, 3)
    samples = s(prior, seen, 2, [seeded(i) for i in range(3)])
    assert set(samples.diagnostics) == {"likelihood", "ess", "ancestors", "collapsed"}  # p(y | z_t) is not p(y)
    for i in range(3):
        alone = s(prior, seen.part(i, i + 1), 2, [seeded(i)]).images
        torch.testing.assert_close(samples.images[:, i : i + 1], alone, rtol=0, atol=1e-9)


def test_behind_a_mask_it_is_the_posterior():
    """A cloud an image: means of p(y)^ x / p(y) are those of x given y, of what is seen and of correlated holes."""
    root = torch.eye(6).double() + 0.5 * torch.linspace(-1, 1, 36).double().reshape(6, 6).sin()
    mean = torch.linspace(-0.3, 0.4, 6).double()[None]
    prior = GaussianMixturePrior(torch.ones(1).double(), mean, SCHEDULES["vp"], covariances=0.3 * root @ root.T)
    n = 1500
    y = torch.linspace(-0.5, 0.6, 6).double().reshape(1, 1, 1, 6).expand(n, 1, 1, 6)
    observed = HOLES.reshape(1, 1, 1, 6).expand(n, 1, 1, 6)
    seen = Measurement(Inpainting(observed), Gaussian(0.3), y * observed)
    times = tuple(prior.schedule.time_of_ratio(r) for r in (3.0, 1.0))
    s = VIPaintSampler(times, fit_steps=30, refinement_steps=6, refine="tds", own_cloud=False, num_particles=8)
    drawn = s(prior, seen, 1, seeded(1))
    exact = exact_posterior(prior, seen.operator, seen.y, 0.3)
    z = (torch.tensor(drawn.diagnostics["log_evidence"]).double() - exact.log_evidence).exp()
    x, mean = drawn.images[0].flatten(1), exact.mean[0].flatten()
    assert unbiased(z) and unbiased(z[:, None] * x, mean)
    assert unbiased(z[:, None] * (x - mean) ** 2, exact.variance[0].flatten())


def two_modes(n):
    """A prior of two modes, of which half is seen, and levels; y says more for the first."""
    means = torch.tensor([[1.5, -1.0], [-1.5, 1.0]]).double()
    prior = GaussianMixturePrior(torch.tensor([0.5, 0.5]).double(), means, SCHEDULES["vp"], variances=0.1)
    observed = torch.tensor([True, False]).expand(n, 1, 1, 2)
    seen = Measurement(Inpainting(observed), Gaussian(1.2), torch.tensor([0.6, 0.0]).double().expand(n, 1, 1, 2))
    return prior, seen, tuple(prior.schedule.time_of_ratio(r) for r in (3.0, 1.0, 0.3))


@pytest.mark.parametrize("refine", ["mmps", "tds"])
def test_modes_that_the_guide_drew_are_weighed(refine):
    prior, seen, times = two_modes(n=300)
    guide = Prior(DiffusionModel(prior, seen.operator, times, form="marginal"))
    one = ONE if refine == "tds" else {}
    s = VIPaintSampler(times, refinement_steps=12, refine=refine, **one).from_guide(guide)
    images = s(prior, seen, 2, seeded(3)).images
    exact = exact_posterior(prior, seen.operator, seen.y, 1.2)
    share, right = exact.log_responsibilities(images).exp()[..., 0].mean(0), exact.weights[0, 0]
    assert right > 0.75
    error = 3 * standard_error(share)
    assert share.mean() < right - 0.1 if refine == "mmps" else (share.mean() - right).abs() < error


@pytest.mark.parametrize("refine", ["mmps", "tds"])
def test_of_each_draw_of_the_guide_it_is_the_posterior_given_that_draw_too(refine):
    """p(x | z_t, y) is a mixture, p(x | z_t) weighed by p(y | x); its shares are averaged over the guide's draws."""
    prior, seen, times = two_modes(n=600)
    times = tuple(prior.schedule.time_of_ratio(r) for r in (9.0, 6.0))
    guide = Prior(DiffusionModel(prior, seen.operator, times, form="marginal"))
    s = VIPaintSampler(times, refinement_steps=25, refine=refine).from_guide(guide)
    images = s(prior, seen, 2, seeded(3)).images
    z = prior.marginal(times[-1]).sample((4000,))[:, None]
    log_r = prior.posterior(z, times[-1]).log_weights[:, 0]
    a, v = prior.schedule.alpha(times[-1]), prior.schedule.sigma(times[-1]) ** 2
    spread = 1 / (1 / 0.1 + a**2 / v)
    seen_mean = spread * (torch.tensor([1.5, -1.5]).double() / 0.1 + a * z[:, 0, 0, 0, :1] / v)
    likely = torch.distributions.Normal(seen_mean, (spread + 1.2**2).sqrt()).log_prob(torch.tensor(0.6).double())
    expected = torch.softmax(log_r + likely, -1)[:, 0]
    exact = exact_posterior(prior, seen.operator, seen.y, 1.2)
    share = exact.log_responsibilities(images).exp()[..., 0].flatten()
    error = 3 * (standard_error(share) ** 2 + standard_error(expected) ** 2).sqrt()
    assert ((share.mean() - expected.mean()).abs() < error) == (refine == "tds")


def test_from_a_guide_that_is_there(gaussian):
    """Without a fit, and as often as one likes; the same guide fitted on the way draws the same."""
    seen = holed(gaussian)
    s = VIPaintSampler(**FEW, refine="tds")
    fitted = s(gaussian, seen, 2, seeded(0))
    again = s.from_guide(fitted.guide)(gaussian, seen, 2, seeded(4))
    assert set(again.calls) == {"refinement"} and again.images.shape == fitted.images.shape
    assert set(again.diagnostics) == set(fitted.diagnostics)
    assert torch.equal(again.images, s.from_guide(fitted.guide)(gaussian, seen, 2, seeded(4)).images)


@pytest.mark.parametrize(
    "n, given, sizes",
    [(3, {}, [30]), (3, {"chunk": 25}, [20, 10]), (3, {"num_particles": 7}, [3, 2, 2]), (3, ONE, [64])],
)
def test_so_many_particles(gaussian, monkeypatch, n, given, sizes):
    asked, real = [], module.run_smc
    monkeypatch.setattr(module, "run_smc", lambda *a, **k: asked.append(a[3].num_particles) or real(*a, **k))
    s = VIPaintSampler(**FEW, refine="tds", **given)
    assert s(gaussian, holed(gaussian), n, seeded(0)).images.shape == (n, 1, 1, 2, 3)
    assert asked == sizes
    settled = s.settle(gaussian, holed(gaussian))
    assert settled.settle(gaussian, holed(gaussian)) == settled


def test_the_particles_of_a_sample_start_at_its_own_draw_whatever_is_drawn_at_once(gaussian, monkeypatch):
    starts, real = [], module.run_smc
    monkeypatch.setattr(module, "run_smc", lambda *a, start, **k: starts.append(start) or real(*a, start=start, **k))
    whole, parts = (VIPaintSampler(**FEW, refine="tds", chunk=chunk) for chunk in (None, 25))
    drawn = [s(gaussian, holed(gaussian), 3, seeded(0)) for s in (whole, parts)]
    each, images = starts[0].unflatten(0, (3, 10)), [samples.images for samples in drawn]
    assert (each == each[:, :1]).all() and len({float(z) for z in each[:, 0].flatten(1)[:, 0]}) == 3
    assert torch.equal(torch.cat(starts[1:]), starts[0]) and torch.equal(*images)
    for samples in drawn:
        torch.testing.assert_close(samples.levels[100], gaussian.denoise(each[:, 0], 100), rtol=0, atol=1e-12)


@pytest.mark.battery
@pytest.mark.filterwarnings("ignore:sequential Monte Carlo")  # of some of many images one draw is left
@pytest.mark.parametrize("given", [{"refine": "tds", **ONE}, {"correct": "smc"}], ids=["tds", "smc"])
def test_a_latent_prior_is_weighed_through_its_decoder(latent, given):
    seen = holed(latent, n=1200, sigma=0.5)
    times = tuple(latent.schedule.time_of_ratio(r) for r in (3.0, 1.0))
    s = VIPaintSampler(times, fit_steps=60, noise_scale=1.0, refinement_steps=5, num_particles=8, **given)
    drawn = s(latent, seen, 1, seeded(0))
    law = torch.distributions.Normal(3 * latent.mean - 1, (9 * latent.std**2 + 0.5**2).sqrt())  # x = 3 z - 1
    exact = (law.log_prob(seen.y[0]) * HOLES[0]).sum()
    z = (torch.tensor(drawn.diagnostics["log_evidence"]).double() - exact).exp()
    hidden = (drawn.images[0][~seen.operator.observed].reshape(1200, 3) + 1) / 3
    assert unbiased(z) and unbiased(z[:, None] * hidden, latent.mean[~HOLES[0]])


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"correct": "smc"}, "refine='tds' has weights of its own"),
        ({"correct": "psis"}, "refine='tds' has weights of its own"),
        ({"zeta": 1.0}, "zeta is of a DPS step"),
        ({"sweeps": 2}, "sweeps is of refine='gibbs'"),
        ({"sweep_levels": 1}, "sweep_levels is of refine='gibbs'"),
        ({"guide_name": "AutoDelta", "own_cloud": False}, "the guide 'AutoDelta' is a point: .* take refine='mmps'"),
        ({"perceptual": 0.5}, "refine='tds' weighs by the noise of y alone: leave the perceptual weights at 0"),
        ({"perceptual_refinement": 0.5}, "perceptual_refinement pulls beside a DPS step, and refine is 'tds'"),
        ({"measurement_scale": 0.0}, "measurement_scale is .*above 0, but is 0"),
    ],
)
def test_what_excludes_it(gaussian, settings, message):
    with pytest.raises(ValueError, match=message):
        VIPaintSampler(refine="tds", **settings).settle(gaussian, of(gaussian))


def test_what_is_not_linear_is_refused_before_anything_is_computed(gaussian, monkeypatch):
    operator = Nonlinear(lambda x: x**3, lambda m: torch.distributions.Normal(m, 0.1), (1, 2, 3), 1)
    cubes = Measurement(operator, Gaussian(0.1), torch.zeros(1, 1, 2, 3).double())
    monkeypatch.setattr(gaussian, "denoise", None)
    with pytest.raises(ValueError, match="refine='tds' is for linear measurements: take 'dps' or 'mmps'"):
        VIPaintSampler(refine="tds")(gaussian, cubes, 2)
    wide = Measurement(Inpainting(HOLES), Laplace(0.3), holed(gaussian).y)
    with pytest.raises(ValueError, match="mmps is for Gaussian noise, or none"):
        VIPaintSampler(refine="tds")(gaussian, wide, 2)


def test_too_few_particles(gaussian):
    with pytest.raises(ValueError, match="raise num_particles"):
        VIPaintSampler(refine="tds", num_particles=3)(gaussian, of(gaussian), 2)
