"""Sequential Monte Carlo where p(y) and p(x | y) are known (float64).

The images of a batch are independent runs: 1000 images measured alike are 1000 runs of the filter. The
estimate of p(y), and its product with the mean of any f over the images, are unbiased whatever the number of
particles: E[Z_hat] = p(y) and E[Z_hat mean f(x)] = p(y) E[f(x) | y].
"""

import pyro.distributions as dist
import pytest
import torch
from pyro.infer import autoguide

from tests.conftest import standard_error
from tests.exact.brute_force import SCHEDULES, close
from tests.inference.test_weights import OBSERVED, ExactConditionals, Y, evidence, plane
from vipaint_pyro.exact import ExactPosterior, GaussianMixturePrior, GaussianPrior, exact_posterior
from vipaint_pyro.exact.likelihood import ExactGaussian
from vipaint_pyro.guides import HierarchicalGuide, MarkovGuide
from vipaint_pyro.guides.registry import make_guide
from vipaint_pyro.inference.particles import Cloud, effective_sample_size, systematic
from vipaint_pyro.inference.smc import SMC, _guided, run_smc
from vipaint_pyro.inference.weights import draw_path, log_path_density
from vipaint_pyro.measurements.inpainting import Inpainting
from vipaint_pyro.measurements.likelihoods import Gaussian, Laplace
from vipaint_pyro.measurements.matrix import Matrix
from vipaint_pyro.measurements.measurement import Measurement
from vipaint_pyro.measurements.moment_matched import MomentMatched
from vipaint_pyro.models import DiffusionModel
from vipaint_pyro.priors.codecs import Codec
from vipaint_pyro.priors.counting import count_calls
from vipaint_pyro.priors.denoisers import Denoiser
from vipaint_pyro.priors.diffusion import DiffusionPrior
from vipaint_pyro.priors.schedules import CLEAN
from vipaint_pyro.randomness import NoiseStreams

RUNS = 1000
A = torch.tensor([[1.0, 0.5]], dtype=torch.float64)
SCALE = 0.4


class Prior(MarkovGuide):
    """The model's prior as a guide, which has not seen y."""

    def top(self):
        return self.model.prior.marginal(self.model.timesteps[0]).expand((self.model.num_images,))

    def kernel(self, z_t, t, s):
        return self.model.transition(z_t, t, s)


def filter_of(prior, likelihood, runs=RUNS, value=0.3, ratios=(3.0, 1.5, 0.8), **options):
    """A model of many images measured alike, and a guide for it that has not been fitted."""
    y = torch.full((runs, 1, 1, 1), value, dtype=torch.float64)
    times = tuple(prior.schedule.time_of_ratio(r) for r in ratios)
    model = DiffusionModel(prior, Matrix(A.expand(runs, 1, 2)), times, likelihood, **{"form": "marginal", **options})
    return model, HierarchicalGuide(model, y, gamma=0.9, std_scale=1.2), y


def smc(model, guide, y, num_particles, *, likelihood=None, start=None, generator=None, callback=None, **settings):
    """run_smc under the model's own likelihood, or another."""
    seen = Measurement(model.operator, likelihood or model.likelihood, y)
    settings = SMC(num_particles, **settings)
    return run_smc(model, guide, seen, settings, start=start, generator=generator, callback=callback)


def unbiased(ratio, expected=1.0):
    """Whether runs average to what they should, up to 4 standard errors, themselves small."""
    error = standard_error(ratio)
    assert (error < 0.08 * abs(expected) + 0.02).all(), error
    return ((ratio.mean(0) - expected).abs() < 4 * error).all()


