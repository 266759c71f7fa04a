"""The defaults of VIPaint's settings, which published figures and saved runs rest on, and their bounds."""

import math

import numpy as np
import pytest
import torch

from tests.priors.pretrained.tiny import autoencoder
from vipaint_pyro import LinearMap
from vipaint_pyro.measurements import Gaussian, Laplace, Measurement, Noiseless, Nonlinear, make_operator
from vipaint_pyro.measurements.inpainting import Inpainting
from vipaint_pyro.priors.codecs import KLCodec
from vipaint_pyro.priors.diffusion import DiffusionPrior
from vipaint_pyro.samplers import VIPaintSampler
from vipaint_pyro.samplers.vipaint.refinement import settled_refine
from vipaint_pyro.settings import check_settings


def test_the_defaults():
    assert vars(VIPaintSampler()) == {
        "timesteps": None, "beta": 1.0, "noise_scale": None, "fit_steps": 50, "num_chains": 2, "num_levels": 2,
        "fit_patience": 0, "guide_settings": None,
        "loss": "trace", "guide_name": None, "eta": 1.0, "perceptual": 0.0, "perceptual_net": "alex",
        "perceptual_weights": None, "gradient_checkpointing": None,
        "refine": None, "sweeps": None, "sweep_levels": None,
        "refinement_steps": None, "zeta": None, "limit": None, "fraction": None,
        "hidden_pull": None, "measurement_scale": None,
        "perceptual_refinement": 0.0, "chunk": None,
        "correct": "none", "num_particles": None, "own_cloud": None,
    }  # fmt: skip
    check_settings(VIPaintSampler())


@pytest.mark.parametrize(
    "shape, factor, zeta",
    [
        ((1, 28, 28), None, 2.0), ((1, 8, 8), None, 2.0), ((1, 56, 56), None, 4.0), ((3, 64, 64), None, 7.91795),
        ((3, 64, 64), 4, 2.0), ((3, 64, 64), 2, 3.95897),  # of what is measured, not of the picture
    ],
)  # fmt: skip
def test_a_step_is_measured_against_a_residual_that_grows_with_what_is_measured(network_prior, shape, factor, zeta):
    network_prior.latent_shape = shape
    operator = Inpainting(torch.ones(1, 1, *shape[1:], dtype=torch.bool))
    if factor is not None:
        operator = make_operator("super-resolution", shape, 1, scale=factor)
    y = operator(torch.zeros(1, *shape, dtype=torch.float64))
    seen = Measurement.of(operator, y)
    assert VIPaintSampler().settle(network_prior, seen).zeta == pytest.approx(zeta, rel=1e-5)
    assert VIPaintSampler(zeta=1.5).settle(network_prior, seen).zeta == 1.5


@pytest.mark.parametrize(
    "name, value",
    [("noise_scale", 0.0), ("measurement_scale", 0.0), ("fraction", float("inf")), ("zeta", float("inf"))],
)
def test_what_is_settled_is_taken_again(name, value):
    # Where there is nothing to settle on; the number itself, and not what equals it.
    check_settings(VIPaintSampler(**{name: value}))
    with pytest.raises(ValueError, match=rf"^{name} is a .*number.*, but is "):
        check_settings(VIPaintSampler(**{name: -value if value else False}))


@pytest.mark.parametrize(
    "name, least, most",
    [
        ("beta", "above 0", None), ("noise_scale", "above 0", None), ("fit_steps", 1, None), ("num_chains", 1, None),
        ("num_levels", 1, None), ("eta", "above 0", 1), ("perceptual", 0, None), ("refinement_steps", 1, None),
        ("zeta", 0, None), ("fraction", "above 0", None), ("measurement_scale", "above 0", None),
        ("perceptual_refinement", 0, None), ("num_particles", 1, None), ("chunk", 1, None), ("sweeps", 1, None),
        ("sweep_levels", 1, None),
    ],
)  # fmt: skip
def test_the_bounds(name, least, most):
    allowed, refused = ([1e-9], [0.0, -1.0]) if least == "above 0" else ([least], [least - 1])
    allowed += [] if most is None else [most]
    refused += [] if most is None else [most + 0.1]
    for value in allowed:
        check_settings(VIPaintSampler(**{name: value}))
    settled = {"noise_scale": 0.0, "measurement_scale": 0.0, "fraction": float("inf"), "zeta": float("inf")}
    settled |= {"sweeps": 0, "sweep_levels": 0}
    settled["num_particles"] = 0  # so many as samples ask for
    for value in (v for v in (*refused, float("nan"), float("inf"), True, "1") if v != settled.get(name)):
        with pytest.raises(ValueError, match=rf"^{name} is a .*number.*, but is "):
            check_settings(VIPaintSampler(**{name: value}))


