"""Denoiser calls: each z counts once, whatever its batch axes."""

import pytest
import torch

from vipaint_pyro.exact.likelihood import ExactGaussian
from vipaint_pyro.guides import HierarchicalGuide
from vipaint_pyro.inference.weights import draw_path, log_importance_weights
from vipaint_pyro.measurements.inpainting import Inpainting
from vipaint_pyro.measurements.likelihoods import Gaussian
from vipaint_pyro.models import DiffusionModel
from vipaint_pyro.priors.counting import count_calls
from vipaint_pyro.priors.diffusion import DiffusionPrior
from vipaint_pyro.priors.schedules import CLEAN


def test_counts_every_z(gaussian):
    z = torch.zeros(5, 3, 1, 2, 3, dtype=torch.float64)
    kind = type(gaussian)
    with count_calls(gaussian) as calls:
        assert calls.total == 0 and isinstance(gaussian, kind) and type(gaussian).__name__ == kind.__name__
        inside = gaussian.denoise(z, 400)
        assert calls.total == 15
        gaussian.denoise(z[0], torch.tensor([3, 4, 5]))
        assert calls.total == 18
        gaussian.reverse(z[0], 400, 200)
        assert calls.total == 21
        # The exact kernel and the exact likelihood ask for nothing that is not counted already.
        gaussian.transition(z, 400, 200).log_prob(z)
        gaussian.marginal(400).log_prob(z)
        gaussian.reverse(z, 400, 200, 1.0, inside)
        assert calls.total == 21
    assert type(gaussian) is kind and "denoise" not in vars(gaussian)
    assert torch.equal(gaussian.denoise(z, 400), inside) and calls.total == 21


def test_blocks_nest(gaussian):
    z, kind = torch.zeros(1, 1, 2, 3, dtype=torch.float64), type(gaussian)
    with count_calls(gaussian) as outer:
        gaussian.denoise(z, 5)
        with count_calls(gaussian) as inner:
            gaussian.denoise(z, 5)
        gaussian.denoise(z, 5)
    assert (outer.total, inner.total) == (3, 1) and type(gaussian) is kind


def test_restores_after_an_error(gaussian):
    kind = type(gaussian)
    with pytest.raises(RuntimeError, match="stop"), count_calls(gaussian):
        raise RuntimeError("stop")
    assert type(gaussian) is kind


def test_a_labelled_copy_counts_and_keeps_its_labels(network_prior):
    # A prior is often conditioned after the block was opened.
    z = torch.randn(2, 1, 8, 8, dtype=torch.float64)
    expected = network_prior.conditioned([1, 2]).denoise(z, 300)
    plain = network_prior.denoise(z, 300)
    with count_calls(network_prior) as calls:
        labelled = network_prior.conditioned([1, 2])
        torch.testing.assert_close(labelled.denoise(z, 300), expected)
        assert calls.total == 2
    torch.testing.assert_close(labelled.denoise(z, 300), expected)
    torch.testing.assert_close(network_prior.denoise(z, 300), plain)
    assert (expected - plain).abs().max() > 1e-6


def test_the_price_of_a_likelihood(gaussian):
    operator, z = Inpainting(torch.ones(2, 1, 2, 3, dtype=torch.bool)), torch.zeros(4, 2, 1, 2, 3).double()
    network = DiffusionPrior(gaussian.schedule, gaussian.denoiser, gaussian.latent_shape)
    with count_calls(network) as calls:
        network.measured(operator, 0.1, z, 300)
        assert calls.total == 8
        graph = z.clone().requires_grad_()
        z0 = network.denoise(graph, 300)
        network.measured(operator, 0.1, graph, 300, z0)
        assert calls.total == 16
        network.measured(operator, 0.1, z, CLEAN)
        assert calls.total == 16


@pytest.mark.parametrize("likelihood", [Gaussian(0.3), ExactGaussian(0.3)])
@pytest.mark.parametrize("timesteps", [(700, 400, 100), (700,)])
def test_weights_ask_once_per_level(gaussian, timesteps, likelihood):
    model = DiffusionModel(gaussian, Inpainting(torch.ones(2, 1, 2, 3, dtype=torch.bool)), timesteps, likelihood)
    y = torch.zeros(2, 1, 2, 3, dtype=torch.float64)
    guide = HierarchicalGuide(model, y)
    with count_calls(gaussian) as calls:
        path = draw_path(model, guide, 5)
        log_importance_weights(model, path, y)
    assert calls.total == 5 * 2 * len(timesteps)
