"""A fitted guide is drawn from again only for what it was fitted to."""

import functools
from copy import deepcopy

import pytest
import torch
from diffusers import DDPMScheduler

from tests.conftest import tiny_unet
from vipaint_pyro import VIPaintPipeline
from vipaint_pyro.exact import GaussianPrior
from vipaint_pyro.guides import HierarchicalGuide
from vipaint_pyro.inference import fit
from vipaint_pyro.measurements.inpainting import Inpainting
from vipaint_pyro.measurements.likelihoods import Noiseless
from vipaint_pyro.measurements.measurement import Measurement
from vipaint_pyro.models import DiffusionModel
from vipaint_pyro.priors.denoisers import EpsilonDenoiser
from vipaint_pyro.priors.diffusion import DiffusionPrior
from vipaint_pyro.priors.fingerprints import same_weights
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


def fitted_to(prior, y, observed, name="hierarchical"):
    """Settings, and a guide that they have fitted."""
    sampler = VIPaintSampler((500, 100), fit_steps=1, num_chains=1, refinement_steps=5, guide_name=name)
    return sampler, sampler(prior, Measurement.of(Inpainting(observed), y), 1).guide


@pytest.mark.parametrize("name", ["hierarchical", "AutoLaplaceApproximation"])
def test_another_y_is_refused(gaussian, name):
    """Where it was measured: what lies in the hole is nobody's."""
    observed = torch.tensor([[True, True, False], [False, True, False]]).reshape(1, 1, 2, 3)
    y = torch.linspace(-1, 1, 6, dtype=torch.float64).reshape(1, 1, 2, 3)
    sampler, guide = fitted_to(gaussian, torch.where(observed, y, 0), observed, name)
    again = sampler.from_guide(guide)
    for same, hidden in ((y, 0), (y, 0.5), (y.float().double(), 0)):
        seen = Measurement(Inpainting(observed), Noiseless(), torch.where(observed, same, hidden))
        assert again.settle(gaussian, seen).guide is guide
    other = torch.where(observed, y, 0)
    other[0, 0, 1, 1] += 1 / 127.5  # by one of 255
    with pytest.raises(ValueError, match="the guide was fitted to another y, of another picture"):
        again.settle(gaussian, Measurement.of(Inpainting(observed), other))


def test_a_guide_that_was_fitted_by_hand_knows_its_y(gaussian):
    observed = torch.ones(1, 1, 2, 3, dtype=torch.bool)
    model = DiffusionModel(gaussian, Inpainting(observed), (500, 100))
    y = torch.zeros(1, 1, 2, 3).double()
    guide = HierarchicalGuide(model, y)
    assert guide.fitted_to is None
    fit(model, guide, y, num_steps=1)
    assert torch.equal(guide.fitted_to, y) and guide.fitted_to is not y
    assert torch.equal(deepcopy(guide).fitted_to, y) and "fitted_to" not in guide.state_dict()
    with pytest.raises(ValueError, match="fitted to another y"):
        VIPaintSampler((500, 100), refinement_steps=5).from_guide(guide).settle(
            gaussian, Measurement.of(model.operator, y + 0.5)
        )


def test_another_prior_is_refused_and_an_equal_one_is_not(gaussian):
    observed = torch.ones(1, 1, 2, 3, dtype=torch.bool)
    prior = functools.partial(GaussianPrior, std=torch.full((1, 2, 3), 0.5).double(), schedule=gaussian.schedule)
    mean = torch.zeros(1, 2, 3).double()
    sampler, guide = fitted_to(prior(mean), torch.zeros(1, 1, 2, 3).double(), observed)
    seen, again = measured(observed), sampler.from_guide(guide)
    assert again.settle(prior(mean.clone()), seen).guide is guide
    with pytest.raises(ValueError, match="the guide was fitted under other weights than this prior's"):
        again.settle(prior(mean + 1e-3), seen)


def test_weights_are_looked_at_only_where_networks_are_not_the_same(network_prior, monkeypatch):
    def prior(network):
        return DiffusionPrior(network_prior.schedule, EpsilonDenoiser(network, network_prior.schedule), (1, 8, 8))

    network = tiny_unet()
    assert same_weights(prior(network), prior(deepcopy(network)))
    other = deepcopy(network)
    with torch.no_grad():
        next(other.parameters()).view(-1)[0] += 1e-3
    assert not same_weights(prior(network), prior(other))
    monkeypatch.setattr("vipaint_pyro.priors.fingerprints.fingerprint", None)  # to be called is an error
    assert same_weights(prior(network), prior(torch.nn.DataParallel(network)))
    assert same_weights(prior(network), prior(torch.compile(network, backend="eager")))


def test_another_label_or_weight_of_guidance_is_refused():
    """Before anything is drawn; what is told in other words is the same."""
    pipe = VIPaintPipeline(tiny_unet(classes=5), DDPMScheduler(clip_sample=False), null_class=4)
    pipe.set_progress_bar_config(disable=True)
    image, mask = torch.rand(1, 8, 8), torch.zeros(8, 8)
    mask[2:6, 1:4] = 1
    few = {"mask_image": mask, "num_inference_steps": 2, "num_samples": 1, "output_type": "pt", "timesteps": (700, 400)}

    def call(guide=None, **told):
        more = {"fit_steps": 1} if guide is None else {"guide": guide}
        return pipe(image, generator=torch.Generator().manual_seed(0), **few, **more, **told)

    guided = [{"class_labels": 1, "guidance_scale": weight} for weight in (3.0, 5.0)]
    told = [{}, {"class_labels": 1}, {"class_labels": 2}, *guided]
    for one in told:
        guide = call(**one).guide
        for other in told:
            if one == other:
                call(guide, **other)
            else:
                with pytest.raises(ValueError, match="fitted under another label, prompt or guidance scale"):
                    call(guide, **other)
    nothing = call(class_labels=1, guidance_scale=0.0).guide  # the unconditional model by another name
    call(nothing, class_labels=2, guidance_scale=0.0)
    call(nothing)
    call(call(class_labels=[1]).guide, class_labels=1, guidance_scale=1.0)
