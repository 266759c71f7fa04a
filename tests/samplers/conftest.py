"""What the tests of several samplers share."""

import pytest

from tests.samplers.linear_codec import LinearCodec


@pytest.fixture
def latent(gaussian):
    """A Gaussian prior of latents whose codec is linear."""
    gaussian.codec = LinearCodec()
    return gaussian
