"""Importance weights where p(y) is known, and densities of paths by hand (float64)."""

import pyro
import pyro.distributions as dist
import pytest
import torch
from pyro.infer import autoguide
from torch.distributions import Normal

from tests.conftest import standard_error
from tests.exact.brute_force import SCHEDULES, close
from vipaint_pyro.exact import GaussianMixturePrior, GaussianPrior, exact_posterior
from vipaint_pyro.exact.likelihood import ExactGaussian
from vipaint_pyro.guides import HierarchicalGuide, MarkovGuide
from vipaint_pyro.inference.weights import draw_path, log_importance_weights, log_marginal, log_path_density
from vipaint_pyro.measurements.inpainting import Inpainting
from vipaint_pyro.measurements.likelihoods import Gaussian, Laplace
from vipaint_pyro.measurements.matrix import Matrix
from vipaint_pyro.models import DiffusionModel
from vipaint_pyro.priors.diffusion import DiffusionPrior
from vipaint_pyro.priors.kernels import reverse_step
from vipaint_pyro.priors.schedules import CLEAN
from vipaint_pyro.randomness import NoiseStreams

OBSERVED = torch.tensor([[[[True, True, False], [False, True, False]]], [[[False, True, True], [True, True, False]]]])
Y = OBSERVED * torch.linspace(-0.9, 0.8, 12, dtype=torch.float64).reshape(2, 1, 2, 3)
TIMES = (700, 400, 100)


class ExactConditionals(MarkovGuide):
    """p(z_{T_e} | y) and p(z_s | z_t, y) of a Gaussian prior with independent pixels and Gaussian noise."""

    def __init__(self, model, y, scale):
        super().__init__(model)
        self.y, self.scale = y, scale

    def _tilted(self, prior: dist.Distribution, t: int) -> dist.Distribution:
        """Independent Gaussians times p(y | z_t), where E[x | z_t] = b + g z_t."""
        p, seen = self.model.prior, self.model.operator.observed
        zero, one = torch.zeros_like(prior.mean), torch.ones_like(prior.mean)
        b = p.denoise(zero, t)
        g, spread = p.denoise(one, t) - b, p.posterior(zero, t).variance
        noise = self.scale**2 + spread
        precision = 1 / prior.variance + seen * g**2 / noise
        mean = (prior.mean / prior.variance + seen * g * (self.y - b) / noise) / precision
        return dist.Normal(mean, precision**-0.5).to_event(3)

    def top(self):
        e = self.model.timesteps[0]
        return self._tilted(self.model.prior.marginal(e).expand((self.model.num_images,)), e)

    def kernel(self, z_t, t, s):
        return self._tilted(self.model.transition(z_t, t, s), s)


def evidence(prior, scale, operator=None, y=Y):
    return exact_posterior(prior, operator or Inpainting(OBSERVED), y, scale).log_evidence


def plane(schedule, kernel="exact"):
    """A mixture of three Gaussians in the plane."""
    means = torch.tensor([[-1.5, 0.4], [0.3, 1.2], [1.0, -0.8]], dtype=torch.float64)
    variances = torch.tensor([[0.2, 0.3], [0.4, 0.1], [0.3, 0.3]], dtype=torch.float64)
    weights = torch.tensor([0.3, 0.3, 0.4], dtype=torch.float64)
    return GaussianMixturePrior(weights, means, schedule, variances=variances, kernel=kernel)


# -- densities of paths -------------------------------------------------------------------------------


