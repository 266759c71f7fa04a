"""The memo that guide and model share: found again by the very tensor, kept no longer than the block."""

import copy
import pickle

import pyro
import pytest
import torch
from pyro import poutine
from pyro.infer import SVI, Trace_ELBO

from vipaint_pyro.guides import make_guide
from vipaint_pyro.measurements.inpainting import Inpainting
from vipaint_pyro.measurements.likelihoods import Gaussian
from vipaint_pyro.models import DiffusionModel
from vipaint_pyro.models.predictions import Predictions

OPERATOR = Inpainting(torch.tensor([[1, 0, 1], [1, 1, 0]]).bool()[None, None])
Y = 0.3 * OPERATOR.observed.double()


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


def _given(model):
    """The model at z that are given, each with a gradient."""
    shape = model.num_images, *model.prior.latent_shape
    z = {f"z_{t}": torch.zeros(shape, dtype=torch.float64, requires_grad=True) for t in model.timesteps}
    return poutine.condition(model, z), z


def test_at_the_same_z_each_run_has_a_graph_of_its_own(gaussian):
    model = DiffusionModel(gaussian, OPERATOR, (500, 100), Gaussian(0.3), form="marginal")
    program, z = _given(model)
    slopes = []
    for _ in range(2):
        poutine.trace(program).get_trace(Y).log_prob_sum().backward()
        slopes.append(z["z_100"].grad.clone())
        z["z_100"].grad = None
    assert slopes[0].abs().max() > 0.1 and torch.equal(*slopes)


def test_at_the_same_z_other_weights_predict_something_else(network_prior):
    prior = network_prior.conditioned(torch.zeros(1, dtype=torch.long))
    operator = Inpainting(torch.ones(1, 1, 8, 8).bool())
    model = DiffusionModel(prior, operator, (500, 100), Gaussian(0.3))
    program, _ = _given(model)
    y = torch.zeros(1, 1, 8, 8).double()
    before, same = (poutine.trace(program).get_trace(y).nodes["x"]["value"] for _ in range(2))
    with torch.no_grad():
        for weight in prior.denoiser.network.parameters():
            weight.mul_(1.2)
    after = poutine.trace(program).get_trace(y).nodes["x"]["value"]
    assert torch.equal(before, same) and (after - before).abs().max() > 1e-3


def test_a_guide_at_given_z_has_a_graph_of_its_own_in_each_run(model):
    guide = make_guide("hierarchical", model, Y)
    shape = 1, *model.prior.latent_shape
    given = {f"z_{t}": torch.ones(shape, dtype=torch.float64, requires_grad=True) for t in (500, 100)}
    for _ in range(2):
        sites = poutine.trace(poutine.condition(guide, given)).get_trace(Y).nodes
        sites["z_100"]["fn"].log_prob(given["z_100"]).backward()


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_a_model_that_was_used_can_be_copied(model, copied):
    guide = make_guide("hierarchical", model, Y)
    SVI(model, guide, pyro.optim.Adam({"lr": 0.01}), Trace_ELBO()).step(Y)
    guide(Y)  # and nobody asks for what it predicted
    again = copied(model)
    seen, twin = (poutine.trace(_given(m)[0]).get_trace(Y).nodes["x"]["value"] for m in (model, again))
    assert again is not model and torch.equal(seen, twin)