def agrees(particles, posterior):
    """Whether evidence, mean, second moments and weights of the modes are those of the posterior."""
    z = (particles.log_evidence - posterior.log_evidence).exp()
    ok = [unbiased(z)]
    x = particles.images.flatten(2)
    exact = posterior.mean[0].flatten()
    ok.append(unbiased(z[:, None] * x.mean(0), exact))
    ok.append(unbiased(z[:, None] * (x**2).mean(0), posterior.variance[0].flatten() + exact**2))
    shares = posterior.log_responsibilities(particles.images).exp()
    ok.append(unbiased(z[:, None] * shares.mean(0), posterior.weights[0]))
    return all(ok)


# -- parts --------------------------------------------------------------------------------------------


def test_effective_sample_size():
    w = torch.tensor([[1.0, 1, 4, 0], [1, 0, 2, 0], [1, 0, 2, 5]]).double()
    expected = torch.tensor([3, 1, 64 / 24, 1], dtype=torch.float64)
    close(effective_sample_size(w.log()), expected)
    close(effective_sample_size(w.log() - 5000), expected)


def test_systematic_is_within_one_of_its_share():
    log_weights = torch.randn(50, 400, dtype=torch.float64) * 3
    index = systematic(log_weights, torch.rand(400, dtype=torch.float64))
    counts = torch.zeros(50, 400, dtype=torch.float64).scatter_add_(0, index, torch.ones(50, 400).double())
    share = 50 * log_weights.softmax(0)
    assert index.shape == (50, 400) and ((counts - share).abs() < 1 + 1e-9).all()


def test_systematic_is_unbiased():
    weights = torch.tensor([0.05, 0.35, 0.0, 0.21, 0.39], dtype=torch.float64)
    u = (torch.arange(100_000, dtype=torch.float64) + 0.5) / 100_000
    index = systematic(weights.log()[:, None].expand(5, 100_000), u)
    counts = torch.stack([(index == k).sum(0).double().mean() for k in range(5)])
    close(counts, 5 * weights, 0, 1e-4)


@pytest.mark.parametrize("u", [0.0, 1e-12, 1 - 1e-12])
def test_systematic_takes_nothing_without_weight(u):
    weights = torch.tensor([0.0, 0.5, 0.0, 0.5, 0.0], dtype=torch.float64)
    index = systematic(weights.log()[:, None], torch.tensor([u], dtype=torch.float64))
    assert set(index.flatten().tolist()) <= {1, 3}


def test_systematic_by_hand():
    # Points .1, .35, .6, .85 on the steps .2, .7, .7, 1.
    weights = torch.tensor([[0.2], [0.5], [0.0], [0.3]], dtype=torch.float64)
    assert systematic(weights.log(), torch.tensor([0.4]).double()).flatten().tolist() == [0, 1, 1, 3]


def test_systematic_of_another_number():
    weights = torch.rand(7, 300, dtype=torch.float64) ** 3
    for num in (3, 20):
        index = systematic(weights.log(), torch.rand(300, dtype=torch.float64), num)
        counts = torch.zeros(7, 300, dtype=torch.float64).scatter_add_(0, index, torch.ones(num, 300).double())
        assert index.shape == (num, 300) and ((counts - num * weights / weights.sum(0)).abs() < 1 + 1e-9).all()


# -- the evidence and the posterior -------------------------------------------------------------------