def by_hand(guide, path):
    """The hierarchical guide's density of a path, from its parameters."""
    prior, times = guide.model.prior, guide.model.timesteps
    alpha = [float(prior.schedule.alpha(t)) for t in times]
    e = times[0]
    log_q = Normal(alpha[0] * getattr(guide, f"mu_{e}"), getattr(guide, f"tau_{e}")).log_prob(path.z[e])
    for a, t, s in zip(alpha[1:], times, times[1:]):
        mu, tau, gamma = (getattr(guide, f"{name}_{s}") for name in ("mu", "tau", "gamma"))
        c_0, c_t, _ = reverse_step(prior.schedule, t, s)
        mean = gamma * (c_0 * prior.denoise(path.z[t], t) + c_t * path.z[t]) + (1 - gamma) * a * mu
        log_q = log_q + Normal(mean, tau).log_prob(path.z[s])
    return log_q.sum((-3, -2, -1)).detach()


@pytest.mark.parametrize("times", [TIMES, (700,), (999, 300)])
@pytest.mark.parametrize("form", ["bridge", "marginal"])
def test_hierarchical_guides_density(gaussian, form, times):
    model = DiffusionModel(gaussian, Inpainting(OBSERVED), times, Gaussian(0.3), form=form, beta=7.0, num_levels=3)
    guide = HierarchicalGuide(model, Y)
    path = draw_path(model, guide, 5)
    assert list(path.z) == list(times) and {z.shape for z in path.z.values()} == {(5, 2, 1, 2, 3)}
    assert path.log_q.shape == (5, 2) and not path.log_q.requires_grad
    # The bound's weights, beta and the mask of the bridge, are no part of a density.
    close(path.log_q, by_hand(guide, path))
    for t in times:
        with torch.no_grad():
            known = model.denoise(path.z[t], t)
        close(known, gaussian.denoise(path.z[t], t))
    log_p = gaussian.marginal(times[0]).log_prob(path.z[times[0]])
    for t, s in zip(times, times[1:]):
        log_p = log_p + gaussian.transition(path.z[t], t, s).log_prob(path.z[s])
    close(log_path_density(model, path), log_p)


def test_draws_come_from_the_guide(gaussian):
    model = DiffusionModel(gaussian, Inpainting(OBSERVED), (700, 400), Gaussian(0.3))
    guide = HierarchicalGuide(model, Y)
    path = draw_path(model, guide, 4000)
    noise = (path.z[700] - guide.top().mean) / guide.top().stddev
    below = (path.z[400] - guide.kernel(path.z[700], 700, 400).mean) / guide.tau_400
    for e in (noise.detach(), below.detach()):
        assert (e.mean(0).abs() < 4.5 / 4000**0.5).all() and ((e**2).mean(0) - 1).abs().max() < 4.5 * (2 / 4000) ** 0.5
    assert ((noise * below).mean(0).abs() < 4.5 / 4000**0.5).all()


def test_pyros_mean_field(gaussian):
    model = DiffusionModel(gaussian, Inpainting(OBSERVED), TIMES, Gaussian(0.3), form="marginal")
    guide = autoguide.AutoNormal(model, init_scale=0.3)
    guide(Y)
    path = draw_path(model, guide, 5)
    log_q = 0.0
    for t in TIMES:
        loc, scale = (getattr(getattr(guide, name), f"z_{t}").detach() for name in ("locs", "scales"))
        log_q = log_q + Normal(loc, scale).log_prob(path.z[t]).sum((-3, -2, -1))
    close(path.log_q, log_q.double(), 1e-6, 1e-5)


@pytest.fixture
def double():
    """AutoGuides that flatten make their parameters in the default precision."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def flattening(prior, n):
    """A guide of Pyro's that is one Gaussian over all levels and images."""
    model = DiffusionModel(prior, Inpainting(OBSERVED[:n]), (700, 100), Gaussian(0.3), form="marginal")
    guide = autoguide.AutoMultivariateNormal(model, init_scale=0.3)
    guide(Y[:n])
    return model, guide


def test_a_guide_of_one_image_may_be_one_vector(gaussian, double):
    model, guide = flattening(gaussian, 1)
    path = draw_path(model, guide, 5)
    flat = torch.cat([path.z[t].reshape(5, -1) for t in (700, 100)], -1)
    law = torch.distributions.MultivariateNormal(guide.loc, scale_tril=guide.scale[:, None] * guide.scale_tril)
    assert path.log_q.shape == (5, 1)
    close(path.log_q[:, 0], law.log_prob(flat).detach())


