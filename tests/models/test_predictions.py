"""The memo that guide and model share: found again by the very tensor, kept no longer than the block."""

import pytest
import torch

from vipaint_pyro.measurements.inpainting import Inpainting
from vipaint_pyro.models import DiffusionModel
from vipaint_pyro.models.predictions import Predictions


def test_found_by_the_very_tensor_unchanged_at_its_time():
    memo, z, z0 = Predictions(2), torch.zeros(3), torch.ones(3)
    memo.keep(z, 5, z0)
    assert memo.find(z, 5) is z0
    assert memo.find(z, 4) is None and memo.find(z.clone(), 5) is None
    with torch.no_grad():  # a prediction with a graph is none without, and the other way round
        assert memo.find(z, 5) is None
    z.add_(1)
    assert memo.find(z, 5) is None


def test_only_the_last_few_are_kept():
    memo, z = Predictions(2), [torch.zeros(1) for _ in range(3)]
    for t, v in enumerate(z):
        memo.keep(v, t, v + 1)
    assert memo.find(z[0], 0) is None and memo.find(z[1], 1) is not None and memo.find(z[2], 2) is not None


@pytest.fixture
def model(gaussian):
    return DiffusionModel(gaussian, Inpainting(torch.ones(1, 1, 2, 3).bool()), (500, 100))


def test_a_block_shares_nothing_with_what_is_outside(model):
    z = torch.zeros(1, 1, 2, 3).double()
    outside = model.denoise(z, 500)
    with model.predictions() as memo:
        assert memo.find(z, 500) is None
        inside = model.denoise(z, 500)
        assert inside is not outside and memo.find(z, 500) is inside and model.denoise(z, 500) is inside
    assert model.denoise(z, 500) is outside


def test_a_block_that_fails_leaves_what_was_there(model):
    z = torch.zeros(1, 1, 2, 3).double()
    outside = model.denoise(z, 500)
    with pytest.raises(RuntimeError), model.fitting():
        model.denoise(z, 500)
        raise RuntimeError
    assert model.denoise(z, 500) is outside


def test_a_block_starts_from_what_the_caller_knows(model):
    z, z0 = torch.zeros(1, 1, 2, 3).double(), torch.ones(1, 1, 2, 3).double()
    with model.predictions({500: (z, z0)}):
        assert model.denoise(z, 500) is z0
        assert model.denoise(z, 100) is not z0
