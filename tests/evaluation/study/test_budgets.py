"""Methods at equal cost: what is claimed ahead is what is counted, and what is asked for."""

import re
from dataclasses import fields, replace

import pytest
import torch
from diffusers.models.unets.unet_2d import UNet2DOutput

from tests.samplers.linear_codec import LinearCodec
from vipaint_pyro.evaluation.study.budgets import BUDGETS, Budget
from vipaint_pyro.evaluation.study.claims import calls_of, claim
from vipaint_pyro.evaluation.study.equal_calls import at_calls
from vipaint_pyro.evaluation.study.methods import settings_of
from vipaint_pyro.exact import GaussianPrior
from vipaint_pyro.measurements.inpainting import Inpainting
from vipaint_pyro.measurements.measurement import Measurement
from vipaint_pyro.samplers import METHODS, make_sampler
from vipaint_pyro.samplers.registry import Method
from vipaint_pyro.samplers.vipaint.sampler import VIPaintSampler

NAMES = [*METHODS, "vipaint-1", "vipaint-2", "vipaint-4"]
CALLS = (50, 100, 250, 500, 1000, 2500)
MOST = dict.fromkeys(("dps", "blended", "ddnm", "pigdm", "mmps", "tmpd", "psld", "red-diff"), 1000) | {"resample": 1396}
# What calls no network, but takes its time.
FEW = 60
QUICK = {"daps": {"mcmc_steps": 1}, "resample": {"pixel_iterations": 1, "latent_iterations": 1}}


def method_of(name):
    return METHODS[re.sub(r"^vipaint-\d$", "vipaint", name)]


@pytest.fixture
def prior(gaussian, network_prior, request):
    name = request.node.callspec.params["name"]
    if "latent" in method_of(name).needs:
        gaussian.codec = LinearCodec()
    # An exact prior's own kernels take no gradient through the prediction, nor do its moments: fewer would be counted.
    return network_prior if "vipaint" in name or name == "tds" else gaussian


def half_seen(shape):
    observed = torch.rand(1, *shape, generator=torch.Generator().manual_seed(3)) < 0.5
    return Measurement.of(Inpainting(observed), torch.full((1, *shape), 0.3).double() * observed)


@pytest.fixture
def seen(prior):
    return half_seen(prior.image_shape)


def counted(sampler, prior, seen, num_samples):
    """Forward and backward calls per sample of a run; of a long fit, whose steps are all alike, a few are counted."""
    ran, scale = sampler, 1
    if isinstance(sampler, VIPaintSampler) and sampler.fit_steps > FEW:
        ran, scale = replace(sampler, fit_steps=FEW), sampler.fit_steps / FEW
    samples = ran(prior, seen, num_samples, torch.Generator().manual_seed(0))
    return tuple(
        sum(n * (scale if phase == "fit" else 1) for phase, n in calls.items()) / num_samples
        for calls in (samples.calls, samples.backward)
    )


def echo(z, **options):
    """For a network's forward: no prediction, but a gradient goes back through it."""
    return UNet2DOutput(0.1 * z)


def check_counted(name, calls, prior, seen, num_samples):
    settings = at_calls(name, calls, prior, num_samples)
    sampler = make_sampler(method_of(name).name, **settings, **QUICK.get(name, {}))
    said, found = claim(sampler, prior, seen, num_samples), counted(sampler, prior, seen, num_samples)
    assert abs(said.forward - calls) <= max(0.1 * calls, 3)
    assert calls_of(sampler, prior, seen, num_samples) == said.forward
    if said.exact:
        assert found == pytest.approx((said.forward, said.backward))
    else:  # steps that were too long
        assert name.startswith("copaint") and found[0] >= said.forward and found[1] == said.backward
        # A level has two steps, each shortened thirty times at most.
        assert found[0] <= said.forward * (1 + 2 * 30 / 3)


@pytest.mark.battery
@pytest.mark.parametrize("name", NAMES)
def test_small_budgets_are_counted(name, prior, seen):
    for calls in (50,) if "vipaint" in name else (50, 100, 250):
        check_counted(name, calls, prior, seen, 5 if "vipaint" in name else 2)


@pytest.mark.slow
@pytest.mark.parametrize("num_samples", [1, 5, 10])
@pytest.mark.parametrize("calls", CALLS)
@pytest.mark.parametrize("name", NAMES)
def test_every_budget_is_counted(name, calls, num_samples, prior, seen):
    if "vipaint" in name:  # calls are counted around the network, whatever it does: of a real one 50 are above
        prior.denoiser.network.forward = echo
    if calls <= MOST.get(name, calls):
        check_counted(name, calls, prior, seen, num_samples)


@pytest.mark.battery
@pytest.mark.parametrize("name", NAMES)
def test_every_budget_is_met_or_refused_with_what_there_is(name, prior, seen):
    for calls in CALLS[:4] if name == "daps" else CALLS:  # whose levels take long to find
        if calls > MOST.get(name, calls):
            with pytest.raises(ValueError, match=rf"^{name} cannot .* {calls} .*: the most is {MOST[name]}$"):
                at_calls(name, calls, prior, 1)
            continue
        for num_samples in (1, 5, 10):
            sampler = make_sampler(method_of(name).name, **at_calls(name, calls, prior, num_samples))
            assert abs(calls_of(sampler, prior, seen, num_samples) - calls) <= max(0.1 * calls, 3)


