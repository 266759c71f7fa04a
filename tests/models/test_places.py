"""What a caller gives a model by hand, on other devices and in other precisions than the prior's."""

import pytest
import torch
from diffusers import DDPMScheduler

from tests.accelerator import FAR, NEAR, Accelerator
from tests.conftest import tiny_unet
from vipaint_pyro.guides import make_guide
from vipaint_pyro.inference import fit
from vipaint_pyro.measurements import Gaussian, Inpainting, Measurement
from vipaint_pyro.models import DiffusionModel
from vipaint_pyro.models.red_diff import REDDiffModel
from vipaint_pyro.priors.diffusion import DiffusionPrior
from vipaint_pyro.samplers.registry import make_sampler


@pytest.fixture
def prior():
    return DiffusionPrior.from_components(tiny_unet(3).double(), DDPMScheduler(clip_sample=False))


@pytest.fixture
def observed():
    return torch.rand(2, 1, 8, 8, generator=torch.Generator().manual_seed(1)) < 0.6


@pytest.fixture
def y(observed):
    """Eighths, which float16 holds exactly."""
    return torch.randint(-8, 9, (2, 3, 8, 8), generator=torch.Generator().manual_seed(2)).double() / 8 * observed


def seeded():
    return torch.Generator().manual_seed(0)


def losses(prior, observed, y):
    model = DiffusionModel(prior, Inpainting(observed), (600, 300), Gaussian(0.1))
    return fit(model, make_guide("hierarchical", model, y), y, num_steps=2, generator=seeded()).losses


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_a_fit_computes_in_the_priors_precision(prior, observed, y, dtype):
    assert losses(prior, observed, y.to(dtype)) == losses(prior, observed, y)


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
def test_so_does_a_sampler(prior, observed, y, dtype):
    def drawn(y):
        sampler = make_sampler("dps", num_steps=2)
        return sampler(prior, Measurement(Inpainting(observed), Gaussian(0.1), y), 1, seeded()).images

    images = drawn(y.to(dtype))
    assert images.dtype == torch.float64 and torch.equal(images, drawn(y))


@pytest.mark.battery
@pytest.mark.parametrize("mask_on, y_on", [(FAR, NEAR), (NEAR, FAR), (FAR, FAR)])
def test_masks_and_measurements_from_another_device(prior, observed, y, mask_on, y_on):
    expected = losses(prior, observed, y)
    with Accelerator():
        found = losses(prior, observed.to(mask_on), y.to(y_on))
    assert found == expected


def test_an_operator_that_is_there_stays_the_same_object(prior, observed):
    operator = Inpainting(observed)
    assert DiffusionModel(prior, operator, (600, 300)).operator is operator


def test_a_mask_of_numbers_is_refused(observed):
    with pytest.raises(TypeError, match="observed is a bool tensor.*float16; write e.g. mask < 0.5"):
        Inpainting(observed.half())


@pytest.mark.parametrize("likelihood", [None, Gaussian(torch.full((2, 1, 1, 1), 0.1))])
def test_the_model_of_red_diff_too(prior, observed, likelihood):
    with Accelerator():
        model = REDDiffModel(prior, Inpainting(observed.to(FAR)), likelihood, num_steps=2)
        assert model.operator.observed.device.type == "cpu"
    scale = torch.as_tensor(model.likelihood.scale)
    assert scale.dtype == torch.float64 or likelihood is None