@pytest.mark.battery
@pytest.mark.parametrize("likelihood", [ExactGaussian(SCALE), MomentMatched(SCALE), Gaussian(1.0)])
@pytest.mark.parametrize("threshold", [0.0, 0.8, 1.0])
def test_evidence_and_posterior(threshold, likelihood):
    # Whatever p(y | z_t) is on the way, it is undone in the end.
    prior = plane(SCHEDULES["vp"])
    model, guide, y = filter_of(prior, likelihood)
    particles = smc(model, guide, y, 16, num_steps=4, threshold=threshold)
    posterior = exact_posterior(prior, model.operator, y, likelihood.scale)
    assert particles.images.shape == (16, RUNS, 1, 1, 2) and particles.log_evidence.shape == (RUNS,)
    assert agrees(particles, posterior)
    # Three levels, three steps below them, and the clean image.
    assert particles.ess.shape == particles.resampled.shape == (7, RUNS)
    assert (particles.ess <= 16 + 1e-7).all() and (particles.ess >= 1 - 1e-9).all()
    moves = particles.resampled[:-1]
    assert torch.equal(moves, particles.ess[:-1] < threshold * 16)
    assert not moves.any() if threshold == 0 else moves.all() if threshold == 1 else 0.02 < moves.double().mean() < 0.98
    assert particles.ancestors.shape == (RUNS,) and (particles.ancestors >= 1).all()
    # Where p(y | z_t) is exact the clean image, drawn given y, changes no weight.
    if isinstance(likelihood, ExactGaussian):
        close(particles.ess[-1][~moves[-1]], particles.ess[-2][~moves[-1]])
        close(particles.ess[-1][moves[-1]], 16 * torch.ones(int(moves[-1].sum())).double())
    else:
        assert particles.resampled[-1].all()


@pytest.mark.slow
@pytest.mark.parametrize("name", SCHEDULES)
def test_every_schedule(name):
    prior = plane(SCHEDULES[name])
    model, guide, y = filter_of(prior, MomentMatched(SCALE), value=-0.9)
    particles = smc(model, guide, y, 16, num_steps=4)
    assert agrees(particles, exact_posterior(prior, model.operator, y, SCALE))


def test_the_twisted_step_to_the_clean_image():
    # Under Laplace noise the clean image is proposed by a Gaussian too: p(y) by quadrature.
    means = torch.tensor([-1.0, 0.6], dtype=torch.float64)
    weights, std = torch.tensor([0.4, 0.6], dtype=torch.float64), 0.5
    prior = GaussianMixturePrior(weights, means[:, None], SCHEDULES["vp"], variances=std**2)
    y = torch.full((RUNS, 1, 1, 1), 0.2, dtype=torch.float64)
    times = tuple(prior.schedule.time_of_ratio(r) for r in (2.0, 0.8))
    ones = torch.ones(RUNS, 1, 1, 1, dtype=torch.bool)
    model = DiffusionModel(prior, Inpainting(ones), times, Laplace(0.3), form="marginal")
    guide = HierarchicalGuide(model, y, gamma=0.9, std_scale=1.2)
    particles = smc(model, guide, y, 16, num_steps=12)
    x = torch.linspace(-8, 8, 8001, dtype=torch.float64)
    joint = prior.marginal(CLEAN).log_prob(x.reshape(-1, 1, 1, 1)).exp()
    joint = joint * torch.distributions.Laplace(x, 0.3).log_prob(torch.tensor(0.2)).exp() * 0.002
    z = particles.log_evidence.exp() / joint.sum()
    assert unbiased(z)
    images = particles.images.flatten(1)
    assert unbiased(z * images.mean(0), (joint * x).sum() / joint.sum())
    assert unbiased(z * (images**2).mean(0), (joint * x**2).sum() / joint.sum())
    # The clean image has weights of its own here, since the likelihood plugged in was another.
    assert (particles.ess[-1] < 0.99 * 16).any()


@pytest.mark.slow
def test_a_guide_that_is_no_chain():
    prior = plane(SCHEDULES["vp"])
    model, _, y = filter_of(prior, ExactGaussian(SCALE), ratios=(3.0, 1.0), runs=2 * RUNS)
    start = torch.zeros(2 * RUNS, 1, 1, 2, dtype=torch.float64)
    guide = autoguide.AutoNormal(model, init_scale=0.8, init_loc_fn=lambda site: start.clone())
    guide(y)
    particles = smc(model, guide, y, 32, num_steps=3)
    assert agrees(particles, exact_posterior(prior, model.operator, y, SCALE))
    # The path is weighed as a whole, at T_s.
    assert particles.ess.shape == (4, 2 * RUNS)


