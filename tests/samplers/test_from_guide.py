"""A fitted guide is drawn from again only for what it was fitted to."""

import pytest
import torch

from vipaint_pyro.guides import HierarchicalGuide
from vipaint_pyro.measurements.inpainting import Inpainting
from vipaint_pyro.measurements.measurement import Measurement
from vipaint_pyro.models import DiffusionModel
from vipaint_pyro.samplers import VIPaintSampler


def measured(observed):
    return Measurement.of(Inpainting(observed), torch.zeros(len(observed), 1, 2, 3).double())


def test_another_mask_other_times_or_another_number_of_images_are_refused(gaussian):
    observed = torch.tensor([[True, True, False], [False, True, False]]).reshape(1, 1, 2, 3)
    model = DiffusionModel(gaussian, Inpainting(observed), (500, 100))
    guide = HierarchicalGuide(model, torch.zeros(1, 1, 2, 3).double())
    sampler = VIPaintSampler((500, 100), refinement_steps=5)
    assert sampler.from_guide(guide).settle(gaussian, measured(observed)).guide is guide
    with pytest.raises(ValueError, match="fitted to another mask or measurement"):
        sampler.from_guide(guide).settle(gaussian, measured(~observed))
    with pytest.raises(ValueError, match=r"1 image at timesteps \(500, 100\), but here are 1 at \(400, 100\)"):
        VIPaintSampler((400, 100), refinement_steps=5).from_guide(guide).settle(gaussian, measured(observed))
    with pytest.raises(ValueError, match=r"but here are 2 at \(500, 100\)"):
        sampler.from_guide(guide).settle(gaussian, measured(observed.expand(2, 1, 2, 3)))
    with pytest.raises(TypeError, match="guide is a fitted guide, not 'mixture'"):
        sampler.from_guide("mixture").settle(gaussian, measured(observed))