def test_a_guide_that_couples_images_has_no_weights_for_each(gaussian, double):
    with pytest.raises(ValueError, match="AutoMultivariateNormal draws 2 images together, .* fit one image at a time"):
        draw_path(*flattening(gaussian, 2), 5)


def test_a_point_has_no_density(gaussian):
    model = DiffusionModel(gaussian, Inpainting(OBSERVED), TIMES, Gaussian(0.3), form="marginal")
    guide = autoguide.AutoDelta(model)
    guide(Y)
    with pytest.raises(ValueError, match="AutoDelta is a point: it has no density"):
        draw_path(model, guide, 5)


def test_a_function_is_a_guide_too(gaussian):
    model = DiffusionModel(gaussian, Inpainting(OBSERVED), (700,), Gaussian(0.3), form="marginal")

    def guide(y=None):
        with model.images():
            return pyro.sample("z_700", dist.Laplace(torch.zeros(2, 1, 2, 3).double(), 0.5).to_event(3))

    path = draw_path(model, guide, 5)
    close(path.log_q, torch.distributions.Laplace(0.0, 0.5).log_prob(path.z[700]).sum((-3, -2, -1)), 1e-8)


def test_a_generator_per_image(gaussian):
    both = DiffusionModel(gaussian, Inpainting(OBSERVED), TIMES, Gaussian(0.3))
    alone = DiffusionModel(gaussian, Inpainting(OBSERVED[1:]), TIMES, Gaussian(0.3))
    state = torch.get_rng_state()
    a = draw_path(both, HierarchicalGuide(both, Y), 5, [torch.Generator().manual_seed(k) for k in (3, 4)])
    b = draw_path(alone, HierarchicalGuide(alone, Y[1:]), 5, [torch.Generator().manual_seed(4)])
    assert torch.equal(torch.get_rng_state(), state)
    for t in TIMES:
        close(a.z[t][:, 1:], b.z[t])
    close(a.log_q[:, 1:], b.log_q)


# -- p(z_t) -------------------------------------------------------------------------------------------


class Hidden(GaussianPrior):
    """A Gaussian prior whose marginals nobody tells."""

    def marginal(self, t):
        return None if t != CLEAN else super().marginal(t)


@pytest.mark.parametrize("schedule", SCHEDULES.values(), ids=SCHEDULES)
def test_a_known_marginal_is_taken(schedule):
    prior, z = plane(schedule), torch.randn(7, 3, 1, 1, 2, dtype=torch.float64)
    close(log_marginal(prior, z, 300), prior.marginal(300).log_prob(z))


@pytest.mark.parametrize("t", [900, 300, 20])
@pytest.mark.parametrize("num_steps", [1, 25])
def test_no_variance_where_reverse_and_forward_agree(t, num_steps):
    # A rectified flow ends in N(0, 1) itself, so that the estimate is p(z_t), whatever the noise.
    mean, std = torch.tensor([[[0.4, -0.7, 1.0]]]).double(), torch.tensor([[[0.5, 0.9, 1.3]]]).double()
    schedule = SCHEDULES["flow"]
    z = torch.randn(50, 2, 1, 1, 3, dtype=torch.float64)
    ours = log_marginal(Hidden(mean, std, schedule), z, t, num_steps)
    assert ours.shape == (50, 2)
    close(ours, GaussianPrior(mean, std, schedule).marginal(t).log_prob(z), 1e-8, 1e-8)