CURVED = Nonlinear(torch.tanh, lambda m: torch.distributions.Normal(m, 0.1), (1, 2, 3), dtype=torch.float64)


@pytest.mark.parametrize(
    "operator, likelihood, given, step",
    [
        ("inpainting", None, {}, "tds"),
        ("whole", Gaussian(0.1), {}, "tds"),
        ("inpainting", Laplace(0.1), {}, "dps"),  # whose noise no Gaussian step knows
        ("nonlinear", Gaussian(0.1), {}, "dps"),
        *(("inpainting", None, {name: value}, "dps") for name, value in
          (("zeta", 1.0), ("perceptual_refinement", 0.1), ("perceptual", 0.1), ("correct", "psis"),
           ("correct", "smc"))),
        ("inpainting", None, {"refine": "mmps"}, "mmps"),
    ],
)  # fmt: skip
def test_where_the_denoiser_is_exact_particles_are_weighed(gaussian, operator, likelihood, given, step):
    behind = Inpainting(torch.ones(1, 1, 2, 3, dtype=torch.bool))
    others = {"whole": LinearMap(lambda x: x[..., :1], (1, 2, 3)), "nonlinear": CURVED}
    made = others.get(operator, behind)
    x = torch.zeros(1, 1, 2, 3, dtype=torch.float64)
    measurement = Measurement(made, likelihood or Noiseless(), made(x))
    assert settled_refine(VIPaintSampler(**given), gaussian, measurement) == step
    found = VIPaintSampler().settle(gaussian, Measurement(behind, Noiseless(), x))
    assert (found.refine, found.refinement_steps, found.num_particles, found.own_cloud) == ("tds", 25, 0, True)
    assert found.noise_scale == 0.3
    part = LinearMap(lambda x: x[..., :2], (1, 2, 3))
    assert VIPaintSampler().settle(gaussian, Measurement(part, Noiseless(), part(x))).noise_scale == 2 / 3
    assert found.settle(gaussian, Measurement(behind, Noiseless(), x)) == found


@pytest.mark.parametrize(
    "latent, task, likelihood, given, step",
    [
        (True, "super-resolution", None, {}, "mmps"),
        (True, "super-resolution", Gaussian(0.1), {}, "mmps"),
        (True, "super-resolution", Laplace(0.1), {}, "dps"),  # whose noise no Gaussian step knows
        (True, "inpainting", None, {}, "dps"),
        (False, "super-resolution", None, {}, "dps"),
        (True, "super-resolution", None, {"correct": "smc"}, "dps"),
        (True, "super-resolution", None, {"refine": "dps"}, "dps"),
        (True, "inpainting", None, {"refine": "mmps"}, "mmps"),
        # What is of a DPS step alone asks for one.
        *((True, "super-resolution", None, {name: value}, "dps") for name, value in
          (("zeta", 1.0), ("limit", True), ("fraction", 0.5), ("hidden_pull", 1.0), ("perceptual_refinement", 0.1))),
    ],
)  # fmt: skip
def test_where_a_latent_prior_restores_a_picture_the_step_is_that_of_mmps(
    network_prior, latent, task, likelihood, given, step
):
    prior = network_prior
    if latent:
        prior = DiffusionPrior(prior.schedule, prior.denoiser, (3, 8, 8), KLCodec(autoencoder(3)))
    shape = prior.image_shape
    if task == "inpainting":
        operator = Inpainting(torch.ones(1, 1, *shape[1:], dtype=torch.bool))
    else:
        operator = make_operator(task, shape, 1, scale=2)
    y = operator(torch.zeros(1, *shape, dtype=torch.float64))
    seen = Measurement.of(operator, y) if likelihood is None else Measurement(operator, likelihood, y)
    found = VIPaintSampler(**given).settle(prior, seen)
    assert found.refine == step
    if step == "dps" and found.correct != "smc":  # whose steps are its own
        assert found.fraction == given.get("fraction", 0.3 if latent else math.inf)
    assert found.settle(prior, seen) == found


@pytest.mark.parametrize("given", [torch.tensor([400, 200]), np.array([400, 200]), range(400, 100, -200)])
def test_timesteps_come_as_any_row_of_whole_numbers(given):
    sampler = VIPaintSampler(timesteps=given)
    assert sampler == VIPaintSampler(timesteps=(400, 200)) and {type(t) for t in sampler.timesteps} == {int}


@pytest.mark.parametrize(
    "given", [torch.tensor([400.0, 200.0]), torch.tensor([[400, 200]]), torch.tensor(400), np.array([4.0]), {400, 200}]
)
def test_of_other_kinds_they_are_refused(given):
    with pytest.raises(ValueError, match="timesteps is a list of whole times, T_e > ... > T_s, but is"):
        check_settings(VIPaintSampler(timesteps=given))
