"""Denoiser calls: each z counts once, whatever its batch axes."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
import torch

from vipaint_pyro.exact.likelihood import ExactGaussian
from vipaint_pyro.guides import HierarchicalGuide
from vipaint_pyro.inference.weights import draw_path, log_importance_weights
from vipaint_pyro.measurements.inpainting import Inpainting
from vipaint_pyro.measurements.likelihoods import Gaussian
from vipaint_pyro.measurements.moment_matched import MomentMatched
from vipaint_pyro.models import DiffusionModel
from vipaint_pyro.priors.counting import count_calls
from vipaint_pyro.priors.diffusion import DiffusionPrior
from vipaint_pyro.priors.prediction import Prediction
from vipaint_pyro.priors.schedules import CLEAN


def test_counts_every_z(gaussian):
    z = torch.zeros(5, 3, 1, 2, 3, dtype=torch.float64)
    counted, calls = count_calls(gaussian)
    assert calls.total == 0 and type(counted) is type(gaussian)
    inside = counted.denoise(z, 400)
    assert calls.total == 15
    counted.denoise(z[0], torch.tensor([3, 4, 5]))
    assert calls.total == 18
    counted.reverse(z[0], 400, 200)
    assert calls.total == 21
    # The exact kernel and the exact likelihood ask for nothing that is not counted already.
    counted.transition(z, 400, 200).log_prob(z)
    counted.marginal(400).log_prob(z)
    counted.reverse(z, 400, 200, 1.0, inside)
    assert calls.total == 21
    # The prior itself is as it was, and not counted.
    assert torch.equal(gaussian.denoise(z, 400), inside) and calls.total == 21
    assert gaussian.calls is None


def test_a_count_of_a_counted_prior_adds_to_both(gaussian):
    z = torch.zeros(1, 1, 2, 3, dtype=torch.float64)
    counted, outer = count_calls(gaussian)
    counted.denoise(z, 5)
    again, inner = count_calls(counted)
    again.denoise(z.requires_grad_(), 5).sum().backward()
    counted.denoise(z, 5)
    assert (outer.total, inner.total) == (3, 1) and (outer.backward, inner.backward) == (1, 1)


@pytest.mark.parametrize("checkpointing", [False, True])
def test_counts_the_calls_that_a_gradient_went_back_through(network_prior, checkpointing):
    z = torch.randn(3, 2, 1, 8, 8, dtype=torch.float64).requires_grad_()
    prior, calls = count_calls(network_prior.conditioned([1, 2]).checkpointed(checkpointing))
    used, unused = prior.denoise(z, 300), prior.denoise(z[0], 300)
    assert (calls.total, calls.backward) == (8, 0)
    used.sum().backward()
    assert (calls.total, calls.backward) == (8, 6)
    with torch.no_grad():
        prior.denoise(z, 300)
    assert (calls.total, calls.backward) == (14, 6)
    unused.sum().backward()
    assert (calls.total, calls.backward) == (14, 8)


def test_two_threads_count_their_own_calls_of_one_prior(gaussian):
    before, gate = dict(vars(gaussian)), Barrier(2)

    def work(size):
        counted, calls = count_calls(gaussian)
        z = torch.zeros(size, 1, 2, 3, dtype=torch.float64)
        for _ in range(20):  # in step with the other, so that each call lies between two of its
            gate.wait(60)
            counted.denoise(z.requires_grad_(), 400).sum().backward()
        return calls.total, calls.backward

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(work, (1, 3))) == [(20, 20), (60, 60)]
    assert vars(gaussian) == before and gaussian.calls is None


def test_a_labelled_copy_counts_and_keeps_its_labels(network_prior):
    # A prior is often conditioned after the count was begun.
    z = torch.randn(2, 1, 8, 8, dtype=torch.float64)
    expected = network_prior.conditioned([1, 2]).denoise(z, 300)
    plain = network_prior.denoise(z, 300)
    counted, calls = count_calls(network_prior)
    labelled = counted.conditioned([1, 2])
    torch.testing.assert_close(labelled.denoise(z, 300), expected)
    assert calls.total == 2
    torch.testing.assert_close(network_prior.denoise(z, 300), plain)
    assert (expected - plain).abs().max() > 1e-6


def test_the_price_of_a_likelihood(gaussian):
    operator, z = Inpainting(torch.ones(2, 1, 2, 3, dtype=torch.bool)), torch.zeros(4, 2, 1, 2, 3).double()
    network = DiffusionPrior(gaussian.schedule, gaussian.denoiser, gaussian.latent_shape)
    matched, (network, calls) = MomentMatched(0.1), count_calls(network)
    matched.at(operator, Prediction(network, z, 300, z))  # without a graph at hand it makes one
    assert (calls.total, calls.backward) == (8, 8)
    graph = z.clone().requires_grad_()
    matched.at(operator, Prediction(network, graph, 300, network.denoise(graph, 300)))
    assert (calls.total, calls.backward) == (16, 16)
    matched.at(operator, Prediction(network, z, CLEAN, z))
    assert (calls.total, calls.backward) == (16, 16)


@pytest.mark.parametrize("likelihood", [Gaussian(0.3), ExactGaussian(0.3)])
@pytest.mark.parametrize("timesteps", [(700, 400, 100), (700,)])
def test_weights_ask_once_per_level(gaussian, timesteps, likelihood):
    prior, calls = count_calls(gaussian)
    model = DiffusionModel(prior, Inpainting(torch.ones(2, 1, 2, 3, dtype=torch.bool)), timesteps, likelihood)
    y = torch.zeros(2, 1, 2, 3, dtype=torch.float64)
    guide = HierarchicalGuide(model, y)
    path = draw_path(model, guide, 5)
    log_importance_weights(model, path, y)
    assert calls.total == 5 * 2 * len(timesteps)
