"""The Pyro program: its sites, its bound on a Gaussian prior, and Pyro's own tools on it."""

import math

import pyro
import pyro.distributions as dist
import pytest
import torch
from pyro import poutine
from pyro.infer import SVI, Predictive, Trace_ELBO, TraceMeanField_ELBO
from pyro.infer.autoguide import AutoDelta, AutoNormal
from pyro.infer.inspect import get_model_relations, render_model

from tests.conftest import standard_error
from vipaint_pyro.guides import HierarchicalGuide
from vipaint_pyro.inference import fit
from vipaint_pyro.measurements.inpainting import Inpainting
from vipaint_pyro.measurements.likelihood import Likelihood
from vipaint_pyro.measurements.likelihoods import Gaussian
from vipaint_pyro.measurements.measurement import Measurement
from vipaint_pyro.models import DiffusionModel, REDDiffModel

TIMES = (700, 500, 300)


def half(n=1, shape=(1, 2, 3)):
    observed = torch.zeros(n, *shape, dtype=torch.bool)
    observed[..., :2] = True
    return Inpainting(observed)


def test_sites_in_order(gaussian):
    model = DiffusionModel(gaussian, half(2), TIMES)
    trace = poutine.trace(model).get_trace(torch.zeros(2, 1, 2, 3).double())
    sites = [n for n, s in trace.nodes.items() if s["type"] == "sample"]
    assert [n for n in sites if n not in ("images", "noise_levels", "draws")] == [
        "z_999", "z_700", "z_t", "z_s", "z_500", "z_300", "x", "y",
    ]  # fmt: skip
    assert trace.nodes["z_500"]["value"].shape == (2, 1, 2, 3)
    assert trace.nodes["z_t"]["value"].shape == (4, 2, 1, 2, 3)
    assert all(s["value"].dtype == torch.float64 for n, s in trace.nodes.items() if n.startswith("z"))


def test_it_says_what_it_is(gaussian):
    schedule = "NoiseSchedule(T=1000, terminal_std=1)"
    prior = f"GaussianPrior(MixtureDenoiser, images (1, 2, 3), {schedule})"
    assert repr(gaussian) == prior
    assert repr(DiffusionModel(gaussian, half(2), TIMES)) == (
        f"DiffusionModel(Inpainting, Laplace, images 2, latents (1, 2, 3), timesteps {TIMES}, {prior})"
    )


def test_only_observed_pixels_are_scored(gaussian):
    model = DiffusionModel(gaussian, half(), TIMES, Gaussian(0.2))
    y = torch.randn(1, 1, 2, 3).double()
    trace = poutine.trace(model).get_trace(y)
    trace.compute_log_prob()
    x = trace.nodes["x"]["value"]
    expected = dist.Normal(x, 0.2).log_prob(y)[..., :2].sum()
    torch.testing.assert_close(trace.nodes["y"]["log_prob_sum"], expected)


def test_prior_predictive_has_the_prior_moments(gaussian):
    # x is a one-step prediction; z_{T_s} itself must have the prior's marginal.
    model = DiffusionModel(gaussian, half(), (500, 300, 20))
    model.sampling_steps = 25
    draws = Predictive(model, num_samples=4000, parallel=True, return_sites=["z_20", "y"])()
    z = draws["z_20"].reshape(-1, 1, 2, 3)
    marginal = gaussian.marginal(20)
    mean, std = marginal.mean, marginal.stddev
    assert ((z.mean(0) - mean).abs() < 4 * standard_error(z)).all()
    assert ((z.std(0) / std - 1).abs() < 4 / math.sqrt(2 * len(z))).all()


@pytest.mark.parametrize("form", ["bridge", "marginal"])
def test_a_drawn_y_holds_to_the_contract(gaussian, form):
    """0 where nothing is observed; what the program says of it, it says of any y."""
    model = DiffusionModel(gaussian, half(), TIMES, Gaussian(0.3), form=form)
    y = Predictive(model, num_samples=4)()["y"]
    assert (y[..., 2] == 0).all() and (y[..., :2] != 0).all()
    trace = poutine.trace(model).get_trace()
    model(trace.nodes["y"]["value"])
    assert trace.nodes["y"]["fn"].log_prob(trace.nodes["y"]["value"] + torch.tensor([0, 0, 7.0])).isfinite()


class _Flat(Likelihood):
    def __init__(self, law):
        self.law = law

    def at(self, operator, prediction):
        return self.law(prediction.x)