def test_little_variance_where_only_the_end_is_off():
    mean, std = torch.tensor([[[0.4, -0.7, 1.0]]]).double(), torch.tensor([[[0.5, 0.9, 1.3]]]).double()
    schedule = SCHEDULES["vp"]
    z = torch.randn(1, 4, 1, 1, 3, dtype=torch.float64).expand(2000, 4, 1, 1, 3)
    draws = log_marginal(Hidden(mean, std, schedule), z, 400)
    exact = GaussianPrior(mean, std, schedule).marginal(400).log_prob(z[0])
    # p(z_T) = N(0, 1) misses the exact one by alpha_T = 0.006 times the mean.
    ratio = (draws - exact).exp()
    assert ((ratio.mean(0) - 1).abs() < 4 * standard_error(ratio) + 2e-4).all() and draws.std(0).max() < 0.02


@pytest.mark.parametrize("num_steps", [4, 8])
@pytest.mark.parametrize("name", ["vp", "flow"])
def test_unbiased_for_the_sampler_that_walks_these_times(name, num_steps):
    # The network's Gaussian step on a Gaussian is a linear chain, of which the density is known.
    schedule, t = SCHEDULES[name], 300
    mean, std = torch.tensor([[[0.4]]]).double(), torch.tensor([[[0.6]]]).double()
    prior = Hidden(mean, std, schedule, kernel="gaussian")
    times = prior.times(schedule.last, t, num_steps)
    assert len(times) == num_steps + 1
    m, v = 0.0, 1.0
    for u, s in zip(times, times[1:]):
        c_0, c_t, noise = reverse_step(schedule, u, s)
        at_0 = prior.denoise(torch.zeros(1, 1, 1, 1).double(), u).item()
        slope = prior.denoise(torch.ones(1, 1, 1, 1).double(), u).item() - at_0
        m, v = c_0 * (at_0 + slope * m) + c_t * m, (c_0 * slope + c_t) ** 2 * v + noise**2
    z = torch.tensor([-0.8, 0.1, 0.9]).double().reshape(1, 3, 1, 1, 1)
    draws = log_marginal(prior, z.expand(20_000, 3, 1, 1, 1), t, num_steps).exp()
    exact = Normal(m, v**0.5).log_prob(z.flatten()).exp()
    assert ((draws.mean(0) - exact).abs() < 4 * standard_error(draws)).all()
    assert (standard_error(draws) < 0.01 * exact).all()
    # It is told apart from the marginal of the diffusion.
    true = GaussianPrior(mean, std, schedule).marginal(t).log_prob(z[0]).exp()
    assert ((draws.mean(0) - true).abs() > 8 * standard_error(draws)).any()


def test_at_the_last_time_nothing_is_estimated():
    schedule = SCHEDULES["ve"]
    prior = DiffusionPrior(schedule, plane(schedule).denoiser, (1, 1, 2))
    z = 90 * torch.randn(4, 2, 1, 1, 2, dtype=torch.float64)
    close(log_marginal(prior, z, 999), Normal(0.0, 100.0).log_prob(z).sum((-3, -2, -1)), 1e-7)


def test_estimates_of_one_image_do_not_see_the_others():
    one = torch.ones(1, 1, 2, dtype=torch.float64)
    prior = Hidden(0 * one, one / 2, SCHEDULES["vp"], kernel="gaussian")
    z = torch.randn(5, 2, 1, 1, 2, dtype=torch.float64)
    both = log_marginal(prior, z, 300, 5, NoiseStreams([torch.Generator().manual_seed(k) for k in (1, 2)], 2))
    alone = log_marginal(prior, z[:, 1:], 300, 5, NoiseStreams([torch.Generator().manual_seed(2)], 1))
    close(both[:, 1:], alone)


# -- weights ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("times", [TIMES, (700,), (999, 5)])
@pytest.mark.parametrize("form", ["bridge", "marginal"])
def test_exact_conditionals_have_equal_weights(gaussian, form, times):
    scale = 0.4
    model = DiffusionModel(gaussian, Inpainting(OBSERVED), times, ExactGaussian(scale), form=form)
    path = draw_path(model, ExactConditionals(model, Y, scale), 50)
    log_w = log_importance_weights(model, path, Y)
    assert log_w.shape == (50, 2)
    close(log_w, evidence(gaussian, scale).expand(50, 2), 0, 1e-8)


