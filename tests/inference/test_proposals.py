"""TDS with the step of MMPS where p(y) and p(x | y) are known (float64)."""

import pyro.distributions as dist
import pytest
import torch

from tests.clipped import clipped_at
from tests.exact.brute_force import SCHEDULES, close
from tests.inference.test_smc import RUNS, SCALE, A, Prior, agrees, filter_of, plane, smc
from vipaint_pyro import LinearMap
from vipaint_pyro.exact import GaussianMixturePrior, GaussianPrior, exact_posterior
from vipaint_pyro.guides import HierarchicalGuide
from vipaint_pyro.inference.particles import Cloud
from vipaint_pyro.inference.proposals import PosteriorMean
from vipaint_pyro.inference.smc import SMC, _guided, _twisted, run_smc
from vipaint_pyro.measurements.likelihoods import Laplace
from vipaint_pyro.measurements.matrix import Matrix
from vipaint_pyro.measurements.measurement import Measurement
from vipaint_pyro.measurements.moment_matched import MomentMatched
from vipaint_pyro.models import DiffusionModel
from vipaint_pyro.priors.codecs import Codec, IdentityCodec
from vipaint_pyro.priors.denoisers import Denoiser
from vipaint_pyro.priors.diffusion import DiffusionPrior
from vipaint_pyro.priors.prediction import Prediction
from vipaint_pyro.priors.schedules import CLEAN
from vipaint_pyro.randomness import NoiseStreams


def moments():
    return torch.tensor([[[0.3, -0.2]]]).double(), torch.tensor([[[0.8, 0.5]]]).double()


def gaussian():
    return GaussianPrior(*moments(), SCHEDULES["vp"])


class Alone(Denoiser):
    """A prior's prediction, which says nothing else of what it knows."""

    device, dtype, network = torch.device("cpu"), torch.float64, None

    def __init__(self, prior):
        self.prior = prior

    def __call__(self, z, t, condition=None):
        return self.prior.denoise(z, t)


class Halves(Codec):
    """x = 2 z + .1: a linear decoder."""

    def encode(self, x):
        return (x - 0.1) / 2

    def decode(self, z):
        return 2 * z + 0.1


@pytest.mark.parametrize("prior", [gaussian, lambda: plane(SCHEDULES["vp"])], ids=["gaussian", "mixture"])
def test_small_clouds_are_unbiased(prior):
    torch.manual_seed(0)
    model, guide, y = filter_of(prior(), MomentMatched(SCALE))
    drawn = smc(model, guide, y, 8, num_steps=4, proposal=PosteriorMean(), generator=torch.Generator().manual_seed(1))
    assert agrees(drawn, exact_posterior(model.prior, model.operator, y, SCALE))


def law(prior, t, z):
    """E[x | z_t] and the variances of x given z_t, whose entries are independent, by Gaussian conditioning."""
    alpha, sigma = (float(f(t)) for f in (prior.schedule.alpha, prior.schedule.sigma))
    gain = alpha * prior.std**2 / (alpha**2 * prior.std**2 + sigma**2)
    return prior.mean + gain * (z - alpha * prior.mean), prior.std**2 * (1 - alpha * gain)


def twist(prior, t, z, y):
    """log p(y | z_t) of y = A x + noise."""
    mean, variance = law(prior, t, z)
    a = A.flatten()
    spread = (a**2 * variance).sum() + SCALE**2
    return dist.Normal((a * mean).sum(-1, keepdim=True), spread.sqrt()).log_prob(y).sum((-3, -2, -1))


def unresampled(prior=None, runs=3):
    """A model of a Gaussian prior, its guide and a cloud that keeps all particles."""
    model, guide, y = filter_of(prior or gaussian(), MomentMatched(SCALE), runs=runs)
    seen = Measurement(model.operator, MomentMatched(SCALE), y)
    return guide, Cloud(model, seen, NoiseStreams(torch.Generator().manual_seed(2), runs), 0, True, PosteriorMean())