@pytest.mark.parametrize(
    "law, error, words",
    [
        (lambda x: x, TypeError, "gives a distribution of pyro.distributions, such as .*, but gave tensor"),
        (lambda x: dist.Normal(x, 1.0), ValueError, r"but gave batch shape \(2, 1, 2, 3\) and event shape \(\)"),
        (lambda x: dist.Normal(x, 1.0).to_event(4), ValueError, r"gave batch shape \(\) and event .*\(2, 1, 2, 3\)"),
        (lambda x: dist.Normal(x.mT.mT[0], 1.0).to_event(3), ValueError, r"but gave batch shape \(\) and event shape"),
    ],
)
def test_a_likelihood_of_ones_own_is_one_of_n_images(gaussian, law, error, words):
    model = DiffusionModel(gaussian, half(2), TIMES, _Flat(law))
    with pytest.raises(error, match=rf"_Flat.at\(operator, prediction\) .*{words}"):
        model(torch.zeros(2, 1, 2, 3).double())


def test_predictive_with_a_guide_draws_images(gaussian):
    model = DiffusionModel(gaussian, half(2), TIMES)
    guide = HierarchicalGuide(model, torch.zeros(2, 1, 2, 3).double())
    for parallel in (False, True):
        draws = Predictive(model, guide=guide, num_samples=7, parallel=parallel)()
        assert draws["x"].reshape(7, 2, 1, 2, 3).std(0).min() > 0
        x = gaussian.denoise(draws["z_300"], 300)
        torch.testing.assert_close(draws["x"].reshape(x.shape), x)


def test_condition_and_block_and_replay(gaussian):
    model = DiffusionModel(gaussian, half(), TIMES)
    y = torch.full((1, 1, 2, 3), 0.3).double()
    conditioned = poutine.trace(poutine.condition(model, {"y": y})).get_trace()
    assert conditioned.nodes["y"]["is_observed"] and "z_s" in conditioned.nodes
    replayed = poutine.trace(poutine.replay(model, trace=conditioned)).get_trace(y)
    torch.testing.assert_close(replayed.nodes["x"]["value"], conditioned.nodes["x"]["value"])
    blocked = poutine.trace(poutine.block(model, hide=["z_500"])).get_trace(y)
    assert "z_500" not in blocked.nodes and "z_300" in blocked.nodes


def test_relations_and_picture(gaussian):
    model = DiffusionModel(gaussian, half(), TIMES, form="marginal")
    y = torch.zeros(1, 1, 2, 3).double()
    relations = get_model_relations(model, (y,))
    assert set(relations["observed"]) == {"x", "y"}
    assert relations["sample_sample"]["z_300"] == ["z_500"]
    assert "z_700" in render_model(model, (y,)).source


def test_what_is_drawn_above_t_e_has_its_edges(gaussian):
    """Though its density is masked, by which Pyro finds edges."""
    model = DiffusionModel(gaussian, half(), TIMES, Gaussian(0.3))
    relations = get_model_relations(model)["sample_sample"]
    assert {name: relations[name] for name in ("z_999", "z_700", "z_t", "z_s", "z_500")} == {
        "z_999": [], "z_700": ["z_999"], "z_t": ["z_700"], "z_s": ["z_t"], "z_500": ["z_700"]
    }  # fmt: skip
    source = render_model(model).source
    assert "z_999 -> z_700" in source and "z_700 -> z_t" in source


@pytest.mark.battery
@pytest.mark.parametrize("guide_type", [AutoNormal, AutoDelta])
def test_autoguides_learn_in_the_same_loop(gaussian, guide_type):
    # Both find the posterior mean at the level they end on.
    times = (300, 20)
    model = DiffusionModel(gaussian, half(), times, Gaussian(0.1), form="marginal")
    y = torch.where(model.operator.observed, 0.9, 0.0).double()
    guide = guide_type(model)
    svi = SVI(model, guide, pyro.optim.Adam({"lr": 0.03}), Trace_ELBO(4, vectorize_particles=True))
    losses = [svi.step(y) for _ in range(250)]
    assert sum(losses[-50:]) < sum(losses[:50])
    exact = (gaussian.mean / gaussian.std**2 + 0.9 / 0.1**2) / (gaussian.std**-2 + 0.1**-2)
    x = gaussian.denoise(guide.median()["z_20"], 20)[0]
    assert ((x - exact).abs() < 0.15)[..., :2].all()
    assert (x - gaussian.mean).abs()[..., 2:].lt(0.3).all()


