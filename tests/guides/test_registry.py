"""Guides by name, and what all of them must do alike."""

import copy
import io
import warnings

import pyro
import pytest
import torch
from pyro import poutine
from pyro.infer import Trace_ELBO

from tests.guides.oracle import OBSERVED, Y
from vipaint_pyro.guides import AUTO_GUIDES, GUIDES, HierarchicalGuide, MarkovGuide, Recipe, make_guide, recipe
from vipaint_pyro.inference.fit import fit
from vipaint_pyro.measurements.inpainting import Inpainting
from vipaint_pyro.measurements.likelihoods import Gaussian
from vipaint_pyro.models import DiffusionModel, REDDiffModel
from vipaint_pyro.samplers import draw

TIMES = (500, 300, 100)
OURS = ["hierarchical", "hierarchical-x0", "gaussian", "mean-field", "mixture", "flow"]
NAMES = [*OURS, *AUTO_GUIDES]
OTHER = torch.tensor([[-0.5, 0.4, 0.0], [0.0, -0.9, 0.0]]).double().reshape(1, 1, 2, 3)


def pair(name, prior, y=Y, form=None, **options):
    r = recipe(name)
    times = TIMES[-1:] if r.levels == 1 else TIMES
    operator = Inpainting(OBSERVED.expand(len(y), 1, 2, 3))
    model = DiffusionModel(prior, operator, times, Gaussian(0.4), form=form or r.form, **options)
    return model, make_guide(name, model, y)


@pytest.mark.battery
@pytest.mark.parametrize("name", NAMES)
def test_sites_match_and_every_parameter_learns(gaussian, name):
    y = torch.cat([Y, OTHER])
    model, guide = pair(name, gaussian, y, beta=3.0)  # a fit looks whether guide and model weigh their sites alike
    start = {n: p.detach().clone() for n, p in guide.named_parameters()}
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # check_model_guide_match warns of sites and shapes that differ
        for seed in range(2):
            record = fit(model, guide, y, num_steps=1, generator=torch.Generator().manual_seed(seed))
    assert all(torch.isfinite(torch.tensor(record.losses)))
    assert not [n for n, p in guide.named_parameters() if torch.equal(p, start[n])]


@pytest.mark.battery
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("many", [False, True])
def test_draws_have_the_latents_shape(gaussian, name, many):
    y = torch.cat([Y, OTHER])
    model, guide = pair(name, gaussian, y)
    generator = [torch.Generator().manual_seed(k) for k in (1, 2)] if many else torch.Generator().manual_seed(1)
    drawn = draw(model, guide, 5, generator)
    assert list(drawn) == list(model.timesteps)
    for z in drawn.values():
        assert z.shape == (5, 2, 1, 2, 3) and z.dtype == torch.float64
        if name not in ("AutoDelta", "AutoLaplaceApproximation"):
            assert z.std(0).min() > 0
    assert guide().shape == (2, 1, 2, 3)


@pytest.mark.battery
@pytest.mark.parametrize("name", NAMES)
def test_a_copy_and_a_checkpoint_carry_the_fit(gaussian, name):
    model, guide = pair(name, gaussian)
    fit(model, guide, Y, num_steps=2)
    twin = copy.deepcopy(guide)
    buffer = io.BytesIO()
    torch.save(guide.state_dict(), buffer)
    buffer.seek(0)
    restored = make_guide(name, model, torch.zeros_like(Y))
    restored.load_state_dict(torch.load(buffer, weights_only=True))
    draws = []
    for g in (guide, twin, restored):
        torch.manual_seed(3)
        draws.append(g())
    assert torch.equal(draws[0], draws[1]) and torch.equal(draws[0], draws[2])
    assert type(twin) is type(guide) and twin.model is model and twin._pyro_name != guide._pyro_name
    # Fitting the copy leaves the original, and the original goes on working.
    fit(model, twin, Y, num_steps=2)
    torch.manual_seed(3)
    assert torch.equal(guide(), draws[0])
    torch.manual_seed(3)
    assert not torch.equal(twin(), draws[0])
    fit(model, guide, Y, num_steps=1)


@pytest.mark.parametrize("name", ["hierarchical-x0", "gaussian", "mean-field", "AutoNormal"])
def test_an_images_fit_is_the_same_alone_and_in_a_batch(gaussian, name):
    results = []
    for y, seeds in ((torch.cat([Y, OTHER]), (4, 5)), (OTHER, (5,))):
        model, guide = pair(name, gaussian, y)
        fit(model, guide, y, num_steps=6, generator=[torch.Generator().manual_seed(k) for k in seeds])
        results.append([p.detach()[-1] for p in guide.parameters()])
    for batch, alone in zip(*results):
        torch.testing.assert_close(batch, alone)


@pytest.mark.parametrize("name", ["mixture", "flow"])
def test_an_images_fit_does_not_see_its_neighbour(gaussian, name):
    # Their draws at T_e come from the global state, whose order depends on how many images there are.
    results = []
    for y in (torch.cat([Y, OTHER]), torch.cat([Y, 0.3 * Y])):
        model, guide = pair(name, gaussian, y)
        torch.manual_seed(0)
        generator = [torch.Generator().manual_seed(k) for k in (4, 5)]
        fit(model, guide, y, num_steps=6, generator=generator)
        # The first image's: of flows.0, (M, N) and (M, N, C, H, W), or (N, C, H, W).
        kept = {n: p.detach() for n, p in guide.named_parameters() if not n.startswith("flows.1")}
        axis = {n: 0 if n.startswith("flows") or p.ndim == 4 else 1 for n, p in kept.items()}
        results.append({n: p if n.startswith("flows") else p.select(axis[n], 0) for n, p in kept.items()})
    for n, p in results[0].items():
        torch.testing.assert_close(p, results[1][n], msg=n)


