"""How far known pixels decide latents, against a decoder whose reach is known."""

import pytest
import torch

from tests.priors.pretrained.tiny import latent_kl
from vipaint_pyro.priors.codecs import Codec
from vipaint_pyro.priors.diffusion import DiffusionPrior
from vipaint_pyro.priors.seen_share import seen_share

OBSERVED = torch.tensor([True, True, True, False, False, False, False, True]).reshape(1, 1, 1, 8)


class Blur(Codec):
    """Two channels of latents on a ring, each seen by its neighbours too: by 1, 2, 1 and by 0, 3, 0."""

    factor, channels = 1, 1

    def decode(self, z):
        wide, narrow = z.unbind(-3)
        return (wide.roll(1, -1) + 2 * wide + wide.roll(-1, -1) + 3 * narrow)[..., None, :, :]

    def encode(self, x):
        return torch.cat([x, x], -3)


@pytest.fixture
def blurred(schedule, gaussian):
    prior = DiffusionPrior(schedule, gaussian.denoiser, (2, 1, 8))
    prior.codec = Blur()
    return prior


def test_it_is_the_seen_share_of_what_a_latent_changes(blurred):
    found = seen_share(blurred, OBSERVED, torch.zeros(1, 2, 1, 8).double(), probes=4000)
    seen = OBSERVED.double()
    exact = (seen.roll(1, -1) + 4 * seen + seen.roll(-1, -1) + 9 * seen) / 15
    torch.testing.assert_close(found, exact, rtol=0, atol=0.02)
    assert found[..., 5] == 0 and found[..., 0] == 1  # no neighbour is seen, or every one


def test_an_image_has_its_own_and_always_the_same(tmp_path):
    latent_kl().save_pretrained(tmp_path)
    prior = DiffusionPrior.from_pretrained(tmp_path)
    z = torch.randn(2, *prior.latent_shape, generator=torch.Generator().manual_seed(0), dtype=prior.dtype)
    observed = torch.rand(2, 1, *prior.image_shape[1:], generator=torch.Generator().manual_seed(1)) < 0.5
    both = seen_share(prior, observed, z)
    for i in range(2):
        torch.testing.assert_close(seen_share(prior, observed[i : i + 1], z[i : i + 1])[0], both[i])
    assert both.shape == (2, 1, *prior.latent_shape[1:]) and ((both > 0) & (both < 1)).any()


def test_of_a_pixel_prior_it_is_the_mask(gaussian):
    observed = torch.tensor([[True, False, True], [False, False, True]]).reshape(1, 1, 2, 3)
    found = seen_share(gaussian, observed, torch.zeros(1, 1, 2, 3).double())
    torch.testing.assert_close(found, observed.double())