def test_a_guide_whose_kernels_are_mixtures():
    prior = plane(SCHEDULES["vp"])
    model, _, y = filter_of(prior, MomentMatched(SCALE))
    particles = smc(model, Prior(model), y, 16, num_steps=3)
    assert agrees(particles, exact_posterior(prior, model.operator, y, SCALE))


@pytest.mark.parametrize("form", ["bridge", "marginal"])
def test_exact_conditionals_need_no_resampling(gaussian, form):
    model = DiffusionModel(gaussian, Inpainting(OBSERVED), (700, 400, 100), ExactGaussian(SCALE), form=form)
    guide = ExactConditionals(model, Y, SCALE)
    particles = smc(model, guide, Y, 50, num_steps=1)
    close(particles.log_evidence, evidence(gaussian, SCALE), 0, 1e-8)
    close(particles.ess, 50 * torch.ones(4, 2).double())
    assert not particles.resampled[:-1].any() and particles.ancestors.tolist() == [50, 50]


@pytest.mark.parametrize("weigh", [True, False])
def test_exact_conditionals_draw_the_posterior(gaussian, weigh):
    model = DiffusionModel(gaussian, Inpainting(OBSERVED), (700, 100), ExactGaussian(SCALE))
    particles = smc(model, ExactConditionals(model, Y, SCALE), Y, 8000, num_steps=1, weigh=weigh)
    posterior = exact_posterior(gaussian, model.operator, Y, SCALE)
    x = particles.images
    assert ((x.mean(0) - posterior.mean).abs() < 4 * standard_error(x)).all()
    assert ((x.var(0) / posterior.variance - 1).abs() < 4.5 * (2 / 8000) ** 0.5).all()


def test_equal_weights_count_too():
    # The prior as the guide and a likelihood that does not look: every weight is the same number.
    one = torch.ones(1, 1, 2, dtype=torch.float64)
    prior = GaussianPrior(0 * one, one, SCHEDULES["vp"], kernel="gaussian")
    model = DiffusionModel(
        prior, Inpainting(torch.ones(3, 1, 1, 2).bool()), (700, 300), lambda x: dist.Normal(0 * x, 1.0), form="marginal"
    )
    y = torch.tensor([0.0, 1.0, 2.0]).double().reshape(3, 1, 1, 1).expand(3, 1, 1, 2)
    particles = smc(model, Prior(model), y, 10, num_steps=2)
    close(particles.log_evidence, torch.distributions.Normal(0.0, 1.0).log_prob(y).sum((-3, -2, -1)))
    assert particles.ess.shape == (3, 3) and particles.ancestors.tolist() == [10] * 3


# -- without weights, on a network's prior, and one image at a time ------------------------------------


def test_without_weights():
    prior = plane(SCHEDULES["vp"])
    model, guide, y = filter_of(prior, ExactGaussian(SCALE), runs=3)
    places = []
    particles = smc(model, guide, y, 4000, num_steps=4, weigh=False, callback=lambda i, t, z, _: places.append((t, z)))
    assert particles.log_evidence is None and particles.ess.shape == particles.resampled.shape == (0, 3)
    assert particles.ancestors.tolist() == [4000] * 3
    # The guide's own law at T_e, and its kernel from each particle's own place.
    top, times = guide.top(), model.timesteps
    assert ((places[0][1].mean(0) - top.mean).abs() < 4.5 * top.stddev / 4000**0.5).all()
    kernel = guide.kernel(places[0][1], times[0], times[1])
    noise = ((places[1][1] - kernel.mean) / kernel.stddev).detach()
    assert noise.mean(0).abs().max() < 4.5 / 4000**0.5 and (noise.var(0) - 1).abs().max() < 4.5 * (2 / 4000) ** 0.5
    # Below T_s the prior's step, moved by its variance times the pull of the measurement.
    (t, z_t), (s, z_s) = places[2], places[3]
    z_t = z_t.requires_grad_()
    seen = prior.exactly_measured(model.operator, SCALE, z_t, t).log_prob(y)
    (pull,) = torch.autograd.grad(seen.sum(), z_t)
    mean, std = prior.reverse(z_t, t, s)
    noise = ((z_s - mean - std**2 * pull) / std).detach()
    assert noise.mean(0).abs().max() < 4.5 / 4000**0.5 and (noise.var(0) - 1).abs().max() < 4.5 * (2 / 4000) ** 0.5
    assert pull.abs().max() > 0.1
    # The clean image is drawn given z_t and y.
    (t, z_t), (s, x) = places[-2], places[-1]
    posterior = ExactPosterior(prior.exactly_measured(model.operator, SCALE, z_t, t), y)
    noise = (x - posterior.mean) / posterior.variance.sqrt()
    assert s == CLEAN and (noise.mean(0).abs() < 4.5 * standard_error(noise)).all()
    assert (((noise**2).mean(0) - 1).abs() < 4.5 * standard_error(noise**2)).all()


