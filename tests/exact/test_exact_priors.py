"""Exact priors against quadrature in one dimension and dense matrices in four (float64)."""

import math

import pyro
import pytest
import torch
from pyro import poutine

from tests.exact.brute_force import COVARIANCES, PRIORS, SCHEDULES, SHAPE, close, each, log_probs, make, random, spd
from vipaint_pyro.exact import DatasetPrior, GaussianMixturePrior, GaussianPrior
from vipaint_pyro.guides import HierarchicalGuide
from vipaint_pyro.measurements.inpainting import Inpainting
from vipaint_pyro.measurements.likelihoods import Gaussian
from vipaint_pyro.measurements.matrix import Matrix
from vipaint_pyro.models import DiffusionModel
from vipaint_pyro.priors.diffusion import DiffusionPrior
from vipaint_pyro.priors.kernels import reverse_step
from vipaint_pyro.priors.schedules import CLEAN, NoiseSchedule

PAIRS = [(999, 600), (700, 300), (300, 299), (50, CLEAN), (0, CLEAN)]
MEANS = torch.tensor([-1.5, 0.2, 1.0], dtype=torch.float64)
WEIGHTS = torch.tensor([0.2, 0.5, 0.3], dtype=torch.float64)
GRID = torch.linspace(-16, 16, 4001, dtype=torch.float64)
STEP = 32 / 4000


# -- one dimension: integrals over a grid, where the trapezoidal rule is exact to rounding ------------


def normal(x, mean, std):
    return torch.exp(-0.5 * ((x - mean) / std) ** 2) / (std * math.sqrt(2 * math.pi))


def line(schedule, kind):
    """A mixture on the line, and its density by the definition."""
    std = {"number": [0.4, 0.4, 0.4], "own diagonal": [0.3, 0.5, 0.2], "own full": [0.6, 0.25, 0.4]}[kind]
    std = torch.tensor(std, dtype=torch.float64)
    options = {
        "number": {"variances": 0.4**2},
        "own diagonal": {"variances": std**2},
        "own full": {"covariances": (std**2).reshape(3, 1, 1)},
    }[kind]
    prior = GaussianMixturePrior(WEIGHTS, MEANS.reshape(3, 1, 1, 1), schedule, **options)
    return prior, lambda x: (WEIGHTS * normal(x[..., None], MEANS, std)).sum(-1)


def levels(schedule):
    """Three levels r < s < t at the same ratios of noise to signal in every schedule."""
    return [schedule.time_of_ratio(ratio) for ratio in (0.25, 0.6, 1.5)]


def ks(v):
    """Numbers as images of one pixel."""
    return v.reshape(-1, 1, 1, 1)


def forward(schedule, s, t, z_s, z_t):
    """q(z_t | z_s), the definition."""
    a = float(schedule.alpha(t) / schedule.alpha(s))
    return normal(z_t, a * z_s, float(schedule.sigma(t) ** 2 - a**2 * schedule.sigma(s) ** 2) ** 0.5)


LINES = pytest.mark.parametrize("kind", ["number", "own diagonal", "own full"])
ALL_SCHEDULES = pytest.mark.parametrize("schedule", SCHEDULES.values(), ids=SCHEDULES)


@LINES
@ALL_SCHEDULES
def test_marginal_and_denoiser_by_quadrature(schedule, kind):
    prior, p = line(schedule, kind)
    z = torch.linspace(-3, 3, 13).double()
    for t in levels(schedule):
        joint = p(GRID) * forward(schedule, CLEAN, t, GRID, z[:, None])
        p_z = joint.sum(-1) * STEP
        close(prior.marginal(t).log_prob(ks(z)), p_z.log(), 0, 1e-9)
        mean = (joint * GRID).sum(-1) * STEP / p_z
        close(prior.denoise(ks(z), t).flatten(), mean, 0, 1e-9)
        close(prior.denoiser(ks(z), torch.full((13,), t)).flatten(), mean, 0, 1e-9)
        variance = (joint * (GRID - mean[:, None]) ** 2).sum(-1) * STEP / p_z
        close(prior.posterior(ks(z), t).variance.flatten(), variance, 0, 1e-9)
        close(prior.denoiser.variance(t, ks(z)).flatten(), variance, 0, 1e-9)
        x = torch.linspace(-2, 2, 7).double()
        posterior = prior.posterior(ks(z), t).log_prob(ks(x)[:, None].expand(7, 13, 1, 1, 1)).exp()
        close(posterior, p(x)[:, None] * forward(schedule, CLEAN, t, x[:, None], z) / p_z, 1e-9, 1e-12)


