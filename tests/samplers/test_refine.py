"""The steps of VIPaint's second phase, by name."""

import math

import pytest
import torch

from vipaint_pyro.exact import exact_posterior
from vipaint_pyro.measurements.inpainting import Inpainting
from vipaint_pyro.measurements.likelihoods import Gaussian, Laplace
from vipaint_pyro.measurements.measurement import Measurement
from vipaint_pyro.samplers import DDNMSampler, MMPSSampler, TMPDSampler, VIPaintSampler
from vipaint_pyro.samplers.run import Run
from vipaint_pyro.samplers.vipaint.settings import REFINEMENTS

OBSERVED = torch.tensor([[True, True, False], [False, True, False]]).reshape(1, 1, 2, 3)
Y = torch.tensor([[0.9, -0.8, 0.0], [0.0, 0.1, 0.0]]).double().reshape(1, 1, 2, 3)
SIGMA = 0.3


def seen(noise=Gaussian(SIGMA)):
    return Measurement(Inpainting(OBSERVED), noise, Y)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("name, kind", [("mmps", MMPSSampler), ("tmpd", TMPDSampler)])
def test_the_guides_draws_are_walked_down_by_the_method_of_that_name(gaussian, name, kind):
    sampler = VIPaintSampler(refine=name, fit_steps=2, refinement_steps=7, measurement_scale=0.1)
    settled = sampler.settle(gaussian, seen())
    assert settled.refinement() == kind(7, 1.0, measurement_scale=0.1, chunk=settled.chunk)
    starts = []
    drawn = sampler(gaussian, seen(), 4, seeded(), lambda p: starts.append(p) if p.phase == "refinement" else None)
    assert [p.t for p in starts] == gaussian.times(settled.timesteps[-1], -1, 7)[:-1]
    drawing = 2 * 3 * 4  # two steps of conjugate gradients by each kernel between the four levels
    assert drawn.backward["refinement"] == 4 * 7 * {"mmps": 1, "tmpd": 2}[name] + drawing


def test_ddnm_walks_down_without_a_backward_call(gaussian):
    clean = Measurement.of(Inpainting(OBSERVED), Y)
    sampler = VIPaintSampler(refine="ddnm", fit_steps=2, refinement_steps=7, guide_name="hierarchical")
    settled = sampler.settle(gaussian, clean)
    assert settled.refinement() == DDNMSampler(7, eta=1.0, chunk=settled.chunk)
    assert settled.settle(gaussian, clean) == settled
    drawn = sampler(gaussian, clean, 4, seeded())
    assert drawn.backward["refinement"] == 0 and drawn.calls["refinement"] == 4 * (3 + 7)
    torch.testing.assert_close(drawn.images[:, OBSERVED], Y[OBSERVED].expand(4, -1), rtol=0, atol=1e-8)
    with pytest.raises(ValueError, match="zeta is of a DPS step, and refine is 'ddnm': leave zeta out"):
        VIPaintSampler(refine="ddnm", zeta=1.0).settle(gaussian, clean)


# One step of conjugate gradients is not exact where the variances of pixels differ.
@pytest.mark.battery
@pytest.mark.parametrize("name, error", [("mmps", 0.25), ("tmpd", 0.15)])
def test_they_draw_the_exact_posterior_of_independent_pixels(gaussian, name, error):
    sampler = VIPaintSampler(refine=name, fit_steps=150, refinement_steps=None, guide_name="hierarchical-guided")
    drawn = sampler(gaussian, seen(), 4000, seeded()).images
    exact = exact_posterior(gaussian, Inpainting(OBSERVED), Y, SIGMA)
    assert ((drawn.mean(0) - exact.mean).abs() < error * exact.variance.sqrt()).all()


def test_settings_of_a_dps_step_are_refused_with_another(gaussian):
    for setting in ({"zeta": 1.0}, {"limit": True}, {"fraction": 0.5}):
        (name,) = setting
        with pytest.raises(ValueError, match=f"^{name} is of a DPS step, and refine is 'mmps': leave {name} out"):
            VIPaintSampler(refine="mmps", **setting).settle(gaussian, seen())
    with pytest.raises(ValueError, match="perceptual_refinement pulls beside a DPS step, and refine is 'tmpd'"):
        VIPaintSampler(refine="tmpd", perceptual_refinement=1.0).settle(gaussian, seen())
    for name in ("mmps", "ddnm"):  # which has no measurement_scale that it could weigh by
        with pytest.raises(ValueError, match="twisted steps of its own below T_s: leave refine out"):
            VIPaintSampler(refine=name, correct="smc").settle(gaussian, seen())
    with pytest.raises(ValueError, match="mmps is for Gaussian noise, or none"):
        VIPaintSampler(refine="mmps").settle(gaussian, seen(Laplace(0.2)))
    with pytest.raises(ValueError, match="zeta is a finite number, at least 0, but is inf"):
        VIPaintSampler(zeta=math.inf).settle(gaussian, seen())
    with pytest.raises(ValueError, match=f"refine is one of {', '.join(REFINEMENTS)}, but is 'walk'"):
        VIPaintSampler(refine="walk").settle(gaussian, seen())


def test_settling_a_settled_sampler_changes_nothing(gaussian):
    once = VIPaintSampler(refine="tmpd").settle(gaussian, seen())
    assert once.settle(gaussian, seen()) == once


def test_the_noise_of_y_is_told_to_the_walk(gaussian):
    for noise, scale in ((Gaussian(SIGMA), SIGMA), (None, 0.03)):
        measured = seen() if noise else Measurement.of(Inpainting(OBSERVED), Y)
        settled = VIPaintSampler(refine="mmps").settle(gaussian, measured)
        prior, told = settled.prepared(gaussian, measured)
        assert Run(prior, told, 1).measurement.likelihood.sigma == scale