@pytest.mark.parametrize("threshold", [0.0, 0.8])
def test_every_particle_is_pulled_from_where_it_stands(threshold, monkeypatch):
    # After resampling too, its place, its prediction and its pull are of one particle.
    prior = plane(SCHEDULES["vp"])
    model, guide, y = filter_of(prior, MomentMatched(SCALE), runs=200)
    noise, places = [], []
    normal = NoiseStreams.normal

    def keep(step, t, z, z0):
        places.append((t, z, noise[-1]))

    monkeypatch.setattr(NoiseStreams, "normal", lambda *given: noise.append(normal(*given)) or noise[-1])
    particles = smc(model, guide, y, 16, num_steps=4, threshold=threshold, callback=keep)
    for step in (3, 4, 5):
        (t, z_t, _), (s, z_s, xi) = places[step - 1], places[step]
        z_t = z_t.clone().requires_grad_()
        seen = prior.measured(model.operator, SCALE, z_t, t).log_prob(y)
        (pull,) = torch.autograd.grad(seen.sum(), z_t)
        mean, std = (v.detach() for v in prior.reverse(z_t, t, s))
        kept = ~particles.resampled[step]
        assert kept.sum() > 20
        close(z_s[:, kept], (mean + std**2 * pull + std * xi)[:, kept])
    assert (particles.resampled[2] & ~particles.resampled[3]).any() == (threshold > 0)


def test_ancestors_are_counted():
    # From one level straight to the prediction: what goes back to one draw is one image.
    prior = plane(SCHEDULES["vp"], kernel="gaussian")
    model, guide, y = filter_of(prior, MomentMatched(SCALE), runs=50, ratios=(1.0,))
    particles = smc(model, guide, y, 16, num_steps=1, threshold=1.0)
    different = [len(particles.images[:, n].flatten(1).unique(dim=0)) for n in range(50)]
    assert particles.ancestors.tolist() == different and 1 <= min(different) < max(different) < 16


def test_another_likelihood_than_the_models():
    prior = plane(SCHEDULES["vp"])
    model, guide, y = filter_of(prior, Laplace())
    particles = smc(model, guide, y, 16, num_steps=3, likelihood=MomentMatched(SCALE))
    assert agrees(particles, exact_posterior(prior, model.operator, y, SCALE))


def test_particles_that_are_there_already():
    prior = plane(SCHEDULES["vp"])
    model, _, y = filter_of(prior, ExactGaussian(SCALE), runs=3)
    t = model.timesteps[-1]
    # Draws of p(z_{T_s} | y) become draws of p(x | y) in one step.
    posterior = exact_posterior(prior, model.operator, y, SCALE)
    x = posterior.sample(4000)
    begin = float(prior.schedule.alpha(t)) * x + float(prior.schedule.sigma(t)) * torch.randn_like(x)
    places = []
    particles = smc(
        model, None, y, 4000, num_steps=1, weigh=False, start=begin,
        callback=lambda i, t, z, _: places.append((i, t, z)),
    )  # fmt: skip
    assert [p[:2] for p in places] == [(0, t), (1, CLEAN)] and torch.equal(places[0][2], begin)
    assert particles.log_evidence is None
    away = particles.images - posterior.mean
    for v in (away, away**2 - posterior.variance):
        assert (v.mean(0).abs() < 4.5 * standard_error(v)).all()
    with pytest.raises(ValueError, match="come without weights: give weigh=False, or from_prior=True"):
        smc(model, None, y, 4000, num_steps=1, start=begin)
    seen = Measurement(model.operator, Gaussian(0.3), y)
    with pytest.raises(ValueError, match="from_prior says what start is, and there is none: give start"):
        run_smc(model, None, seen, SMC(4), from_prior=True)


