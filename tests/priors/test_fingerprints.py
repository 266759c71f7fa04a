"""Other weights are another prior, whatever it is called."""

import pytest
import torch
from torch import nn

from vipaint_pyro.exact import GaussianMixturePrior, GaussianPrior
from vipaint_pyro.networks.class_embedder import ClassEmbedder
from vipaint_pyro.priors.conditioning import Conditioning
from vipaint_pyro.priors.fingerprints import fingerprint
from vipaint_pyro.priors.schedules import NoiseSchedule


def changed(network: nn.Module) -> None:
    with torch.no_grad():
        next(iter(network.parameters())).add_(1e-3)


def test_a_changed_network_is_a_changed_prior(network_prior):
    before = fingerprint(network_prior)
    assert len(before) == 12 and fingerprint(network_prior) == before
    changed(network_prior.denoiser.network)
    assert fingerprint(network_prior) != before


def test_a_changed_class_embedder_is_a_changed_prior(network_prior):
    network_prior.conditioning = Conditioning(3, class_embedder=ClassEmbedder(3, 4))
    before = fingerprint(network_prior)
    changed(network_prior.conditioning.class_embedder)
    assert fingerprint(network_prior) != before


@pytest.mark.parametrize("embedder", [None, lambda labels: labels])
def test_an_embedder_without_weights_changes_nothing(network_prior, embedder):
    before = fingerprint(network_prior)
    network_prior.conditioning = Conditioning(3, class_embedder=embedder)
    assert fingerprint(network_prior) == before


def test_a_changed_text_encoder_is_a_changed_prior(network_prior):
    encoder = nn.Linear(2, 2)
    before = fingerprint(network_prior, None, encoder)
    assert before != fingerprint(network_prior) == fingerprint(network_prior, None)
    changed(encoder)
    assert fingerprint(network_prior, None, encoder) != before


def test_an_exact_prior_is_its_numbers_and_its_schedule(gaussian, schedule):
    mean, std = gaussian.mean, gaussian.std
    signs = torch.tensor([1, 1, 1, -1, -1, -1]).double()  # other directions, the same eigenvalues
    others = [
        GaussianPrior(mean + 1e-3, std, schedule),
        GaussianPrior(mean, 1.01 * std, schedule),
        GaussianPrior(mean, std, NoiseSchedule.variance_preserving()),
        GaussianMixturePrior([0.4, 0.6], torch.stack([mean, mean]), schedule, variances=std**2),
        GaussianMixturePrior([0.6, 0.4], torch.stack([mean, mean]), schedule, variances=std**2),
        GaussianPrior(mean, None, schedule, covariance=torch.eye(6).double() + 0.1),
        GaussianPrior(mean, None, schedule, covariance=torch.eye(6).double() + 0.2),
        GaussianPrior(mean, None, schedule, covariance=(torch.eye(6).double() + 0.2) * torch.outer(signs, signs)),
    ]
    names = [fingerprint(prior) for prior in (gaussian, *others)]
    assert len(set(names)) == len(names) and fingerprint(GaussianPrior(mean, std, schedule)) == names[0]