@pytest.mark.parametrize("name", METHODS)
def test_what_a_method_costs_by_default_is_what_its_table_says(name, prior, seen):
    """As VIPaint's 600 F of a fit, which its line once gave as 1,600."""
    text = METHODS[name].cost.split(", of latent")[0].replace(",", "")
    said = claim(make_sampler(name), prior, seen, 1)
    forward = sum(int(n) for n in re.findall(r"(\d+) F", text))
    backward = sum(int(n) for n in re.findall(r"(\d+) B", text))
    assert said.backward == backward
    assert said.forward == pytest.approx(forward, abs=1 if name == "daps" else 0)  # where two of its times coincide


VARIED = {
    "dps": [{"zeta": 0.0}, {"perceptual_refinement": 0.1}, {"perceptual_refinement": 0.1, "fraction": 1.0}],
    "ddnm": [{"jump_length": 3, "jump_n_sample": 3}],
    "repaint": [{"num_steps": 12, "jump_length": 5, "jump_n_sample": 4}],
    "copaint-tt": [{"num_steps": 11, "jump_length": 3, "num_gradients": 1}],
    "mgdm": [{"num_steps": 13, "sweeps": 2, "denoising_steps": 3}],
    "mmps": [{"iterations": 3}],
    "tmpd": [{}],
    "tds": [{}, {"particles": 3, "iterations": 1}, {"own_cloud": False, "particles": 1}],
    "mgps": [{"num_steps": 43, "first_intense": 2, "every_intense": 7}],
    "resample": [{"num_steps": 31, "every": 3, "unroll": 4}, {"num_steps": 9, "every": 1, "unroll": 0}],
    "daps": [{"num_steps": 9, "ode_steps": 40}],
    "vipaint": [
        {"timesteps": (999, 300)}, {"timesteps": (998, 300), "num_levels": 3}, {"timesteps": (500,), "zeta": 0.0},
        {"num_chains": 3, "loss": "mean-field", "fraction": 0.3}, {"refine": "mmps"}, {"refine": "tmpd"},
        {"refine": "gibbs", "timesteps": (900, 500, 300)}, {"refine": "gibbs", "sweep_levels": 1},
        {"refine": "gibbs", "sweeps": 2, "sweep_levels": 2, "guide_name": "hierarchical-guided"},
        {"guide_name": "hierarchical-guided", "num_chains": 3},
        {"refine": "tds", "timesteps": (990, 300)}, {"refine": "tds", "num_particles": 7, "timesteps": (999, 300)},
        {"refine": "tds", "own_cloud": False, "num_particles": 6},
        {"refine": "tds", "num_particles": 6, "guide_name": "hierarchical-guided"},
    ],
}  # fmt: skip


@pytest.mark.battery
@pytest.mark.parametrize("name", VARIED)
def test_settings_of_any_kind_are_claimed_as_they_are_counted(name, prior, seen):
    for settings in VARIED[name]:
        if "perceptual_refinement" in settings:  # LPIPS takes pictures
            prior = GaussianPrior(torch.zeros(1, 32, 32), torch.ones(1, 32, 32), prior.schedule)
            observed = torch.ones(1, 1, 32, 32, dtype=torch.bool)
            seen = Measurement.of(Inpainting(observed), torch.zeros(1, 1, 32, 32))
        quick = {"num_steps": 6} if "num_steps" not in settings else {}
        quick = {"fit_steps": 2, "refinement_steps": 4} if name == "vipaint" else quick
        sampler = make_sampler(name, **quick, **settings, **QUICK.get(name, {}))
        said, found = claim(sampler, prior, seen, 3), counted(sampler, prior, seen, 3)
        assert found[1] == pytest.approx(said.backward)
        assert found[0] == pytest.approx(said.forward) or (not said.exact and found[0] > said.forward)


def test_proportions_are_kept(gaussian):
    steps = at_calls("repaint", 1000, gaussian, 1)
    assert steps == {"num_steps": 101, "jump_length": 4}  # 10 of 250
    assert at_calls("daps", 1000, gaussian, 1) == {"num_steps": 200, "ode_steps": 5}  # the published ones
    grown = at_calls("copaint", 99, gaussian, 1)
    assert grown["lr_growth"] ** grown["num_steps"] == pytest.approx(1.012**250)
    halves = at_calls("vipaint-4", 250, gaussian, 5, {"refine": "dps"})
    assert (halves["fit_steps"], halves["refinement_steps"]) == (52, 122) and len(halves["timesteps"]) == 4
    assert halves["fit_steps"] * 12 / 5 == pytest.approx(125, abs=1)


