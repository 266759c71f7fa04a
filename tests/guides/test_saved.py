"""A guide that is pickled or saved carries no model, and draws the same once it is attached to one."""

import copy
import io
import pickle

import pyro
import pytest
import torch
from safetensors.torch import load, save

from tests.guides.test_registry import NAMES, OBSERVED, TIMES, Y, pair
from vipaint_pyro.guides import REDDiffGuide, make_guide
from vipaint_pyro.inference.fit import fit
from vipaint_pyro.measurements.inpainting import Inpainting
from vipaint_pyro.models import DiffusionModel, REDDiffModel
from vipaint_pyro.samplers import draw


def drawn(model, guide):
    torch.manual_seed(3)
    return draw(model, guide, 2, torch.Generator().manual_seed(4))[TIMES[-1]]


@pytest.mark.battery
@pytest.mark.parametrize("name", NAMES)
def test_a_saved_guide_comes_back(gaussian, name):
    model, guide = pair(name, gaussian)
    model.prior.ballast = torch.zeros(1_000_000)  # what a frozen network would be
    fit(model, guide, Y, num_steps=2, generator=torch.Generator().manual_seed(1))
    expected = drawn(model, guide)
    buffer = io.BytesIO()
    torch.save(guide, buffer)
    assert buffer.getbuffer().nbytes < 300_000
    buffer.seek(0)
    saved = torch.load(buffer, weights_only=False)
    for back in (saved, copy.deepcopy(saved), pickle.loads(pickle.dumps(saved)), pickle.loads(pickle.dumps(guide))):
        with pytest.raises(RuntimeError, match=r"saved without its model: guide.attach\(model\)"):
            back()
        assert back.attach(model) is back and back.model is model and back._pyro_name != guide._pyro_name
        assert torch.equal(drawn(model, back), expected)
    other = make_guide(name, model, 0 * Y)
    weights = save(guide.state_dict())
    assert len(weights) < 300_000
    other.load_state_dict(load(weights))
    assert torch.equal(drawn(model, other), expected)
    fit(model, saved, Y, num_steps=1)


def finished(prior):
    model, guide = pair("AutoLaplaceApproximation", prior)
    fit(model, guide, Y, num_steps=2, generator=torch.Generator().manual_seed(1))
    return model, guide.finish(), make_guide("AutoMultivariateNormal", model, 0 * Y)


def red_diff(std):
    def made(prior):
        model = REDDiffModel(prior, Inpainting(OBSERVED), restarts=2)
        guide = REDDiffGuide(model, Y, std)
        fit(model, guide, Y, num_steps=2, generator=torch.Generator().manual_seed(1))
        return model, guide, REDDiffGuide(model, 0 * Y, std)

    return made


@pytest.mark.parametrize("made", [finished, red_diff(0.0), red_diff(0.3)], ids=["finished", "point", "wide"])
def test_guides_that_are_not_made_by_name_come_back(gaussian, made):
    model, guide, other = made(gaussian)

    def one(guide):
        torch.manual_seed(3)
        return guide()

    expected, median = one(guide), guide.median()
    buffer = io.BytesIO()
    torch.save(guide, buffer)
    buffer.seek(0)
    other.load_state_dict(load(save(guide.state_dict())))
    saved = torch.load(buffer, weights_only=False)
    for back in (saved.attach(model), copy.deepcopy(guide), pickle.loads(pickle.dumps(guide)).attach(model), other):
        assert back is not guide and back.model is model and torch.equal(one(back), expected)
        assert all(torch.equal(v, median[k]) for k, v in back.median().items())
        assert type(back) is type(guide) and back.finish() is back


def test_another_model_is_refused(gaussian):
    _, guide = pair("hierarchical", gaussian)
    back = pickle.loads(pickle.dumps(guide))
    with pytest.raises(ValueError, match=r"was made for .*\(500, 300, 100\).*this model has .*\(500, 100\)"):
        back.attach(DiffusionModel(gaussian, Inpainting(OBSERVED), (500, 100)))
    with pytest.raises(TypeError, match="model is a vipaint_pyro.models.ImageModel, not NoneType"):
        back.attach(None)


@pytest.mark.battery
@pytest.mark.parametrize("name", NAMES)
def test_fits_are_the_same_where_parameters_are_local_to_modules(gaussian, name):
    results = []
    for local in (False, True):
        pyro.clear_param_store()
        with pyro.settings.context(module_local_params=local):
            model, guide = pair(name, gaussian)
            losses = fit(model, guide, Y, num_steps=2, generator=torch.Generator().manual_seed(1)).losses
            results.append((losses, drawn(model, guide)))
            assert not local or not list(pyro.get_param_store().keys())
            assert pyro.settings.get("module_local_params") is local
        with pyro.settings.context(module_local_params=not local):  # and used where it was not made
            assert torch.equal(drawn(model, guide), results[-1][1])
    assert results[0][0] == results[1][0] and torch.equal(results[0][1], results[1][1])