def test_a_networks_prior_ends_in_its_prediction(network_prior):
    prior = network_prior.conditioned([1])
    observed = torch.rand(2, 1, 8, 8) < 0.5
    y = torch.where(observed, torch.randn(2, 1, 8, 8).double(), 0)
    places, graphs, denoiser = [], set(), prior.denoiser

    class Spy(Denoiser):
        dtype, device = denoiser.dtype, denoiser.device

        def __call__(self, z, t, condition=None):
            graphs.add((int(t[0]), torch.is_grad_enabled()))
            return denoiser(z, t, condition)

    prior.denoiser = Spy()
    counted, calls = count_calls(prior)
    model = DiffusionModel(counted, Inpainting(observed), (600, 300), Gaussian(0.5), eta=0.5)
    guide = HierarchicalGuide(model, y)
    particles = smc(
        model, guide, y, 3, num_steps=5, marginal_steps=4, callback=lambda i, t, z, _: places.append((t, z))
    )
    assert [t for t, _ in places] == [600, 300, *prior.times(300, CLEAN, 5)[1:]]
    # A step of eta 0.5 to the clean image has no noise: it is the prediction.
    t, z = places[-2]
    assert particles.images.shape == (3, 2, 1, 8, 8) and torch.isfinite(particles.log_evidence).all()
    last = prior.denoise(z, t)
    nearest = (places[-1][1][:, None] - last).abs().amax((-3, -2, -1)).amin(1)
    assert nearest.max() < 1e-8
    # T_e, T_s and the four levels below it, and the estimate of p(z_{T_e}).
    assert calls.total == 3 * 2 * (6 + 4)
    # A graph is kept where the pull is needed, and nowhere above.
    assert {t for t, graph in graphs if graph} == {300, *prior.times(300, CLEAN, 5)[1:-1]}


def test_eta_is_the_models():
    schedule = SCHEDULES["vp"]
    prior = plane(schedule, kernel="gaussian")
    model, guide, y = filter_of(prior, ExactGaussian(SCALE), runs=2, eta=0.3)
    places = []
    smc(model, guide, y, 4000, num_steps=4, weigh=False, callback=lambda i, t, z, _: places.append((t, z)))
    (t, z_t), (s, z_s) = places[2], places[3]
    z_t = z_t.requires_grad_()
    (pull,) = torch.autograd.grad(prior.exactly_measured(model.operator, SCALE, z_t, t).log_prob(y).sum(), z_t)
    mean, std = prior.reverse(z_t, t, s, 0.3)
    noise = ((z_s - mean - std**2 * pull) / std).detach()
    assert noise.mean(0).abs().max() < 4.5 / 4000**0.5 and (noise.var(0) - 1).abs().max() < 4.5 * (2 / 4000) ** 0.5


def seeds(*numbers):
    return [torch.Generator().manual_seed(k) for k in numbers]


