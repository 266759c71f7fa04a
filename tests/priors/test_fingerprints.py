"""Other weights are another prior, whatever it is called."""

import pytest
import torch
from torch import nn

from vipaint_pyro.networks.class_embedder import ClassEmbedder
from vipaint_pyro.priors.conditioning import Conditioning
from vipaint_pyro.priors.fingerprints import fingerprint


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
