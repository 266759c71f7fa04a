"""TDS with the step of MMPS where p(y) and p(x | y) are known (float64)."""

import pyro.distributions as dist
import pytest
import torch

from tests.exact.brute_force import SCHEDULES, close
from tests.inference.test_smc import SCALE, A, agrees, filter_of, plane, smc
from vipaint_pyro import LinearMap
from vipaint_pyro.exact import GaussianPrior, exact_posterior
from vipaint_pyro.guides import HierarchicalGuide
from vipaint_pyro.inference.particles import Cloud
from vipaint_pyro.inference.proposals import PosteriorMean
from vipaint_pyro.inference.smc import SMC, _twisted, run_smc
from vipaint_pyro.measurements.likelihoods import Laplace
from vipaint_pyro.measurements.measurement import Measurement
from vipaint_pyro.measurements.moment_matched import MomentMatched
from vipaint_pyro.models import DiffusionModel
from vipaint_pyro.priors.codecs import Codec, IdentityCodec
from vipaint_pyro.priors.denoisers import Denoiser
from vipaint_pyro.priors.diffusion import DiffusionPrior
from vipaint_pyro.randomness import NoiseStreams


def gaussian():
    mean, std = torch.tensor([[[0.3, -0.2]]]).double(), torch.tensor([[[0.8, 0.5]]]).double()
    return GaussianPrior(mean, std, SCHEDULES["vp"])


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


def test_the_weight_of_a_step_by_hand():
    model, _, y = filter_of(gaussian(), MomentMatched(SCALE), runs=3)
    prior, seen = model.prior, Measurement(model.operator, MomentMatched(SCALE), y)
    cloud = Cloud(model, seen, NoiseStreams(torch.Generator().manual_seed(2), 3), 0.5, True, PosteriorMean())
    t, s = (prior.schedule.time_of_ratio(r) for r in (0.8, 0.4))
    z_t = torch.randn(4, 3, 1, 1, 2, generator=torch.Generator().manual_seed(3)).double()
    with torch.no_grad():
        cloud.move(z_t, t, 0.0, twist=True)
        z_t, z0 = cloud.z, cloud.z0  # resampled, perhaps
        z_s, _, increment = _twisted(cloud, t, s)
    alpha, sigma = (float(f(t)) for f in (prior.schedule.alpha, prior.schedule.sigma))
    variance = prior.std**2 * sigma**2 / (alpha**2 * prior.std**2 + sigma**2)  # Cov[x | z_t], independent entries
    a = A.flatten()
    spread = (a**2 * variance).sum() + SCALE**2
    given = z0 + variance * a * (y - (a * z0).sum(-1, keepdim=True)) / spread
    (plain, std), (guided, _) = (prior.reverse(z_t, t, s, model.eta, v) for v in (z0, given))
    expected = dist.Normal(plain, std).log_prob(z_s).sum((-3, -2, -1))
    expected = expected - dist.Normal(guided, std).log_prob(z_s).sum((-3, -2, -1))
    close(increment, expected)


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


def test_other_noise_is_refused():
    model, guide, y = filter_of(gaussian(), Laplace(SCALE), runs=2)
    with pytest.raises(ValueError, match="is for Gaussian noise above 0"):
        smc(model, guide, y, 4, num_steps=3, proposal=PosteriorMean())
    with pytest.raises(TypeError, match="proposal is a Proposal"):
        SMC(4, proposal="mmps")