@pytest.mark.parametrize("likelihood", [ExactGaussian(0.3), Laplace(0.3)])
@pytest.mark.parametrize("threshold", [0.3, 0.5])
def test_one_image_does_not_see_its_neighbours(likelihood, threshold):
    prior = plane(SCHEDULES["vp"])
    y = torch.tensor([-1.5, 0.1, 2.5]).double().reshape(3, 1, 1, 1)
    times = (700, 400, 200)

    def run(k, generators):
        model = DiffusionModel(prior, Matrix(A.expand(len(y[k]), 1, 2)), times, likelihood, form="marginal")
        guide = HierarchicalGuide(model, y[k])
        return smc(model, guide, y[k], 12, num_steps=5, generator=generators, threshold=threshold)

    state = torch.get_rng_state()
    together = run(slice(None), seeds(1, 2, 3))
    assert torch.equal(torch.get_rng_state(), state)
    # That it would be seen: some image was resampled where another was not.
    assert (together.resampled[:-1].any(1) & ~together.resampled[:-1].all(1)).any()
    for i in range(3):
        alone = run(slice(i, i + 1), seeds(i + 1))
        close(together.images[:, i : i + 1], alone.images)
        close(together.log_evidence[i : i + 1], alone.log_evidence)
        close(together.ess[:, i : i + 1], alone.ess)
    again = run(slice(None), seeds(1, 2, 3))
    assert torch.equal(again.images, together.images)
    other = run(slice(None), seeds(1, 2, 4))
    assert torch.equal(other.images[:, :2], together.images[:, :2])
    assert not torch.equal(other.images[:, 2], together.images[:, 2])


def test_a_generator_for_a_guide_that_is_no_chain():
    prior = plane(SCHEDULES["vp"])
    model, _, y = filter_of(prior, ExactGaussian(SCALE), runs=2)
    guide = autoguide.AutoNormal(model, init_scale=0.8, init_loc_fn=lambda site: torch.zeros(2, 1, 1, 2).double())
    guide(y)
    first, again = (smc(model, guide, y, 8, num_steps=3, generator=seeds(5, 6)) for _ in range(2))
    assert torch.equal(first.images, again.images) and torch.equal(first.log_evidence, again.log_evidence)


def test_images_of_a_latent_prior_are_decoded():
    class Decoder(Codec):
        def encode(self, x):
            return x / 2

        def decode(self, z):
            return 2 * z

    known = plane(SCHEDULES["vp"])
    prior = DiffusionPrior(known.schedule, known.denoiser, (1, 1, 2), Decoder())
    model = DiffusionModel(prior, Inpainting(torch.ones(2, 1, 1, 2).bool()), (600, 300), Gaussian(0.5))
    y = torch.zeros(2, 1, 1, 2, dtype=torch.float64)
    places = []
    guide = HierarchicalGuide(model, y)
    particles = smc(model, guide, y, 5, num_steps=3, weigh=False, callback=lambda i, t, z, _: places.append(z))
    assert torch.equal(particles.images, 2 * places[-1])


# -- refusals -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options, message",
    [
        ({"num_particles": 1}, "two or more particles and a threshold in"),
        ({"num_particles": 4, "threshold": 1.5}, "not 4 and 1.5"),
        ({"num_particles": 4, "threshold": -0.1}, "not 4 and -0.1"),
        ({"num_particles": 4, "num_steps": 0}, "num_steps is a whole number of at least 1, but is 0"),
        ({"num_particles": 4, "num_steps": 102}, "from T_s = 100 there are 1 to 101 steps to the clean image, not 102"),
        ({"num_particles": 4, "generator": seeds(1)}, "1 generator for 2 images"),
    ],
)
def test_refuses(gaussian, options, message):
    model = DiffusionModel(gaussian, Inpainting(OBSERVED), (500, 100), Gaussian(0.3))
    with pytest.raises(ValueError, match=message):
        smc(model, HierarchicalGuide(model, Y), Y, **options)


