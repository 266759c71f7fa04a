"""TDS with the step of MMPS where p(y) and p(x | y) are known (float64)."""

import pyro.distributions as dist
import pytest
import torch

from tests.exact.brute_force import close
from tests.inference.test_smc import RUNS, A, agrees, filter_of, smc, unbiased
from vipaint_pyro.exact import GaussianMixturePrior, GaussianPrior, exact_posterior
from vipaint_pyro.inference import proposals
from vipaint_pyro.inference.proposals import PosteriorMean
from vipaint_pyro.inference.smc import SMC, run_smc
from vipaint_pyro.measurements.likelihoods import Laplace
from vipaint_pyro.measurements.matrix import Matrix
from vipaint_pyro.measurements.measurement import Measurement
from vipaint_pyro.measurements.moment_matched import MomentMatched
from vipaint_pyro.models import DiffusionModel
from vipaint_pyro.guides import HierarchicalGuide
from vipaint_pyro.priors.codecs import Codec
from vipaint_pyro.priors.denoisers import Denoiser
from vipaint_pyro.priors.diffusion import DiffusionPrior
from vipaint_pyro.priors.schedules import CLEAN, NoiseSchedule

SCALE = 0.4
SCHEDULE = NoiseSchedule.variance_preserving()


def gaussian():
    mean, std = torch.tensor([[[0.3, -0.2]]]).double(), torch.tensor([[[0.8, 0.5]]]).double()
    return GaussianPrior(mean, std, SCHEDULE)


def two_modes():
    means = torch.tensor([[-1.0, 0.5], [1.0, -0.3]]).double().reshape(2, 1, 1, 2)
    return GaussianMixturePrior(torch.tensor([0.3, 0.7]).double(), means, torch.full((2, 1, 1, 2), 0.3).double(), SCHEDULE)


class Alone(Denoiser):
    """A prior's prediction, which says nothing else of what it knows."""

    device, dtype = torch.device("cpu"), torch.float64

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


@pytest.mark.parametrize("prior", [gaussian, two_modes], ids=["gaussian", "two modes"])
@pytest.mark.parametrize("num", [2, 8])
def test_small_clouds_are_unbiased(prior, num):
    torch.manual_seed(0)
    model, guide, y = filter_of(prior(), MomentMatched(SCALE))
    drawn = smc(model, guide, y, num, num_steps=12, proposal=PosteriorMean(), generator=torch.Generator().manual_seed(1))
    assert agrees(drawn, exact_posterior(model.prior, A[None], SCALE, y[:1]))
