"""Other weights are another prior, whatever it is called."""

import torch

from vipaint_pyro.evaluation.fingerprints import fingerprint


def test_a_changed_network_is_a_changed_prior(network_prior):
    before = fingerprint(network_prior)
    assert len(before) == 12 and fingerprint(network_prior) == before
    with torch.no_grad():
        next(iter(network_prior.denoiser.network.parameters())).add_(1e-3)
    assert fingerprint(network_prior) != before