def test_refuses_a_measurement_of_other_images(gaussian):
    model = DiffusionModel(gaussian, Inpainting(OBSERVED), (500, 100), Gaussian(0.3))
    guide = HierarchicalGuide(model, Y)
    gaussian._denoised = None  # nothing is computed
    one = Measurement(Inpainting(OBSERVED[:1]), Gaussian(0.3), Y[:1])
    with pytest.raises(ValueError, match="the measurement is of 1 image, but the model of 2"):
        run_smc(model, guide, one, SMC(4, 3))
    large = torch.zeros(2, 1, 5, 5).double()
    with pytest.raises(ValueError, match=r"images of shape \(1, 5, 5\), but those of this prior"):
        run_smc(model, guide, Measurement(Inpainting(large == 0), Gaussian(0.3), large), SMC(4, 3))


@pytest.mark.parametrize("answer", ["x", 3, [0.0], ("x", True)])
def test_refuses_a_callback_that_returns_no_latents(gaussian, answer):
    model = DiffusionModel(gaussian, Inpainting(OBSERVED), (500, 100), Gaussian(0.3))
    with pytest.raises(TypeError, match="what a callback returns, if not True or None, is a tensor of shape"):
        smc(model, HierarchicalGuide(model, Y), Y, 4, num_steps=3, callback=lambda *step: answer)


def test_says_where_no_particle_is_left(gaussian):
    model = DiffusionModel(gaussian, Inpainting(OBSERVED), (500, 100), Gaussian(0.3))
    y = 1e200 * OBSERVED.double()
    what = r"^(a particle|the weight of every particle) is not finite at smc step 0 \(time 500\); "
    with pytest.raises(FloatingPointError, match=what):
        smc(model, HierarchicalGuide(model, Y), y, 4, num_steps=3)


def test_a_guide_drawn_whole_is_weighed_by_its_density_of_all_levels(gaussian):
    operator, y = Inpainting(OBSERVED), torch.zeros(2, 1, 2, 3).double()
    model = DiffusionModel(gaussian, operator, (500, 100), Gaussian(0.3), form="marginal")
    guide = make_guide("AutoNormal", model, y)
    cloud = Cloud(model, Measurement(operator, Gaussian(0.3), y), NoiseStreams(None, 2), 0.5, weigh=True)
    (moved,) = _guided(cloud, guide, SMC(7), torch.Generator().manual_seed(3))
    path = draw_path(model, guide, 7, torch.Generator().manual_seed(3))
    assert torch.equal(moved[0], path.z[100]) and moved[1] == 100
    close(moved[2], log_path_density(model, path) - path.log_q)
    assert path.log_q.abs().max() > 1


@pytest.mark.parametrize("name", ["z", "z0", "pull"])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_one_entry_of_one_particle_that_is_not_finite_is_enough(gaussian, name, value):
    operator, y = Inpainting(OBSERVED), torch.zeros(2, 1, 2, 3).double()
    model = DiffusionModel(gaussian, operator, (500, 100), Gaussian(0.3))
    cloud = Cloud(model, Measurement(operator, Gaussian(0.3), y), NoiseStreams(None, 2), 0.5, weigh=False)
    cloud.z, cloud.z0 = torch.zeros(2, 3, 2, 1, 2, 3).double().unbind(0)
    cloud.check(70)
    bad = torch.zeros(3, 2, 1, 2, 3).double()
    bad[1, 0, 0, 1, 2] = value
    setattr(cloud, name, bad)
    with pytest.raises(FloatingPointError, match=r"^a particle is not finite \(time 70\)"):
        cloud.check(70)


def test_predictions_of_a_guide_drawn_whole_are_freed(gaussian):
    """Its paths are weighed by the model, which remembers what it predicted until the run ends."""
    operator = Inpainting(torch.ones(1, 1, 2, 3, dtype=torch.bool))
    y = torch.full((1, 1, 2, 3), 0.2, dtype=torch.float64)
    model = DiffusionModel(gaussian, operator, (600, 300), Gaussian(0.5), form="marginal")
    guide = make_guide("AutoNormal", model, y)
    run_smc(model, guide, Measurement(operator, Gaussian(0.5), y), SMC(4, 5))
    assert not model._memo._known