@pytest.mark.parametrize("given", [{}, {"sweeps": 1}, {"sweeps": 2, "guide_name": "hierarchical-guided"}])
def test_sweeps_walk_down_once_more_each(gaussian, given):
    given = {"refine": "gibbs", **given}
    chosen, walks = at_calls("vipaint-4", 250, gaussian, 5, given), 1 + given.get("sweeps", 4)
    assert chosen["fit_steps"] == 52 and chosen["refinement_steps"] == round((122 - 3 * (walks - 1)) / walks)
    assert abs(calls_of(make_sampler("vipaint", **chosen), gaussian, half_seen(gaussian.image_shape), 5) - 250) <= 3


@pytest.mark.parametrize("calls, fit, steps", [(1000, 50, 88), (45, 9, 2)])
def test_particles_take_a_step_each(gaussian, calls, fit, steps):
    given = {"refine": "tds", "guide_name": "hierarchical"}
    chosen = at_calls("vipaint-4", calls, gaussian, 5, given)
    assert (chosen["fit_steps"], chosen["refinement_steps"]) == (fit, steps)  # 12 / 5 calls, and 10
    seen = half_seen(gaussian.image_shape)
    assert abs(calls_of(make_sampler("vipaint", **chosen), gaussian, seen, 5) - calls) <= 0.1 * calls
    with pytest.raises(ValueError, match="cannot be made to cost 10 forward calls .*: the least is 15.4"):
        at_calls("vipaint-4", 10, gaussian, 5, given)


def test_the_budget_of_a_prior_conditioned_on_several_images(network_prior):
    prior = network_prior.conditioned([0, 1, 2])
    assert at_calls("dps", 50, prior, 1) == {"num_steps": 50}


@pytest.mark.parametrize(
    "name, calls, num_samples, says",
    [
        ("dpz", 50, 1, "no method is called 'dpz'. Did you mean 'dps'"),
        ("vipaint-3", 50, 1, "no method is called 'vipaint-3'"),
        ("dps", 0, 1, "calls is a whole number of at least 1, but is 0"),
        ("dps", 50, 0, "num_samples is a whole number of at least 1, but is 0"),
        ("psld", 50, 1, "psld glues latents"),
        ("vipaint-4", 8, 1, "cannot be made to cost 8 forward calls per sample on this prior: the least is 25"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_said(gaussian, name, calls, num_samples, says):
    with pytest.raises(ValueError, match=re.escape(says)):
        at_calls(name, calls, gaussian, num_samples)


def test_what_cannot_be_claimed_is_said(gaussian, monkeypatch):
    seen = half_seen(gaussian.image_shape)
    for settings in ({"correct": "psis"}, {"guide_name": "mean-field"}):
        with pytest.raises(ValueError, match="the calls of vipaint are known ahead for the hierarchical guide"):
            calls_of(VIPaintSampler(**settings), gaussian, seen, 1)
    with pytest.raises(ValueError, match="at most 1000 steps"):
        calls_of(make_sampler("dps", num_steps=1001), gaussian, seen, 1)
    own = Method("own", "", "", "vipaint_pyro.samplers.dps:DPSSampler")
    monkeypatch.setitem(METHODS, "own", own)
    with pytest.raises(ValueError, match="own cannot be given a number of calls"):
        at_calls("own", 50, gaussian, 1)
    monkeypatch.setitem(BUDGETS, "own", Budget("One call a step."))
    assert at_calls("own", 50, gaussian, 1) == {"num_steps": 50}


def test_a_study_reckons_with_what_is_written_behind_a_method(network_prior):
    settings = settings_of("vipaint@100:timesteps=800,400;num_chains=4", network_prior, 3)
    assert settings["timesteps"] == (800, 400) and settings["num_chains"] == 4
    seen = half_seen(network_prior.image_shape)
    assert calls_of(make_sampler("vipaint", **settings), network_prior, seen, 3) == pytest.approx(100, abs=10)


def test_the_table_names_settings_that_there_are():
    assert BUDGETS.keys() == METHODS.keys()
    for name, budget in BUDGETS.items():
        there = {f.name for f in fields(METHODS[name].kind)}
        named = {budget.steps, *budget.inner, *budget.factors, *filter(None, (budget.beyond, budget.fit))}
        assert named <= there and budget.why.endswith(".")
        assert replace(budget) == budget


def test_calls_are_reckoned_with_levels_that_are_given(network_prior):
    prior, measurement = network_prior, half_seen(network_prior.image_shape)
    last = prior.schedule.last
    given = {"timesteps": (last, last // 2), "num_chains": 1, "fit_steps": 7}
    settings = at_calls("vipaint", 60, prior, 5, given)
    assert settings["timesteps"] == (last, last // 2) and settings["num_chains"] == 1 and settings["fit_steps"] != 7
    assert abs(calls_of(make_sampler("vipaint", **settings), prior, measurement, 5) - 60) <= 6
    without = at_calls("vipaint", 60, prior, 5) | {n: given[n] for n in ("timesteps", "num_chains")}
    assert abs(calls_of(make_sampler("vipaint", **without), prior, measurement, 5) - 60) > 6
