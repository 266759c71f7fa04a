"""A prior whose answers are exact, and the range of its own kind."""

import pytest
import torch

from vipaint_pyro.exact import GaussianPrior
from vipaint_pyro.kind.measuring import measured_range


@pytest.fixture
def pixels(schedule) -> GaussianPrior:
    """Over 1x8x8 images, dark above and bright below, float64."""
    mean = torch.linspace(-0.5, 0.5, 8, dtype=torch.float64)[:, None].expand(1, 8, 8).contiguous()
    return GaussianPrior(mean, torch.full_like(mean, 0.1), schedule)


def drawn(prior, number, seed):
    noise = torch.randn(number, *prior.image_shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return torch.linspace(-0.5, 0.5, 8, dtype=torch.float64)[:, None] + 0.1 * noise


@pytest.fixture
def known(pixels):
    return measured_range(pixels, drawn(pixels, 300, 0), {"of": "draws"})
