"""Every method there is, by its name: what all samplers promise."""

import pytest
import torch

from tests.samplers.counted import Counted
from tests.samplers.linear_codec import LinearCodec
from vipaint_pyro import LinearMap, Nonlinear
from vipaint_pyro.measurements import Laplace, Noiseless
from vipaint_pyro.measurements.inpainting import Inpainting
from vipaint_pyro.measurements.measurement import Measurement
from vipaint_pyro.samplers import METHODS, make_sampler
from vipaint_pyro.samplers.registry import FOR_SCALE, NEEDS, Method, method
from vipaint_pyro.samplers.vipaint.sampler import VIPaintSampler

CHEAP = {
    "vipaint": {"fit_steps": 2, "num_chains": 1, "refinement_steps": 3},
    "dps": {"num_steps": 4},
    "blended": {"num_steps": 4},
    "repaint": {"num_steps": 4, "jump_length": 2, "jump_n_sample": 2},
    "ddnm": {"num_steps": 4},
    "pigdm": {"num_steps": 4},
    "mmps": {"num_steps": 4, "iterations": 2},
    "tmpd": {"num_steps": 4},
    "tds": {"num_steps": 4, "particles": 3, "own_cloud": False},
    "copaint": {"num_steps": 4},
    "copaint-tt": {"num_steps": 4, "jump_length": 2},
    "daps": {"num_steps": 3, "ode_steps": 2, "mcmc_steps": 3},
    "psld": {"num_steps": 4},
    "resample": {"num_steps": 6, "every": 2, "unroll": 1, "pixel_iterations": 3, "latent_iterations": 3},
    "mgps": {"num_steps": 4, "num_gradients": 1, "intense_gradients": 2, "first_intense": 1},
    "mgdm": {"num_steps": 4, "num_gradients": 1, "intense_gradients": 2, "denoising_steps": 2},
    "red-diff": {"num_steps": 3},
    "red-diff-v": {"num_steps": 3},
}


def seeded(*seeds):
    return [torch.Generator().manual_seed(s) for s in seeds]


@pytest.fixture(params=["gaussian", "network_prior"])
def prior(request):
    prior = request.getfixturevalue(request.param)
    if "latent" in METHODS[request.node.callspec.params["name"]].needs:
        prior.codec = LinearCodec()
    return prior


@pytest.fixture
def spy(prior):
    """What counts the prior's calls; an exact prior has its denoiser in a method."""
    prior.denoiser = Counted(prior.denoiser)
    if type(prior).__name__ == "GaussianPrior":

        def counted(z, t, posterior=prior.posterior, spy=prior.denoiser):
            spy.asked += z.shape[:-3].numel()
            return posterior(z, t).mean

        prior._denoised = counted
    return prior.denoiser


@pytest.fixture
def seen(prior):
    """Two images, each seen through a mask of its own."""
    draw = torch.Generator().manual_seed(3)
    observed = torch.rand(2, *prior.image_shape, generator=draw) < 0.5
    y = torch.rand(2, *prior.image_shape, generator=draw, dtype=torch.float64) * 2 - 1
    return Measurement.of(Inpainting(observed), y * observed)


def test_none_is_left_out():
    assert CHEAP.keys() == METHODS.keys()


@pytest.mark.battery
@pytest.mark.parametrize("name", METHODS)
def test_what_every_method_promises(prior, spy, seen, name):
    sampler, steps = make_sampler(name, **CHEAP[name]), []

    def draw(measurement, *seeds, on_step=None):
        return sampler(prior, measurement, 2, seeded(*seeds), on_step)

    # One image does not see its neighbours, and its generator alone decides.
    state = torch.get_rng_state()
    samples = draw(seen, 1, 2, on_step=steps.append)
    asked, spy.asked = spy.asked, 0
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.isfinite(samples.images).all() and not samples.images.requires_grad
    for i in range(2):
        alone = draw(seen.part(i, i + 1), i + 1).images
        torch.testing.assert_close(samples.images[:, i : i + 1], alone, rtol=1e-4, atol=1e-4)
    assert torch.equal(draw(seen, 1, 2).images, samples.images)
    one, again, other = (sampler(prior, seen, 2, *seeded(s)).images for s in (7, 7, 8))
    assert torch.equal(one, again)
    assert not torch.equal(one, other)
    # What is counted and told is what was done.
    assert 2 * sum(samples.calls.values()) == asked and samples.calls.keys() == samples.seconds.keys()
    assert samples.backward.keys() == samples.calls.keys()
    phases = sampler.settle(prior, seen).phases()
    assert [(p.phase, p.step) for p in steps] == [(phase, i) for phase, n in phases.items() for i in range(n)]