@pytest.mark.slow
def test_vectorized_particles_agree_with_a_loop(gaussian):
    model = DiffusionModel(gaussian, half(2), TIMES)
    y = torch.randn(2, 1, 2, 3).double() * model.operator.observed
    guide = HierarchicalGuide(model, y)
    values = []
    for vectorize in (True, False):
        elbo = Trace_ELBO(50, vectorize_particles=vectorize, max_plate_nesting=3)
        draws = [elbo.loss(model, guide, y) for _ in range(20)]
        values.append(torch.tensor(draws, dtype=torch.float64))
    gap = values[0].mean() - values[1].mean()
    assert gap.abs() < 4 * (standard_error(values[0]) ** 2 + standard_error(values[1]) ** 2).sqrt()


def test_the_network_is_asked_once_per_level(network_prior):
    prior = network_prior.conditioned([1, 2])
    calls = []
    prior.denoiser = _Counted(prior.denoiser, calls)
    model = DiffusionModel(prior, half(2, (1, 8, 8)), TIMES, num_levels=4)
    y = torch.zeros(2, 1, 8, 8).double()
    guide = HierarchicalGuide(model, y)
    SVI(model, guide, pyro.optim.Adam({"lr": 0.01}), Trace_ELBO()).step(y)
    # Per image: four transitions above T_e, and once at each of the three timesteps.
    assert sum(calls) == 2 * (4 + 3)


class _Counted:
    def __init__(self, denoiser, calls):
        self.denoiser, self.calls = denoiser, calls
        self.device, self.dtype = denoiser.device, denoiser.dtype

    def __call__(self, z, t, class_labels=None):
        self.calls.append(len(z))
        return self.denoiser(z, t, class_labels)


def test_the_frozen_network_stays_out_of_pyro(network_prior):
    prior = network_prior.conditioned([0])
    model = DiffusionModel(prior, half(1, (1, 8, 8)), TIMES)
    y = torch.zeros(1, 1, 8, 8).double()
    guide = HierarchicalGuide(model, y)
    before = {k: v.clone() for k, v in prior.denoiser.network.state_dict().items()}
    svi = SVI(model, guide, pyro.optim.Adam({"lr": 0.1}), Trace_ELBO())
    for _ in range(2):
        svi.step(y)
    names = set(pyro.get_param_store().keys())
    assert names == {f"{guide._pyro_name}.{n}" for n, _ in guide.named_pyro_params()}
    assert all(p.requires_grad and p.grad is None for p in prior.denoiser.network.parameters())
    for k, v in prior.denoiser.network.state_dict().items():
        assert torch.equal(v, before[k])


def test_beta_weights_the_latents_only(gaussian):
    y = torch.randn(1, 1, 2, 3).double()
    sums = []
    for beta in (1.0, 3.0):
        torch.manual_seed(1)
        model = DiffusionModel(gaussian, half(), TIMES, beta=beta)
        trace = poutine.trace(model).get_trace(y)
        trace.compute_log_prob()
        sums.append({n: trace.nodes[n]["log_prob_sum"] for n in ("z_999", "z_s", "z_500", "y")})
    for name in ("z_999", "z_s", "z_500"):
        torch.testing.assert_close(sums[1][name], 3 * sums[0][name])
    torch.testing.assert_close(sums[1]["y"], sums[0]["y"])


@pytest.mark.parametrize(
    "options, words",
    [
        ({"beta": 0}, "positive weight"),
        ({"eta": 0}, "eta lies in"),
        ({"eta": 1.5}, "eta lies in"),
        ({"form": "factor"}, "'bridge' or 'marginal'"),
        ({"num_levels": 0}, "at least 1"),
        ({"timesteps": (300, 500)}, "must fall"),
    ],
)
def test_options_that_cannot_be(gaussian, options, words):
    with pytest.raises(ValueError, match=words):
        DiffusionModel(gaussian, half(), **{"timesteps": TIMES, **options})


def test_measurements_of_another_shape(gaussian):
    model = DiffusionModel(gaussian, half(), TIMES)
    with pytest.raises(ValueError, match=r"y has shape \(1, 1, 3, 3\).*\(1, 1, 2, 3\)"):
        model(torch.zeros(1, 1, 3, 3).double())
    with pytest.raises(ValueError, match=r"y has shape \(2, 1, 2, 3\).*\(1, 1, 2, 3\)"):
        model(torch.zeros(2, 1, 2, 3).double())


def test_labels_of_another_number(network_prior):
    with pytest.raises(ValueError, match="3 class labels for 2 images"):
        DiffusionModel(network_prior.conditioned([0, 1, 2]), half(2, (1, 8, 8)), TIMES)