@LINES
@ALL_SCHEDULES
def test_kernel_by_quadrature(schedule, kind):
    prior, _ = line(schedule, kind)
    r, s, t = levels(schedule)
    z_t, z_s = torch.linspace(-2.5, 2.5, 9).double(), torch.linspace(-2, 2, 7).double()
    grid = ks(GRID)
    # Bayes: p(z_s | z_t) p(z_t) = p(z_s) q(z_t | z_s).
    kernel = prior.transition(ks(z_t), t, s).log_prob(ks(z_s)[:, None].expand(7, 9, 1, 1, 1)).exp()
    p_t, p_s = prior.marginal(t).log_prob(ks(z_t)).exp(), prior.marginal(s).log_prob(ks(z_s)).exp()
    close(kernel * p_t, p_s[:, None] * forward(schedule, s, t, z_s[:, None], z_t), 1e-9, 1e-12)
    # It is a density ...
    onto = prior.transition(ks(z_t), t, s).log_prob(grid[:, None].expand(4001, 9, 1, 1, 1)).exp()
    close(onto.sum(0) * STEP, torch.ones(9).double(), 1e-9, 0)
    # ... under which p(z_t) becomes p(z_s) ...
    ones = ks(z_s)[:, None].expand(7, 4001, 1, 1, 1)
    from_t = prior.transition(grid, t, s).log_prob(ones).exp()
    close((from_t * prior.marginal(t).log_prob(grid).exp()).sum(-1) * STEP, p_s, 1e-9, 1e-12)
    # ... and the steps t -> s -> r make the step t -> r.
    z_r = torch.linspace(-2, 2, 7).double()
    from_s = prior.transition(grid, s, r).log_prob(ks(z_r)[:, None].expand(7, 4001, 1, 1, 1)).exp()
    straight = prior.transition(ks(z_t), t, r).log_prob(ks(z_r)[:, None].expand(7, 9, 1, 1, 1)).exp()
    close(from_s @ onto * STEP, straight, 1e-9, 1e-12)


@LINES
@ALL_SCHEDULES
def test_evidence_at_a_level_averages_to_the_evidence(schedule, kind):
    # E over p(z_t) of p(y | z_t) = p(y), whatever t.
    prior, p = line(schedule, kind)
    operator, scale = Matrix(torch.tensor([[0.7]], dtype=torch.float64)), 0.3
    y = torch.linspace(-1.5, 1.5, 5).double()
    p_y = torch.stack([(p(GRID) * normal(v, 0.7 * GRID, scale)).sum() * STEP for v in y])
    for t in levels(schedule):
        seen = prior.exactly_measured(operator, scale, ks(GRID)[:, None], t)
        p_z = prior.marginal(t).log_prob(ks(GRID)).exp()
        each_y = torch.stack([seen.log_prob(v.expand(1, 1, 1, 1)).exp()[:, 0] @ p_z * STEP for v in y])
        close(each_y, p_y, 1e-9, 0)
        matched = prior.measured(operator, scale, ks(GRID)[:, None], t)
        mean = matched.mean.flatten() @ p_z * STEP
        close(mean, 0.7 * WEIGHTS @ MEANS, 1e-9, 1e-9)
        variance = (matched.variance.flatten() + (matched.mean.flatten() - mean) ** 2) @ p_z * STEP
        close(variance, 0.49 * prior.marginal(CLEAN).variance.flatten()[0] + scale**2, 1e-9, 0)


# -- four dimensions: dense matrices ----------------------------------------------------------------


