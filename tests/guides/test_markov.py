"""A Markov chain of a guide: the sites that stand for q above T_e, and the weight of its terms."""

import pytest
import torch
from pyro import poutine

from tests.guides.oracle import OBSERVED, Y
from vipaint_pyro.guides import GaussianGuide, HierarchicalGuide, MixtureGuide
from vipaint_pyro.measurements.inpainting import Inpainting
from vipaint_pyro.models import DiffusionModel

TIMES = (500, 300, 100)


def traced(guide):
    trace = poutine.trace(guide).get_trace(Y)
    trace.compute_log_prob()
    return trace


def test_on_the_bridge_the_top_itself_has_no_density(gaussian):
    # What it is above T_e stands for it: z_T and z_s.
    trace = traced(HierarchicalGuide(DiffusionModel(gaussian, Inpainting(OBSERVED), TIMES), Y))
    assert not trace.nodes["z_500"]["log_prob"].any() and not trace.nodes["z_t"]["log_prob"].any()
    assert trace.nodes["z_999"]["log_prob"].all() and trace.nodes["z_s"]["log_prob"].all()
    marginal = traced(HierarchicalGuide(DiffusionModel(gaussian, Inpainting(OBSERVED), TIMES, form="marginal"), Y))
    assert marginal.nodes["z_500"]["log_prob"].all() and "z_999" not in marginal.nodes


def test_beta_weighs_every_term(gaussian):
    sums = []
    for beta in (1.0, 3.0):
        torch.manual_seed(0)
        trace = traced(HierarchicalGuide(DiffusionModel(gaussian, Inpainting(OBSERVED), TIMES, beta=beta), Y))
        sums.append(torch.stack([trace.nodes[n]["log_prob_sum"] for n in ("z_999", "z_s", "z_300", "z_100")]))
    torch.testing.assert_close(sums[1], 3 * sums[0])


def test_every_level_is_drawn_by_its_kernel_from_the_one_above(gaussian):
    guide = HierarchicalGuide(DiffusionModel(gaussian, Inpainting(OBSERVED), TIMES), Y)
    asked, kernel = [], guide.kernel
    guide.__dict__["kernel"] = lambda z, t, s: asked.append((z, t, s)) or kernel(z, t, s)
    trace = traced(guide)
    assert [(t, s) for _, t, s in asked] == [(500, 300), (300, 100)]
    assert all(z is trace.nodes[f"z_{t}"]["value"] for z, t, _ in asked)


def test_a_top_that_is_no_gaussian_has_no_bridge(gaussian):
    guide = MixtureGuide(DiffusionModel(gaussian, Inpainting(OBSERVED), TIMES), Y)
    with pytest.raises(ValueError, match=r"MixtureGuide has no Gaussian q\(z_\{T_e\}\).*form='marginal'"):
        guide(Y)


def test_one_gaussian_has_one_level(gaussian):
    model = DiffusionModel(gaussian, Inpainting(OBSERVED), TIMES)
    with pytest.raises(ValueError, match=r"has one level, but the model has the timesteps \(500, 300, 100\)"):
        GaussianGuide(model, Y)