def test_what_the_model_is_not_for_is_refused(gaussian):
    operator = Inpainting(torch.ones(1, 1, 2, 3, dtype=torch.bool))
    seen = Measurement.of(operator, torch.zeros(1, 1, 2, 3, dtype=torch.float64))
    with pytest.raises(TypeError, match="operator is one of .*make_operator"):
        DiffusionModel(gaussian, seen, (500,))
    with pytest.raises(TypeError, match="a likelihood is one of .*, or a function of A x as in .*, not 0.1"):
        DiffusionModel(gaussian, operator, (500,), 0.1)
    larger = Inpainting(torch.ones(1, 1, 4, 3, dtype=torch.bool))
    for kind, more in ((DiffusionModel, ((500,),)), (REDDiffModel, ())):
        with pytest.raises(ValueError, match=r"images of shape \(1, 4, 3\), but those of this prior have \(1, 2, 3\)"):
            kind(gaussian, larger, *more)


def test_a_likelihood_that_is_none_is_not_the_default(gaussian):
    operator = Inpainting(torch.ones(1, 1, 2, 3, dtype=torch.bool))
    for likelihood in (0.0, "", False, []):
        for make in (DiffusionModel, REDDiffModel):
            more = {"timesteps": (500,)} if make is DiffusionModel else {}
            with pytest.raises(TypeError, match="a likelihood is one of"):
                make(gaussian, operator, likelihood=likelihood, **more)


def test_a_fit_takes_y_as_a_measurement_too(gaussian):
    operator = Inpainting(torch.tensor([[[[True, False, True], [True, True, False]]]]))
    y = operator(torch.linspace(-0.5, 0.5, 6, dtype=torch.float64).reshape(1, 1, 2, 3))
    seen, losses = Measurement(operator, Gaussian(0.1), y), []
    for given in (y, seen):
        model = DiffusionModel(gaussian, operator, (500, 200), seen.likelihood)
        guide = HierarchicalGuide(model, given)
        losses.append(fit(model, guide, given, num_steps=3, generator=torch.Generator().manual_seed(0)).losses)
    assert losses[0] == losses[1]
    other = Measurement(Inpainting(~operator.observed), Gaussian(0.1), 1 - y)
    two = Measurement(Inpainting(operator.observed.expand(2, 1, 2, 3)), Gaussian(0.1), y.expand(2, 1, 2, 3))
    gaussian._denoised = None  # nothing is computed
    for given, said in ((other, "another mask than the model"), (two, "y holds 2 images, but 1 are measured")):
        for take in (lambda v: fit(model, guide, v, num_steps=1), lambda v: HierarchicalGuide(model, v)):
            with pytest.raises(ValueError, match=said):
                take(given)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_y_of_no_numbers_is_refused_by_every_run(gaussian, value):
    """SVI's own error names a site and a table of shapes; of an infinite y it had a loss of inf, and no error."""
    observed = torch.ones(1, 1, 2, 3, dtype=torch.bool)
    model = DiffusionModel(gaussian, Inpainting(observed), (500, 100))
    y = torch.zeros(1, 1, 2, 3).double()
    guide, wrong = HierarchicalGuide(model, y), y.clone()
    wrong[..., 0] = value
    svi = SVI(model, guide, pyro.optim.Adam({"lr": 0.01}), Trace_ELBO())
    for run in (lambda: svi.step(wrong), lambda: model(wrong)):
        with pytest.raises(ValueError, match="y holds values that are not finite; entries that are not observed are 0"):
            run()
    svi.step(y)


@pytest.mark.parametrize("loss", [Trace_ELBO, TraceMeanField_ELBO])
def test_a_bound_without_y_is_refused(gaussian, loss):
    """Trace_ELBO warned and left the likelihood out, the other had a KeyError of 'y'."""
    model = DiffusionModel(gaussian, Inpainting(torch.ones(1, 1, 2, 3, dtype=torch.bool)), (500, 100))
    y = torch.zeros(1, 1, 2, 3).double()
    guide, adam = HierarchicalGuide(model, y), pyro.optim.Adam({"lr": 0.01})
    with pytest.raises(TypeError, match=r"the model was run without y.*give it, svi.step\(y\), or condition"):
        SVI(model, guide, adam, loss()).step()
    conditioned = poutine.condition(model, {"y": y})
    pyro.set_rng_seed(0)
    first = SVI(conditioned, guide, adam, loss()).evaluate_loss()
    pyro.set_rng_seed(0)
    assert first == SVI(model, guide, adam, loss()).evaluate_loss(y)
    assert Predictive(model, guide=guide, num_samples=2)()["y"].shape[-4:] == (1, 1, 2, 3)