@pytest.mark.parametrize("per_image", [False, True])
@pytest.mark.parametrize("kind", PRIORS)
@ALL_SCHEDULES
def test_every_quantity_by_dense_matrices(schedule, kind, per_image):
    prior, truth = make(kind, schedule, per_image)
    for t, s in PAIRS:
        noise = random(2, *SHAPE, seed=t)
        z = float(schedule.alpha(t)) * random(2, *SHAPE, seed=1) + float(schedule.sigma(t)) * noise
        noised = [m.noised(schedule, t) for m in truth]
        close(prior.marginal(t).expand((2,)).log_prob(z), log_probs(noised, z))
        clean = [m.reverse(schedule, z[n], t, CLEAN) for n, m in enumerate(truth)]
        x = random(2, *SHAPE, seed=2)
        close(prior.denoise(z, t).flatten(1), each(clean, lambda m, n: m.mean), 1e-8, 1e-9)
        step = [m.reverse(schedule, z[n], t, s) for n, m in enumerate(truth)]
        mean, std = prior.reverse(z, t, s)
        # Brute force subtracts nearly equal numbers where the two levels are neighbours.
        close(mean.flatten(1), each(step, lambda m, n: m.mean), 1e-7, 1e-9)
        close(std.flatten(1) ** 2, each(step, lambda m, n: m.covariance.diagonal()), 1e-6, 1e-11)
        kernel = prior.transition(z, t, s)
        at = mean + std * x
        close(kernel.log_prob(at), log_probs(step, at), 1e-6, 1e-6)
        # The mean is that of DDPM's step, as the exact kernel's has to be.
        c_0, c_t, _ = reverse_step(schedule, t, s)
        close(mean, c_0 * prior.denoise(z, t) + c_t * z)
        close(kernel.mean, mean, 1e-8, 1e-9)
        # At the lowest levels p(x | z_t) is all but a point.
        if t >= 50:
            posterior = prior.posterior(z, t)
            close(posterior.log_prob(x), log_probs(clean, x), 1e-7, 1e-7)


@pytest.mark.parametrize("kind", PRIORS)
@ALL_SCHEDULES
def test_score_identity(schedule, kind):
    # grad log p(z_t) = (alpha_t E[x | z_t] - z_t) / sigma_t^2.
    prior, _ = make(kind, schedule, per_image=True)
    for t in (900, 400, 20):
        z = random(3, 2, *SHAPE).requires_grad_()
        (score,) = torch.autograd.grad(prior.marginal(t).log_prob(z).sum(), z)
        alpha, sigma = float(schedule.alpha(t)), float(schedule.sigma(t))
        close(score, ((alpha * prior.denoise(z, t) - z) / sigma**2).detach(), 1e-8, 1e-8)


@pytest.mark.parametrize("kind", COVARIANCES)
@ALL_SCHEDULES
def test_the_denoisers_jacobian_is_the_covariance(schedule, kind):
    prior, _ = make(kind, schedule)
    z = random(1, *SHAPE).requires_grad_()
    for t in (800, 300):
        jacobian = torch.autograd.functional.jacobian(lambda v, t=t: prior.denoise(v, t), z).reshape(4, 4)
        gain = float(schedule.sigma(t) ** 2 / schedule.alpha(t))
        close(gain * jacobian, prior.posterior(z, t).covariance[0].detach(), 1e-8, 1e-10)


