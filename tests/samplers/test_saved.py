"""A fitted guide in a folder: what comes back draws the same, and nothing else does."""

import json

import pytest
import torch

import vipaint_pyro
from tests.guides.test_registry import OBSERVED, TIMES, Y
from vipaint_pyro.guides import REDDiffGuide
from vipaint_pyro.inference.fit import fit
from vipaint_pyro.measurements.inpainting import Inpainting
from vipaint_pyro.measurements.likelihoods import Gaussian
from vipaint_pyro.measurements.linear_map import LinearMap
from vipaint_pyro.measurements.measurement import Measurement
from vipaint_pyro.models import REDDiffModel
from vipaint_pyro.samplers import VIPaintSampler, fit_guide, load_guide, save_guide

MASKED = Measurement.of(Inpainting(OBSERVED), Y)
FEW = {"timesteps": TIMES, "fit_steps": 2, "num_chains": 1, "refinement_steps": 2}


def generator(state=None, seed=5):
    made = torch.Generator().manual_seed(seed)
    return made if state is None else made.set_state(state)


def kept(prior, folder, sampler=None, measurement=MASKED, **more):
    sampler = sampler or VIPaintSampler(**FEW)
    guide, record = fit_guide(sampler, prior, measurement, generator())
    save_guide(folder, guide, sampler, measurement, streams=record.streams, **more)
    return guide


GUIDES = ("hierarchical", "hierarchical-guided", "mean-field", "mixture", "AutoNormal", "AutoLaplaceApproximation")


@pytest.mark.parametrize("name", GUIDES)
def test_what_comes_back_draws_what_the_sampler_would_have(gaussian, tmp_path, name):
    sampler = VIPaintSampler(**FEW, guide_name=name)
    if name == "AutoLaplaceApproximation":  # which finishes as another guide, at a maximum
        sampler = VIPaintSampler(**{**FEW, "fit_steps": 60}, guide_name=name)
    at_once = sampler(gaussian, MASKED, 3, generator())
    kept(gaussian, tmp_path / "guide", sampler, facts={"name": name})
    saved = load_guide(tmp_path / "guide", gaussian)
    assert saved.facts == {"name": name} and saved.image is None
    assert saved.sampler == saved.sampler.settle(gaussian, MASKED)
    assert all(torch.equal(v, saved.guide.state_dict()[k]) for k, v in at_once.guide.state_dict().items())
    again = saved.sampler.from_guide(saved.guide)(gaussian, saved.measurement, 3, generator(saved.streams[0]))
    assert torch.equal(again.images, at_once.images) and again.fit is None
    others = saved.sampler.from_guide(saved.guide)(gaussian, saved.measurement, 3, generator(seed=6))
    assert not torch.equal(others.images, at_once.images)


def test_settings_that_there_are_none_of_come_back(gaussian, tmp_path):
    """An infinite fraction sets no bound, and JSON has no infinity."""
    kept(gaussian, tmp_path)
    text = (tmp_path / "guide.json").read_text()
    assert "Infinity" not in text and json.loads(text)["settings"]["fraction"] is None
    assert load_guide(tmp_path, gaussian).sampler.fraction == float("inf")


def test_each_image_has_its_stream(gaussian, tmp_path):
    n = 12
    y, observed = Y[:1].repeat(n, 1, 1, 1), OBSERVED[:1].repeat(n, 1, 1, 1)
    both, sampler = Measurement.of(Inpainting(observed), y), VIPaintSampler(**FEW)
    many = [generator(seed=k) for k in range(n)]
    at_once = sampler(gaussian, both, 2, many)
    guide, record = fit_guide(sampler, gaussian, both, [generator(seed=k) for k in range(n)])
    save_guide(tmp_path, guide, sampler, both, streams=record.streams, image=(y + 1) / 2)
    saved = load_guide(tmp_path, gaussian)
    again = saved.sampler.from_guide(saved.guide)(gaussian, both, 2, [generator(s) for s in saved.streams])
    assert torch.equal(again.images, at_once.images) and torch.equal(saved.image, (y + 1) / 2)


def test_another_operator_is_given_again(gaussian, tmp_path):
    y = 0.5 * Y
    half = Measurement.of(LinearMap(lambda x: 0.5 * x, tuple(Y.shape[1:])), y)
    kept(gaussian, tmp_path, measurement=half)
    with pytest.raises(ValueError, match="measurement than a mask and y without noise, .* measurement="):
        load_guide(tmp_path, gaussian)
    with pytest.raises(ValueError, match="was fitted to another y"):
        load_guide(tmp_path, gaussian, Measurement.of(half.operator, y + 0.1))
    assert load_guide(tmp_path, gaussian, half).measurement is half


def test_noise_that_is_known_is_not_forgotten(gaussian, tmp_path):
    noisy = Measurement(Inpainting(OBSERVED), Gaussian(0.1), Y)
    kept(gaussian, tmp_path, measurement=noisy)
    with pytest.raises(ValueError, match="another measurement than a mask and y without noise"):
        load_guide(tmp_path, gaussian)
    assert load_guide(tmp_path, gaussian, noisy).measurement is noisy


def test_a_guide_that_is_saved_again_takes_the_others_place(gaussian, tmp_path):
    kept(gaussian, tmp_path)
    (tmp_path / "mine.txt").write_text("mine")
    guide = kept(gaussian, tmp_path, VIPaintSampler(**{**FEW, "fit_steps": 3}))
    back = load_guide(tmp_path, gaussian).guide.state_dict()
    assert all(torch.equal(v, back[k]) for k, v in guide.state_dict().items())
    assert (tmp_path / "mine.txt").read_text() == "mine"


def test_what_cannot_be_saved(gaussian, tmp_path):
    guide = kept(gaussian, tmp_path / "good")
    model = REDDiffModel(gaussian, Inpainting(OBSERVED))
    clean = REDDiffGuide(model, Y)
    fit(model, clean, Y, num_steps=1)
    for given, error, words in (
        ((clean, VIPaintSampler(**FEW), MASKED), ValueError, "there is nothing to draw from it"),
        ((guide, "vipaint", MASKED), TypeError, "that it has fitted are saved, not a str"),
        ((lambda: 0, VIPaintSampler(**FEW), MASKED), TypeError, "and a function"),
        ((guide, VIPaintSampler(**{**FEW, "timesteps": (600, 100)}), MASKED), ValueError, "give the same timesteps"),
        ((guide, VIPaintSampler(**FEW), Y), TypeError, "measurement"),
    ):
        with pytest.raises(error, match=words):
            save_guide(tmp_path / "bad", *given)
    assert not (tmp_path / "bad").exists()
    with pytest.raises(TypeError, match="fits guides"):
        fit_guide("vipaint", gaussian, MASKED)


def test_they_are_public():
    assert vipaint_pyro.save_guide is save_guide and vipaint_pyro.load_guide is load_guide
