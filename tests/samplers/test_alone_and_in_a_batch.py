"""An image's result is its own: four in a batch are the four alone, whatever guide, method or correction."""

import warnings

import pytest
import torch
from diffusers import DDPMScheduler

from tests.conftest import tiny_unet
from tests.samplers.test_registry import CHEAP, seeded
from vipaint_pyro.guides import GUIDES
from vipaint_pyro.measurements.inpainting import Inpainting
from vipaint_pyro.measurements.measurement import Measurement
from vipaint_pyro.priors.codecs import Codec
from vipaint_pyro.priors.diffusion import DiffusionPrior
from vipaint_pyro.samplers import METHODS, make_sampler

SEEDS = (11, 12, 13, 14)
FEW = {"fit_steps": 2, "num_chains": 2, "refinement_steps": 2}


class Halves(Codec):
    def encode(self, x):
        return x / 2

    def decode(self, z):
        return 2 * z


def tiny(kind):
    unet = tiny_unet(classes=5).double()
    scheduler = DDPMScheduler(prediction_type="v_prediction", clip_sample=False)
    prior = DiffusionPrior.from_components(unet, scheduler, null_class=4)
    if kind == "latent":
        prior = DiffusionPrior(
            prior.schedule, prior.denoiser, prior.latent_shape, Halves(), prior.conditioning
        )
        assert prior.is_latent
    return prior


def seen(n=4):
    draw = torch.Generator().manual_seed(3)
    observed = torch.rand(n, 1, 8, 8, generator=draw) < 0.5
    y = torch.rand(n, 1, 8, 8, generator=draw, dtype=torch.float64) * 2 - 1
    return Measurement.of(Inpainting(observed), y * observed)


def same(sampler, prior, labels):
    measurement = seen()

    def drawn(i=None):
        part = measurement if i is None else measurement.part(i, i + 1)
        own = labels if i is None or labels is None else labels[i : i + 1]
        seeds = SEEDS if i is None else SEEDS[i : i + 1]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            return sampler(prior if own is None else prior.conditioned(own), part, 2, seeded(*seeds)).images

    batch = drawn()
    for i in range(4):
        torch.testing.assert_close(batch[:, i : i + 1], drawn(i), rtol=1e-6, atol=1e-6)


def of_guide(name, correct="none", **more):
    times = (300,) if GUIDES[name].levels == 1 else (700, 300)
    extra = {} if correct == "none" else {"num_particles": 4}
    return make_sampler("vipaint", guide_name=name, timesteps=times, correct=correct, **FEW, **extra, **more)


ALONE = [n for n, r in GUIDES.items() if not r.joint]
CASES = [
    ("pixel", None, "none"),
    ("pixel", [0, 1, 2, 3], "psis"),
    ("pixel", None, "smc"),
    ("latent", None, "none"),
    ("latent", [3, 1, 0, 2], "psis"),
]
#: Which case of a guide is not slow, in turn; a point has no weights.
FAST = {(name, 0 if name == "AutoDelta" else i % len(CASES)) for i, name in enumerate(ALONE)}
OF_GUIDES = [
    pytest.param(name, *case, id="-".join(map(str, (name, *case))), marks=[] if (name, i) in FAST else pytest.mark.slow)
    for name in ALONE
    for i, case in enumerate(CASES)
    if name != "AutoDelta" or case[2] == "none"
]
OF_METHODS = [
    pytest.param(name, kind, labels, marks=[] if (kind == "latent") == bool(labels) else pytest.mark.slow)
    for name in METHODS
    for kind in ("pixel", "latent")
    for labels in (None, [0, 1, 2, 3])
    if {"pixel": "latent", "latent": "pixel"}[kind] not in METHODS[name].needs
]


def test_none_is_left_out():
    """Every guide and every method has a case that is not slow, and every case a guide."""
    ours = {name for name, r in GUIDES.items() if not r.joint}
    fast = [p.values for p in OF_GUIDES if not p.marks]
    assert {name for name, *_ in fast} == ours
    assert {str(case) for _, *case in fast} == {str(list(case)) for case in CASES}
    assert {p.values[0] for p in OF_METHODS if not p.marks} == set(METHODS)


@pytest.mark.battery
@pytest.mark.parametrize("name, kind, labels, correct", OF_GUIDES)
def test_of_every_guide(name, kind, labels, correct):
    same(of_guide(name, correct), tiny(kind), labels)


@pytest.mark.battery
@pytest.mark.parametrize(
    "kind, name, levels", [("pixel", "flow", 2), ("latent", "hierarchical-guided", 2), ("pixel", "AutoNormal", 1)]
)
def test_of_sweeps(kind, name, levels):
    same(of_guide(name, refine="gibbs", sweeps=2, sweep_levels=levels), tiny(kind), None)


@pytest.mark.battery
@pytest.mark.parametrize(
    "kind, name, own",
    [("pixel", "flow", True), ("latent", "hierarchical-guided", True), ("pixel", "AutoNormal", False)],
)
def test_of_weighed_steps(kind, name, own):
    same(of_guide(name, refine="tds", num_particles=4, own_cloud=own), tiny(kind), None)


@pytest.mark.battery
@pytest.mark.parametrize("name, kind, labels", OF_METHODS)
def test_of_every_method(name, kind, labels):
    same(make_sampler(name, **CHEAP[name]), tiny(kind), labels)


@pytest.mark.parametrize("name", [n for n, r in GUIDES.items() if r.joint])
def test_guides_of_all_images_together_are_refused(name):
    with pytest.raises(ValueError, match=f"'{name}' fits all images as one, .* one image at a time, not 4"):
        of_guide(name)(tiny("pixel"), seen(), 2, seeded(*SEEDS))


OWN = [n for n, r in GUIDES.items() if r.joint]


@pytest.mark.battery
@pytest.mark.parametrize("name", OWN)
def test_a_single_image_draws_from_its_own_stream_alone(name, gaussian):
    measurement = Measurement.of(Inpainting(torch.ones(1, 1, 2, 3).bool()), torch.full((1, 1, 2, 3), 0.2).double())
    sampler = of_guide(name)
    results = []
    for state in (0, 1):
        torch.manual_seed(state)
        results.append(sampler(gaussian, measurement, 2, seeded(5)).images)
    assert torch.equal(*results)