@pytest.mark.parametrize("kind", PRIORS)
@ALL_SCHEDULES
def test_a_tensor_of_times(schedule, kind):
    # As the plate "noise_levels" has them, (n, 1) against the images.
    prior, _ = make(kind, schedule, per_image=kind in COVARIANCES)
    s = torch.tensor([600, 7, 300])[:, None]
    z, x = random(5, 3, 2, *SHAPE), random(5, 3, 2, *SHAPE, seed=1)
    kernel, (mean, std) = prior.transition(z, s + 1, s), prior.reverse(z, s + 1, s)
    draws = kernel.sample((4,))
    assert kernel.batch_shape == (5, 3, 2) and draws.shape == (4, 5, 3, 2, *SHAPE)
    wide = kernel.expand((2, 5, 3, 2))
    assert wide.sample().shape == (2, 5, 3, 2, *SHAPE)
    denoised = prior.denoise(z, s + 1)
    for i, level in enumerate(s.flatten().tolist()):
        one = prior.transition(z[:, i], level + 1, level)
        close(kernel.log_prob(x)[:, i], one.log_prob(x[:, i]))
        close(wide.log_prob(x)[1, :, i], one.log_prob(x[:, i]))
        mean_i, std_i = prior.reverse(z[:, i], level + 1, level)
        close(mean[:, i], mean_i)
        close(std[:, i], std_i)
        close(denoised[:, i], prior.denoise(z[:, i], level + 1))
        # Draws within reach of their own kernel: they would not be, of another level's.
        assert ((draws[:, :, i] - one.mean) / one.stddev).abs().max() < 8


@pytest.mark.parametrize("kind", ["number", "own full", "gaussian"])
def test_the_program_runs_on_it(kind):
    schedule = SCHEDULES["vp"]
    prior, truth = make(kind, schedule)
    observed = torch.ones(2, *SHAPE, dtype=torch.bool)
    model = DiffusionModel(prior, Inpainting(observed), (700, 300), Gaussian(0.3), num_levels=3)
    y = random(2, *SHAPE)
    guide = HierarchicalGuide(model, y)
    with pyro.plate("chains", 5, dim=-4):
        guide_trace = poutine.trace(guide).get_trace(y)
        trace = poutine.trace(poutine.replay(model, trace=guide_trace)).get_trace(y)
    trace.compute_log_prob()
    z_t, z_s = trace.nodes["z_t"]["value"], trace.nodes["z_s"]["value"]
    assert z_s.shape == (5, 2, 3, 2, *SHAPE)
    for i, n in enumerate(trace.nodes["noise_levels"]["value"].tolist()):
        own = truth[1].reverse(schedule, z_t[4, 0, i, 1], 701 + n, 700 + n)
        # Its weight: half a draw, and the levels that were not drawn.
        scale = model.num_transitions / 3 / 2
        close(trace.nodes["z_s"]["log_prob"][4, 1, i, 1], scale * own.log_prob(z_s[4, 1, i, 1]), 1e-6, 1e-5)
    own = truth[1].reverse(schedule, trace.nodes["z_700"]["value"][4, 0, 0, 1], 700, 300)
    close(trace.nodes["z_300"]["log_prob"][4, 0, 0, 1], own.log_prob(trace.nodes["z_300"]["value"][4, 0, 0, 1]), 1e-8)


def test_asked_again_at_the_same_place():
    # Nothing that is kept between calls may carry over to another z, time, weight or graph.
    prior, truth = make("own full", SCHEDULES["vp"])
    z = random(2, *SHAPE)
    first = prior.denoise(z, 400)
    with torch.no_grad():
        z += 1
    close(prior.denoise(z, 400).flatten(1), each(truth, lambda m, n: m.reverse(prior.schedule, z[n], 400, -1).mean))
    assert (prior.denoise(z, 400) - first).abs().max() > 0.1
    close(prior.denoise(z, 300).flatten(1), each(truth, lambda m, n: m.reverse(prior.schedule, z[n], 300, -1).mean))
    before = prior.denoise(z, 300)
    z.requires_grad_()
    (a,) = torch.autograd.grad(prior.denoise(z, 300).sum(), z)
    (b,) = torch.autograd.grad(prior.denoise(z, 300).sum(), z)
    close(a, b)
    shifted = z.detach().clone().requires_grad_()
    (c,) = torch.autograd.grad(prior.denoise(shifted, 300).sum(), shifted)
    close(a, c)
    with torch.no_grad():
        close(prior.denoise(z, 300), before)


