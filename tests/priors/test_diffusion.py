"""The prior's walk from one time to another, and the shape of its images."""

import pytest

from tests.priors.pretrained.tiny import latent_kl
from vipaint_pyro import DiffusionPrior


@pytest.mark.parametrize(
    "start, stop, num_steps, times",
    [
        (10, 0, 5, [10, 8, 6, 4, 2, 0]),
        (10, -1, 3, [10, 6, 3, -1]),  # 6 1/3 and 2 2/3 to the nearest
        (3, 0, 50, [3, 2, 1, 0]),  # no more than there are
        (0, -1, 1, [0, -1]),
        (5, 5, 3, [5]),
    ],
)
def test_times_fall_evenly_and_each_once(gaussian, start, stop, num_steps, times):
    assert gaussian.times(start, stop, num_steps) == times


def test_images_are_what_the_autoencoder_decodes(gaussian):
    assert gaussian.image_shape == gaussian.latent_shape == (1, 2, 3)
    pipe = latent_kl()
    latent = DiffusionPrior.from_components(pipe.unet, pipe.scheduler, vqvae=pipe.vqvae)
    c, h, w = latent.latent_shape
    assert latent.image_shape == (3, 2 * h, 2 * w) and c != 3