@torch.no_grad()
def test_the_weight_of_a_step_by_hand():
    _, cloud = unresampled()
    prior, y, eta = cloud.model.prior, cloud.measurement.y, cloud.model.eta
    t, s = (prior.schedule.time_of_ratio(r) for r in (0.8, 0.4))
    z_t = torch.randn(4, 3, 1, 1, 2, generator=torch.Generator().manual_seed(3)).double()
    cloud.move(z_t, t, 0.0, twist=True)
    z_s, _, increment = _twisted(cloud, t, s)
    (mean, variance), a = law(prior, t, z_t), A.flatten()
    spread = (a**2 * variance).sum() + SCALE**2
    given = mean + variance * a * (y - (a * mean).sum(-1, keepdim=True)) / spread  # E[x | z_t, y]
    (plain, std), (guided, _) = (prior.reverse(z_t, t, s, eta, v) for v in (mean, given))
    expected = dist.Normal(plain, std).log_prob(z_s).sum((-3, -2, -1))
    expected = expected - dist.Normal(guided, std).log_prob(z_s).sum((-3, -2, -1))
    close(increment, expected)
    # The whole weight: what was multiplied in at z_t is divided out.
    cloud.move(z_s, s, increment, twist=True)
    close(cloud.log_weights, expected + twist(prior, s, z_s, y))


@torch.no_grad()
def test_a_networks_last_step_is_to_the_mean_given_y_and_has_no_weight_of_its_own():
    _, cloud = unresampled(GaussianPrior(*moments(), SCHEDULES["vp"], kernel="gaussian"))
    prior, y = cloud.model.prior, cloud.measurement.y
    t = prior.schedule.time_of_ratio(0.8)
    z_t = torch.randn(4, 3, 1, 1, 2, generator=torch.Generator().manual_seed(3)).double()
    cloud.move(z_t, t, 0.0, twist=True)
    x, s, increment = _twisted(cloud, t, CLEAN)
    (mean, variance), a = law(prior, t, z_t), A.flatten()
    spread = (a**2 * variance).sum() + SCALE**2
    assert s == CLEAN and increment is None
    close(x, mean + variance * a * (y - (a * mean).sum(-1, keepdim=True)) / spread)
    cloud.move(x, s, increment, twist=False)
    close(cloud.log_weights, twist(prior, t, z_t, y))


@torch.no_grad()
def test_the_first_weights_by_hand():
    guide, cloud = unresampled()
    prior, y, (top, below, _) = cloud.model.prior, cloud.measurement.y, cloud.model.timesteps
    moves = _guided(cloud, guide, SMC(4), None)
    z, t, increment = next(moves)
    cloud.move(z, t, increment, twist=False)
    q = guide.top()
    alpha, sigma = (float(f(top)) for f in (prior.schedule.alpha, prior.schedule.sigma))
    p = dist.Normal(alpha * prior.mean, (alpha**2 * prior.std**2 + sigma**2).sqrt())
    first = p.log_prob(z).sum((-3, -2, -1)) - q.log_prob(z)
    assert t == top
    close(cloud.log_weights, first + twist(prior, top, z, y))
    z_s, s, increment = next(moves)
    cloud.move(z_s, s, increment, twist=False)
    step = dist.Normal(*prior.reverse(z, top, below, 1.0, law(prior, top, z)[0])).log_prob(z_s).sum((-3, -2, -1))
    assert s == below
    close(cloud.log_weights, first + step - guide.kernel(z, top, s).log_prob(z_s) + twist(prior, s, z_s, y))


def test_a_step_is_clipped_where_the_prior_clips():
    model, _, _ = filter_of(clipped_at(0.2, gaussian()), MomentMatched(SCALE))
    prior, z = model.prior, torch.tensor([-0.5, 2.0]).double().reshape(1, 1, 1, 1, 2)
    t, s = (prior.schedule.time_of_ratio(r) for r in (0.8, 0.4))
    z0, towards = prior.denoise(z, t), torch.tensor([0.05, -0.9]).double()
    assert z0.abs().max() == 0.2
    mean, std = PosteriorMean().moments(model, Prediction(prior, z, t, z0), towards, s)
    expected, same = prior.reverse(z, t, s, model.eta, (z0 + towards).clamp(-0.2, 0.2))
    close(mean, expected)
    close(std, same)