@pytest.mark.parametrize("kind", PRIORS)
def test_float32_stays_float32(kind):
    double, _ = make(kind, SCHEDULES["vp"])
    c = double.components
    options = {"variances": c.eigenvalues.float()} if c.basis is None else {
        "covariances": ((c.basis * c.eigenvalues[..., None, :]) @ c.basis.mT).float()
    }  # fmt: skip
    weights = double.weights[0] if double.weights.ndim == 2 else double.weights
    prior = GaussianMixturePrior(weights.float(), c.original.reshape(-1, *SHAPE).float(), double.schedule, **options)
    assert prior.dtype == torch.float32
    z = random(2, *SHAPE).float()
    mean, std = prior.reverse(z, 400, 200)
    seen = prior.measured(Inpainting(torch.ones(2, *SHAPE).bool()), 0.1, z, 400)
    kernel = prior.transition(z, torch.tensor([[400]]), torch.tensor([[200]]))
    values = [prior.denoise(z, 400), mean, std, seen.mean, seen.log_prob(z), prior.marginal(400).log_prob(z),
              kernel.sample(), kernel.log_prob(z), prior.marginal(CLEAN).mean, prior.marginal(9).variance]  # fmt: skip
    assert {v.dtype for v in values} == {torch.float32}
    torch.testing.assert_close(values[0].double(), double.denoise(z.double(), 400), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("eta", [1.0, 0.4])
@pytest.mark.parametrize("kind", ["own full", "gaussian"])
@ALL_SCHEDULES
def test_gaussian_kernel_is_the_networks_step(schedule, kind, eta):
    prior, _ = make(kind, schedule, kernel="gaussian")
    exact, _ = make(kind, schedule)
    z, x = random(3, 2, *SHAPE), random(3, 2, *SHAPE, seed=1)
    network = DiffusionPrior(schedule, exact.denoiser, SHAPE)
    for ours, theirs in zip(prior.reverse(z, 600, 200, eta), network.reverse(z, 600, 200, eta)):
        assert torch.equal(ours, theirs)
    step = prior.transition(z, 600, 200, eta)
    assert isinstance(step.base_dist, torch.distributions.Normal)
    close(step.log_prob(x), network.transition(z, 600, 200, eta).log_prob(x))
    _, c_t, std = reverse_step(schedule, 600, 200, eta)
    given = torch.zeros_like(z)
    close(prior.reverse(z, 600, 200, eta, given)[0], c_t * z)
    close(prior.reverse(z, 600, 200, eta)[1], std)
    assert exact.knows_the_clean_image and not prior.knows_the_clean_image and not network.knows_the_clean_image


def test_a_prediction_of_the_callers_moves_the_mean_alone():
    prior, _ = make("own diagonal", SCHEDULES["vp"])
    z, z0 = random(2, *SHAPE), random(2, *SHAPE, seed=1)
    c_0, c_t, _ = reverse_step(prior.schedule, 600, 200)
    mean, std = prior.reverse(z, 600, 200, 1.0, z0)
    close(mean, c_0 * z0 + c_t * z)
    close(std, prior.reverse(z, 600, 200)[1])


def test_the_ancestral_kernel_alone_is_exact():
    prior, _ = make("number", SCHEDULES["vp"])
    z = random(2, *SHAPE)
    for call in (prior.transition, prior.reverse):
        with pytest.raises(ValueError, match="leave eta at 1, or take kernel='gaussian'"):
            call(z, 600, 200, 0.4)


@pytest.mark.parametrize("per_image", [False, True])
@pytest.mark.parametrize("kind", PRIORS)
@ALL_SCHEDULES
def test_what_is_measured_at_a_level(schedule, kind, per_image):
    prior, truth = make(kind, schedule, per_image)
    A, z = random(2, 3, 4, seed=11), random(3, 2, *SHAPE)
    scale = torch.tensor([0.3, 0.7]).double().reshape(2, 1, 1, 1)
    y = random(2, 1, 1, 3, seed=12)
    for t in (900, 300):
        exact = prior.exactly_measured(Matrix(A, SHAPE), scale, z, t)
        matched = prior.measured(Matrix(A, SHAPE), scale, z, t)
        mean, covariance = exact.moment_matched()
        assert exact.batch_shape == matched.batch_shape == (3, 2) and exact.event_shape == matched.event_shape
        for i in range(3):
            seen = [
                m.reverse(schedule, z[i, n], t, CLEAN).through(A[n], scale[n].flatten() ** 2 * torch.eye(3).double())
                for n, m in enumerate(truth)
            ]
            close(exact.log_prob(y)[i], each(seen, lambda m, n: m.log_prob(y[n])), 1e-8, 1e-9)
            close(mean[i], each(seen, lambda m, n: m.mean), 1e-8, 1e-9)
            close(covariance.expand(3, 2, 3, 3)[i], each(seen, lambda m, n: m.covariance), 1e-8, 1e-9)
            normals = [torch.distributions.MultivariateNormal(m.mean, m.covariance) for m in seen]
            close(matched.log_prob(y)[i], each(normals, lambda p, n: p.log_prob(y[n].flatten())), 1e-8, 1e-9)
            close(matched.mean[i].flatten(1), each(seen, lambda m, n: m.mean), 1e-8, 1e-9)
            close(matched.variance[i].flatten(1), each(seen, lambda m, n: m.covariance.diagonal()), 1e-8, 1e-9)
    wide = matched.expand((4, 3, 2))
    assert wide.batch_shape == (4, 3, 2) and wide.sample().shape == (4, 3, 2, 1, 1, 3)
    close(wide.log_prob(y), matched.log_prob(y).expand(4, 3, 2))


def test_the_operators_matrix_is_made_anew_where_it_changes():
    prior, _ = make("number", SCHEDULES["vp"])
    z, y = random(2, *SHAPE), random(2, 1, 1, 3)
    a, b = (Matrix(random(3, 4, seed=s), SHAPE) for s in (1, 2))
    scale = torch.full((2, 1, 1, 1), 0.3).double()
    for operator, sigma in ((a, scale), (b, scale), (b, 2 * scale), (a, 0.3)):
        fresh, _ = make("number", SCHEDULES["vp"])
        expected = fresh.exactly_measured(operator, sigma, z, 300).log_prob(y)
        close(prior.exactly_measured(operator, sigma, z, 300).log_prob(y), expected)


def test_gaussian_and_data_set_are_mixtures():
    schedule = SCHEDULES["vp"]
    mean, std = random(*SHAPE), 0.1 + random(*SHAPE, seed=1).abs()
    prior = GaussianPrior(mean, std, schedule)
    assert torch.equal(prior.mean, mean)
    close(prior.std, std)
    for law in (prior.marginal(300), prior.transition(random(2, *SHAPE), 300, 100)):
        assert isinstance(law.base_dist, torch.distributions.Normal)
    full = GaussianPrior(mean, None, schedule, covariance=spd(seed=2))
    close(full.std.flatten() ** 2, spd(seed=2).diagonal())
    data = DatasetPrior(random(5, *SHAPE).tanh(), 0.1, schedule)
    close(data.weights, torch.ones(5).double() / 5)
    assert data.components.shared


def test_flat_means_are_images_of_one_row():
    prior = GaussianMixturePrior(torch.ones(3), random(3, 4), SCHEDULES["vp"], variances=torch.ones(3, 4))
    assert prior.latent_shape == prior.image_shape == (1, 1, 4) and not prior.components.shared
    # Four numbers are one per entry, also for four components.
    prior = GaussianMixturePrior(torch.ones(4), random(4, 4), SCHEDULES["vp"], variances=torch.arange(1.0, 5.0))
    assert prior.components.shared
    assert prior.components.eigenvalues.tolist() == [1, 2, 3, 4]


WRONG = {
    "means are finite": {"means": torch.full((3, 4), torch.nan)},
    r"\(K, C, H, W\) or \(K, D\)": {"means": torch.zeros(3, 2, 2)},
    "kernel is one of exact, gaussian, not 'best'": {"kernel": "best"},
    r"weights are positive and finite, but weights\[1\] is 0: leave a": {"weights": torch.tensor([1.0, 0.0, 1.0])},
    r"but weights\[1, 0\] is -2": {"weights": torch.tensor([[1.0, 1.0, 1.0], [-2.0, 1.0, 0.0]])},
    r"weights have shape \(3,\) or \(N, 3\), but came with \(2,\)": {"weights": torch.ones(2)},
    r"came with \(1, 1, 3\)": {"weights": torch.ones(1, 1, 3)},
    r"weights\[1\] is inf": {"weights": torch.tensor([1.0, torch.inf, 1.0])},
    "give variances": {"variances": None},
    "or covariances": {"covariances": torch.eye(4)},
    r"variances are 1, 4 or 3 x 4 numbers, but have shape \(5,\)": {"variances": torch.ones(5)},
    r"covariances have shape \(4, 4\) or \(3, 4, 4\)": {"variances": None, "covariances": torch.eye(5)},
    "symmetric": {"variances": None, "covariances": torch.eye(4) + torch.ones(4, 4).triu(1)},
    "must be positive": {"variances": 0.0},
    "every variance": {"variances": torch.tensor([1.0, 1.0, -1.0, 1.0])},
    "eigenvalue of a covariance": {"variances": None, "covariances": torch.ones(4, 4)},
}


@pytest.mark.parametrize("message", WRONG)
def test_refuses_what_is_no_mixture(message):
    given = {"weights": torch.ones(3), "means": torch.zeros(3, 4), "variances": 1.0} | WRONG[message]
    with pytest.raises(ValueError, match=message):
        GaussianMixturePrior(given.pop("weights"), given.pop("means"), SCHEDULES["vp"], **given)


def test_refuses_what_is_no_gaussian_or_data_set():
    with pytest.raises(ValueError, match=r"mean has shape \(C, H, W\)"):
        GaussianPrior(torch.zeros(4), torch.ones(4), SCHEDULES["vp"])
    with pytest.raises(ValueError, match="give variances"):
        GaussianPrior(torch.zeros(SHAPE), None, SCHEDULES["vp"])
    with pytest.raises(ValueError, match="must be positive"):
        GaussianPrior(torch.zeros(SHAPE), torch.zeros(SHAPE), SCHEDULES["vp"])
    with pytest.raises(ValueError, match="must be positive and finite"):
        GaussianPrior(torch.zeros(SHAPE), float("inf"), SCHEDULES["vp"])
    for shape in ((1, 2, 2), (4,)):  # its entries would go elsewhere
        with pytest.raises(ValueError, match="std is one number or has the shape of mean"):
            GaussianPrior(torch.zeros(SHAPE), torch.ones(shape), SCHEDULES["vp"])
    for std in (0.0, -1.0, float("nan")):
        with pytest.raises(ValueError, match="std is the positive width"):
            DatasetPrior(torch.zeros(3, *SHAPE), std, SCHEDULES["vp"])


@pytest.mark.parametrize(
    "images, words", [(torch.full((2, *SHAPE), 255.0), "reach 255"), (torch.full((2, *SHAPE), -1.1), "reach -1.1")]
)
def test_pictures_of_another_range_are_refused(images, words):
    with pytest.raises(ValueError, match=rf"are in \[-1, 1\], but {words}: vipaint_pyro.images.from_bytes brings 0"):
        DatasetPrior(images, 0.1, SCHEDULES["vp"])
    DatasetPrior(images.clamp(-1, 1), 0.1, SCHEDULES["vp"])


def test_one_time_for_all_is_that_time_for_each():
    pictures = torch.rand(6, 1, 2, 3, dtype=torch.float64)
    prior = DatasetPrior(pictures, 0.2, NoiseSchedule.variance_preserving())
    z = torch.randn(3, 1, 2, 3, dtype=torch.float64)
    for times in ([300, 300, 300], [300, 300, 20], [20, 300, 300]):
        each = torch.stack([prior.denoise(z_i[None], t)[0] for z_i, t in zip(z, times)])
        torch.testing.assert_close(prior.denoiser(z, torch.tensor(times)), each, rtol=1e-12, atol=1e-12)