@pytest.mark.battery
@pytest.mark.parametrize("name", METHODS)
def test_what_every_method_refuses_before_it_computes(prior, spy, seen, name):
    with pytest.raises(TypeError, match=f"unknown setting 'zzz' of {name}. Known are "):
        make_sampler(name, zzz=1)
    for setting in METHODS[name].open():
        wrong = make_sampler(name, **{**CHEAP[name], setting: object()})
        with pytest.raises(ValueError, match=f"^{setting} is .*, but is <object"):
            wrong(prior, seen, 1)
        with pytest.raises(ValueError, match=f"^{setting} is "):
            wrong.settle(prior, seen)
    sampler = make_sampler(name, **CHEAP[name])
    for given in (seen.operator, seen.y, None):
        with pytest.raises(TypeError, match=f"Measurement, not {type(given).__name__}"):
            sampler(prior, given, 1)
    for samples in (0, -1, 1.5):
        with pytest.raises(ValueError, match="num_samples is a whole number of at least 1"):
            sampler(prior, seen, samples)
    with pytest.raises(TypeError, match="generator is a torch.Generator or a list"):
        sampler(prior, seen, 1, 5)
    with pytest.raises(ValueError, match="3 generators for 2 images"):
        sampler(prior, seen, 1, seeded(1, 2, 3))
    small = torch.ones(2, 1, 1, 1, dtype=torch.bool)
    with pytest.raises(ValueError, match=r"images of shape \(1, 1, 1\), but those of this prior have"):
        sampler(prior, Measurement.of(Inpainting(small), small.double()), 1)
    if prior.num_classes is not None:
        with pytest.raises(ValueError, match="3 class labels for 2 images"):
            sampler(prior.conditioned([0, 1, 2]), seen, 1)
    assert spy.asked == 0


@pytest.mark.parametrize("name, error", [("none", ValueError), (3, TypeError)])
def test_all_that_are_taken_are_told(name, error):
    with pytest.raises(error) as told:
        method(name)
    assert f"dps, {', '.join([*METHODS][2:])}; without a network, for scale, {', '.join(FOR_SCALE)}" in str(told.value)


def test_an_unknown_name_is_told_its_neighbour():
    with pytest.raises(ValueError, match="no method is called 'RED_Diff'. Did you mean 'red-diff'. There are vipaint"):
        make_sampler("RED_Diff")
    with pytest.raises(TypeError, match="unknown setting 'random_times' of red-diff"):  # the name says it
        make_sampler("red-diff", random_times=True)


def test_a_method_of_ones_own_joins_them(monkeypatch):
    own = Method("brief", "few steps", "", VIPaintSampler, {"fit_steps": 1})
    monkeypatch.setitem(METHODS, "brief", own)
    assert make_sampler("brief", zeta=0.3) == VIPaintSampler(fit_steps=1, zeta=0.3)
    assert "fit_steps" not in own.open() and own.open()["beta"] == 1.0


def given(what, latent):
    """A measurement of one 1x2x3 image that has everything but one thing, of a latent prior or not."""
    mask, y = Inpainting(torch.tensor([True, False, True]).expand(1, 1, 2, 3)), torch.zeros(1, 1, 2, 3)
    if what == "mask":
        return Measurement.of(LinearMap(lambda x: x[..., ::2], (1, 2, 3)), torch.zeros(1, 1, 2, 2))
    if what == "linear":
        bright = Nonlinear(torch.exp, lambda m: torch.distributions.Normal(m, 0.1), (1, 2, 3))
        return Measurement.of(bright, torch.ones(1, 1, 2, 3))
    return Measurement(mask, Laplace(1.0) if what == "gaussian" else Noiseless(), y)


@pytest.mark.battery
@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("what", NEEDS)
def test_what_a_method_needs_it_asks_for_and_what_it_does_not_need_it_does_without(gaussian, name, what):
    needs, sampler = METHODS[name].needs, make_sampler(name, **CHEAP[name])
    latent = what == "pixel" or ("latent" in needs and what != "latent")
    if latent:
        gaussian.codec = LinearCodec()
    # A nonlinear operator has no mask and no Gaussian noise of its own either.
    lacks = {"linear": {"linear", "mask", "gaussian"}}.get(what, {what})
    if lacks.isdisjoint(needs):
        sampler.settle(gaussian, given(what, latent))
    else:
        with pytest.raises(ValueError, match=name.removesuffix("-tt").removesuffix("-v")):
            sampler.settle(gaussian, given(what, latent))
