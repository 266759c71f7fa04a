"""What the tests of wrong measurements share."""

import pyro.distributions as dist
import pytest
import torch

from vipaint_pyro.measurements.inpainting import Inpainting
from vipaint_pyro.measurements.linear_map import LinearMap

SHAPE = (3, 4, 6)
f64 = dict(dtype=torch.float64)


def random(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), **f64) * 1.6 - 0.8


def seen(*shape):
    return Inpainting(torch.ones(shape, dtype=torch.bool))


def refused(make, error=ValueError):
    with pytest.raises(error) as caught:
        make()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def identity(shape=SHAPE):
    return LinearMap(lambda x: x, shape)


def noise(loc):
    return dist.Normal(loc, 0.1)