def test_another_likelihood_than_the_models(gaussian):
    model = DiffusionModel(gaussian, Inpainting(OBSERVED), TIMES, Laplace(), beta=100.0)
    path = draw_path(model, ExactConditionals(model, Y, 0.4), 20)
    log_w = log_importance_weights(model, path, Y, likelihood=ExactGaussian(0.4))
    close(log_w, evidence(gaussian, 0.4).expand(20, 2), 0, 1e-8)
    plain = log_importance_weights(model, path, Y)
    x = gaussian.denoise(path.z[100], 100)
    expected = torch.distributions.Laplace(x, 1.0).log_prob(Y).mul(OBSERVED).sum((-3, -2, -1))
    close(plain - log_path_density(model, path) + path.log_q, expected)


@pytest.mark.parametrize("name", SCHEDULES)
def test_they_average_to_the_evidence(name):
    schedule = SCHEDULES[name]
    prior, scale = plane(schedule), 0.5
    operator = Matrix(torch.tensor([[1.0, 0.5]]).double().expand(2, 1, 2))
    y = torch.tensor([0.9, -0.6]).double().reshape(2, 1, 1, 1)
    times = tuple(schedule.time_of_ratio(r) for r in (3.0, 1.0))
    model = DiffusionModel(prior, operator, times, ExactGaussian(scale), form="marginal")
    guide = HierarchicalGuide(model, y, std_scale=1.3, gamma=0.95)
    path = draw_path(model, guide, 40_000)
    ratio = (log_importance_weights(model, path, y) - evidence(prior, scale, operator, y)).exp()
    assert ((ratio.mean(0) - 1).abs() < 4 * standard_error(ratio)).all() and standard_error(ratio).max() < 0.02


def test_with_an_estimated_marginal_too():
    scale, schedule = 0.4, SCHEDULES["flow"]
    mean, std = torch.tensor([[[0.4, -0.7, 1.0]]]).double(), torch.tensor([[[0.5, 0.9, 1.3]]]).double()
    prior, y = Hidden(mean, std, schedule), torch.tensor([0.3, 0.0, -0.5]).double().reshape(1, 1, 1, 3)
    known = GaussianPrior(mean, std, schedule)
    operator = Inpainting(torch.tensor([True, False, True]).reshape(1, 1, 1, 3))
    open_model = DiffusionModel(known, operator, (700, 100), ExactGaussian(scale))
    path = draw_path(open_model, ExactConditionals(open_model, y, scale), 9)
    model = DiffusionModel(prior, operator, (700, 100), ExactGaussian(scale))
    log_w = log_importance_weights(model, path, y, num_steps=6, generator=torch.Generator().manual_seed(0))
    close(log_w, evidence(known, scale, operator, y).expand(9, 1), 0, 1e-7)


def test_the_steps_between_the_levels_are_of_the_models_eta(gaussian):
    prior = DiffusionPrior(gaussian.schedule, gaussian.denoiser, (1, 2, 3))
    model = DiffusionModel(prior, Inpainting(OBSERVED), (700, 400, 100), eta=0.4)
    path = draw_path(model, HierarchicalGuide(model, Y), 3, torch.Generator().manual_seed(0))
    streams = [NoiseStreams(torch.Generator().manual_seed(1), 2) for _ in range(2)]
    steps = log_path_density(model, path, 5, streams[0]) - log_marginal(prior, path.z[700], 700, 5, streams[1])
    expected = sum(
        prior.transition(path.z[t], t, s, 0.4).log_prob(path.z[s]) for t, s in ((700, 400), (400, 100))
    )
    torch.testing.assert_close(steps, expected)