@pytest.mark.parametrize("weigh", [False, True])
def test_modes_have_their_weights(weigh):
    """The step alone keeps the shares of a guide that has not seen y: half of each, where .94 is right."""
    means = torch.tensor([[1.5, -1.0], [-1.5, 1.0]]).double()
    prior = GaussianMixturePrior(torch.tensor([0.5, 0.5]).double(), means, SCHEDULES["vp"], variances=0.1)
    model, _, y = filter_of(prior, MomentMatched(SCALE), runs=4, value=0.4, ratios=(3.0, 1.0, 0.3))
    generator = torch.Generator().manual_seed(5)
    particles = smc(model, Prior(model), y, 1000, num_steps=12, proposal=PosteriorMean(), weigh=weigh,
                    generator=generator)  # fmt: skip
    posterior = exact_posterior(prior, model.operator, y, SCALE)
    shares = posterior.log_responsibilities(particles.images).exp().mean(0)[:, 0]
    right = posterior.weights[0, 0]
    assert right > 0.8
    # Four runs of 1000 weighed particles; 150 of each count at least.
    error = (right * (1 - right) / 600) ** 0.5
    assert (shares.mean() - right).abs() < 3 * error if weigh else shares.mean() < right - 0.1


def test_through_a_linear_decoder_it_is_the_composed_operator():
    exact, y = gaussian(), torch.full((5, 1, 1, 1), 0.3).double()
    results = []
    for codec, factor, shift in ((Halves(), 1, 0.0), (IdentityCodec(), 2, 0.1)):
        prior = DiffusionPrior(exact.schedule, Alone(exact), (1, 1, 2), codec)
        operator = LinearMap(lambda x, f=factor: f * (x * A.flatten()).sum(-1, keepdim=True), (1, 1, 2), 5)
        seen = y - shift * A.sum()
        times = tuple(exact.schedule.time_of_ratio(r) for r in (3.0, 0.8))
        model = DiffusionModel(prior, operator, times, MomentMatched(SCALE), form="marginal")
        guide = HierarchicalGuide(model, seen, gamma=0.9, std_scale=1.2)
        with torch.no_grad():
            for name, value in guide.named_parameters():
                if name.startswith("mu_"):
                    value.zero_()
        settings = SMC(4, 5, proposal=PosteriorMean())
        generator = torch.Generator().manual_seed(0)
        results.append(run_smc(model, guide, Measurement(operator, MomentMatched(SCALE), seen), settings,
                               generator=generator))  # fmt: skip
    latent, plain = results
    close(latent.images, 2 * plain.images + 0.1, 0, 1e-9)
    close(latent.log_evidence, plain.log_evidence, 0, 1e-9)


def test_through_a_linear_decoder_it_is_unbiased():
    prior = gaussian()
    prior.codec = Halves()
    assert prior.is_latent
    operator = Matrix(A.expand(RUNS, 1, 2))
    y = torch.full((RUNS, 1, 1, 1), 0.3).double()
    times = tuple(prior.schedule.time_of_ratio(r) for r in (3.0, 1.5, 0.8))
    model = DiffusionModel(prior, operator, times, MomentMatched(SCALE), form="marginal")
    guide = HierarchicalGuide(model, y, gamma=0.9, std_scale=1.2)
    drawn = smc(model, guide, y, 8, num_steps=4, proposal=PosteriorMean(), generator=torch.Generator().manual_seed(1))
    # y = A (2 z + .1) + noise
    posterior = exact_posterior(gaussian(), Matrix(2 * A.expand(RUNS, 1, 2)), y - 0.1 * A.sum(), SCALE)
    drawn.images = (drawn.images - 0.1) / 2
    assert agrees(drawn, posterior)


def test_other_noise_is_refused():
    model, guide, y = filter_of(gaussian(), Laplace(SCALE), runs=2)
    with pytest.raises(ValueError, match="is for Gaussian noise above 0"):
        smc(model, guide, y, 4, num_steps=3, proposal=PosteriorMean())
    exactly = Measurement.of(model.operator, y)
    assert exactly.likelihood.sigma == 0
    with pytest.raises(ValueError, match="is for Gaussian noise above 0"):
        run_smc(model, guide, exactly, SMC(4, 3, proposal=PosteriorMean()))
    with pytest.raises(ValueError, match="iterations is a whole number of at least 1, but is 0"):
        PosteriorMean(0)
    with pytest.raises(TypeError, match="proposal is a Proposal"):
        SMC(4, proposal="mmps")
