"""The one-file VIPaint for lectures gives the library's numbers."""

import importlib.util
from pathlib import Path

import pyro
import pytest
import torch
from pyro import poutine

from vipaint_pyro import refine
from vipaint_pyro.guides import HierarchicalGuide
from vipaint_pyro.measurements.inpainting import Inpainting
from vipaint_pyro.measurements.likelihoods import Laplace
from vipaint_pyro.measurements.measurement import Measurement
from vipaint_pyro.models import DiffusionModel
from vipaint_pyro.samplers import DPSSampler

FILE = Path(__file__).parent.parent.parent / "examples" / "06_mini_vipaint.py"
TIMES = (700, 500, 300)


@pytest.fixture(scope="module")
def mini():
    spec = importlib.util.spec_from_file_location("mini_vipaint", FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def pairs(mini, network_prior, monkeypatch):
    """(mini model, mini guide, library model, library guide, y) with the same parameters on the same network."""
    monkeypatch.setattr(Inpainting, "estimate", Inpainting.adjoint)  # the lecture's guide begins with grey holes
    prior = network_prior.conditioned([0, 3])
    torch.manual_seed(1)
    observed = torch.rand(2, 1, 8, 8) < 0.6
    y = torch.randn(2, 1, 8, 8).double().clamp(-1, 1) * observed
    abar = prior.schedule.alpha(torch.arange(prior.schedule.num_timesteps)) ** 2
    small = mini.DiffusionModel(mini.NoiseSchedule(abar), prior.denoise, observed, TIMES, scale=0.7, num_levels=999)
    model = DiffusionModel(prior, Inpainting(observed), TIMES, Laplace(0.7), num_levels=999)
    ours, guide = mini.HierarchicalGuide(small, y), HierarchicalGuide(model, y)
    for name, value in guide.state_dict().items():
        torch.testing.assert_close(ours.state_dict()[name], value, rtol=1e-9, atol=1e-12)
        value += 0.1 * torch.randn_like(value)
        ours.state_dict()[name].copy_(value)
    return small, ours, model, guide, y


def test_it_is_short():
    assert len(FILE.read_text().splitlines()) < 150


def test_bound_and_gradients_are_the_librarys(pairs):
    small, ours, model, guide, y = pairs
    guide_trace = poutine.trace(guide).get_trace(y)
    values = {n: s["value"].detach() for n, s in guide_trace.nodes.items() if n.startswith("z_")}
    # The library draws z_s twice with half the weight: give the small guide the first of an equal pair.
    values["z_s"] = values["z_s"][:1].expand(2, *values["z_s"].shape[1:])

    def bound(model, guide, given):
        log_p, log_q = (
            poutine.trace(poutine.condition(program, given)).get_trace(y).log_prob_sum() for program in (model, guide)
        )
        guide.zero_grad()
        (log_p - log_q).backward()
        return log_p - log_q, {n: p.grad for n, p in guide.named_parameters()}

    value, gradients = bound(model, guide, values)
    lecture, theirs = bound(small, ours, {n: v[0] if n == "z_s" else v for n, v in values.items()})
    torch.testing.assert_close(lecture, value, rtol=1e-6, atol=1e-6)
    assert theirs.keys() == gradients.keys()
    for name, gradient in gradients.items():
        torch.testing.assert_close(theirs[name], gradient, rtol=1e-6, atol=1e-6)


def test_refined_samples_are_the_librarys(mini, pairs):
    small, _, model, _, y = pairs
    torch.manual_seed(2)
    z = torch.randn(2, 1, 8, 8).double()
    torch.manual_seed(3)
    lecture = mini.refine(small, y, z, num_steps=12, zeta=0.8)
    torch.manual_seed(3)
    library = refine(model.prior, Measurement.of(model.operator, y), z, 300, DPSSampler(12, zeta=0.8))
    torch.testing.assert_close(lecture, library, rtol=1e-6, atol=1e-6)
    pyro.clear_param_store()