@pytest.mark.parametrize("name", OURS)
def test_top_and_kernel_are_the_chain_that_forward_runs(gaussian, name):
    # What sequential Monte Carlo builds on, with particles on the left.
    model, guide = pair(name, gaussian, torch.cat([Y, OTHER]))
    assert isinstance(guide, MarkovGuide)
    with pyro.plate("samples", 4, dim=-4):
        trace = poutine.trace(guide).get_trace()
    trace.compute_log_prob()
    times = model.timesteps
    shape = (4, 2, 1, 2, 3)
    z = {t: trace.nodes[f"z_{t}"]["value"].reshape(shape) for t in times}
    q = guide.top()
    assert q.batch_shape == (2,) and q.sample((4,)).shape == shape
    if recipe(name).form == "marginal":
        expected = trace.nodes[f"z_{times[0]}"]["log_prob"].reshape(4, 2)
        torch.testing.assert_close(q.log_prob(z[times[0]]), expected)
    for t, s in zip(times, times[1:]):
        q = guide.kernel(z[t], t, s)
        assert q.batch_shape == (4, 2) and q.sample().shape == shape
        torch.testing.assert_close(q.log_prob(z[s]), trace.nodes[f"z_{s}"]["log_prob"].reshape(4, 2))


FAST = [*OURS, "AutoNormal"]
SLOW = [
    pytest.param(n, marks=pytest.mark.slow) for n in AUTO_GUIDES if n not in ("AutoNormal", "AutoRegressiveMessenger")
]


@pytest.mark.parametrize("name", FAST + SLOW)
def test_runs_on_a_networks_prior(network_prior, name):
    # No closed form above T_e, 64 entries, two images, labels.
    y = torch.rand(2, 1, 8, 8).double() * 2 - 1
    observed = torch.rand(2, 1, 8, 8) < 0.5
    r = recipe(name)
    times = (300,) if r.levels == 1 else (700, 300)
    model = DiffusionModel(network_prior.conditioned([1, 2]), Inpainting(observed), times, form=r.form, num_levels=2)
    guide = make_guide(name, model, y * observed)
    record = fit(model, guide, y * observed, num_steps=2)
    assert all(torch.isfinite(torch.tensor(record.losses)))
    assert torch.isfinite(draw(model, guide, 3)[300]).all()
    assert not any(n.startswith("denoiser") or "network" in n for n in guide.state_dict())


def test_unknown_names_say_what_there_is(gaussian):
    with pytest.raises(ValueError, match="Did you mean 'mean-field'.*AutoNormal"):
        recipe("mean_feild")
    with pytest.raises(ValueError, match="Did you mean 'AutoNormal'"):
        recipe("autonormal")
    with pytest.raises(ValueError, match="no guide is called 'xyz'. There are hierarchical, "):
        recipe("xyz")
    with pytest.raises(ValueError, match="discrete"):
        recipe("AutoDiscreteParallel")


def test_a_recipe_refuses_another_model(gaussian):
    model = DiffusionModel(gaussian, Inpainting(OBSERVED), TIMES)
    with pytest.raises(ValueError, match=r"'gaussian' is for 1 timestep, but the model has \(500, 300, 100\)"):
        make_guide("gaussian", model, Y)
    for name in ("mixture", "flow", "AutoNormal"):
        with pytest.raises(ValueError, match="needs a model with form='marginal', but the model's is 'bridge'"):
            make_guide(name, model, Y)
    with pytest.raises(TypeError, match="colour"):
        make_guide("hierarchical", model, Y, colour="red")
    with pytest.raises(ValueError, match="needs a DiffusionModel, not a REDDiffModel"):
        make_guide("hierarchical", REDDiffModel(gaussian, Inpainting(OBSERVED)), Y)
    with pytest.raises(ValueError, match=r"of its own.*method='red-diff', or in a Pyro script build REDDiffGuide"):
        make_guide("red-diff", model, Y)
    terminal = DiffusionModel(gaussian, Inpainting(OBSERVED), (999, 300))
    assert make_guide("mixture", terminal, Y)(Y).shape == Y.shape  # nothing above T_e: any form will do


def test_settings_reach_the_guide_and_a_new_recipe_joins(gaussian, monkeypatch):
    model = DiffusionModel(gaussian, Inpainting(OBSERVED), TIMES)
    guide = make_guide("hierarchical", model, Y, gamma=0.5)
    assert guide.gamma_100.detach().unique().item() == pytest.approx(0.5)
    mine = Recipe("mine", "another start", lambda model, y, **s: HierarchicalGuide(model, y, gamma=0.1, **s))
    monkeypatch.setitem(GUIDES, "mine", mine)
    assert make_guide("mine", model, Y).gamma_100.detach().unique().item() == pytest.approx(0.1)
    assert guide.finish() is guide
    assert all(r.name == n and r.summary and r.form in ("bridge", "marginal") for n, r in GUIDES.items())


def test_guides_with_gaussian_tops_run_on_both_forms(gaussian):
    for name in ("hierarchical-x0", "mean-field", "gaussian"):
        for form in ("bridge", "marginal"):
            model, guide = pair(name, gaussian, form=form)
            assert torch.isfinite(torch.tensor(Trace_ELBO().loss(model, guide, Y)))
