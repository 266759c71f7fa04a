"""L1 + LPIPS: the factor and its gradient against LPIPS by hand, in the program and in its weights."""

import pyro
import pytest
import torch
from pyro import poutine
from pyro.infer import SVI, Predictive, Trace_ELBO, TraceMeanField_ELBO

from tests.masked_pictures import by_hand, problem
from vipaint_pyro.guides import HierarchicalGuide
from vipaint_pyro.inference.fit import fit
from vipaint_pyro.inference.smc import SMC, run_smc
from vipaint_pyro.inference.weights import draw_path, log_importance_weights
from vipaint_pyro.measurements import lpips as lpips_module
from vipaint_pyro.measurements.inpainting import Inpainting
from vipaint_pyro.measurements.likelihoods import Gaussian, Laplace
from vipaint_pyro.measurements.lpips import LPIPS
from vipaint_pyro.measurements.measurement import Measurement
from vipaint_pyro.measurements.moment_matched import MomentMatched
from vipaint_pyro.measurements.operator import Operator
from vipaint_pyro.measurements.perceptual import Perceptual, published_weight
from vipaint_pyro.models import DiffusionModel, REDDiffModel
from vipaint_pyro.priors.prediction import Prediction
from vipaint_pyro.priors.schedules import CLEAN

TIMES = (700, 500, 300)
# LPIPS computes in float32: batches of another size round differently in the last digits.
NEAR = {"rtol": 1e-4, "atol": 1e-6}


class Halved(Operator):
    """Super-resolution: means of 2x2 pixels, all of them observed."""

    def __init__(self, n, channels, size):
        self.image_shape = (channels, size, size)
        self.observed = torch.ones(n, channels, size // 2, size // 2, dtype=torch.bool)

    def __call__(self, x):
        return torch.nn.functional.avg_pool2d(x.flatten(0, -4), 2).reshape(
            *x.shape[:-2], x.shape[-2] // 2, x.shape[-1] // 2
        )


# -- value and gradient ---------------------------------------------------------------------------


@pytest.mark.parametrize("channels, size", [(1, 8), (3, 16), (1, 70)])
def test_value_and_gradient_are_those_of_lpips_on_masked_pictures(lpips, channels, size):
    operator, y, x = problem(channels=channels, size=size)
    x.requires_grad_()
    value = Perceptual(40.0).penalty(operator, y, x)
    hand = 40 * by_hand(lpips, operator, y, x)
    assert value.shape == (2, 3) and value.dtype == torch.float64 and (value > 1).all()
    torch.testing.assert_close(value, hand, **NEAR)
    (gradient,), (expected,) = (torch.autograd.grad(v.sum(), x) for v in (value, hand))
    hidden = (~operator.observed).expand_as(gradient)
    assert (gradient[hidden] == 0).all() and (gradient[~hidden] != 0).any()
    torch.testing.assert_close(gradient, expected, rtol=1e-3, atol=1e-5 * expected.abs().max().item())


def test_a_smaller_measurement(lpips):
    _, _, x = problem(channels=3, size=16)
    operator = Halved(3, 3, 16)
    y = torch.rand(3, 3, 8, 8).double()
    torch.testing.assert_close(Perceptual(2.0).penalty(operator, y, x), 2 * by_hand(lpips, operator, y, x), **NEAR)


def test_hidden_pixels_may_be_anything():
    operator, y, x = problem()
    y_bad, x_bad = (torch.where(operator.observed, v, torch.nan) for v in (y, x))
    likelihood = Perceptual(1.0)
    operator.__class__ = type("Everything", (Inpainting,), {"__call__": lambda self, x: x})
    assert torch.equal(likelihood.penalty(operator, y_bad, x_bad), likelihood.penalty(operator, y, x))


def test_each_picture_has_its_own(monkeypatch):
    operator, y, x = problem(samples=5)
    together = Perceptual(1.0).penalty(operator, y, x)
    for i in range(3):
        own = Perceptual(1.0).penalty(Inpainting(operator.observed[[i]]), y[[i]], x[:, [i]])
        torch.testing.assert_close(together[:, [i]], own, **NEAR)
    # y with x's leading axes, as where it is drawn, and chunks of two pictures.
    torch.testing.assert_close(Perceptual(1.0).penalty(operator, y.expand_as(x), x), together, **NEAR)
    monkeypatch.setattr(lpips_module, "CHUNK", 2)
    torch.testing.assert_close(Perceptual(1.0).penalty(operator, y, x), together, **NEAR)
    torch.testing.assert_close(Perceptual(1.0).penalty(operator, y, x[0]), together[0], **NEAR)


def test_the_gradient_is_a_number_where_a_layer_is_silent():
    # Where every channel is 0, LPIPS divides by a norm that has no gradient.
    network = lpips_module._Distance()
    with torch.no_grad():
        network._net.net.slice5[-2].bias.fill_(-1e6)
    x = torch.rand(1, 1, 3, 64, 64, requires_grad=True)
    value = network.spread(x, torch.rand(1, 3, 64, 64))
    assert torch.isfinite(torch.autograd.grad(value.sum(), x)[0]).all() and value > 0


def test_the_truth_itself_costs_nothing_and_pulls_nowhere():
    operator, y, _ = problem()
    x = y.clone().requires_grad_()
    value = Perceptual(9.0).penalty(operator, y, x)
    assert (value == 0).all() and (torch.autograd.grad(value.sum(), x)[0] == 0).all()


def test_networks_are_loaded_once_and_only_when_needed(monkeypatch):
    loaded = []

    class Loads(lpips_module._Distance):
        def __init__(self, *arguments):
            loaded.append(arguments)
            super().__init__(*arguments)

    monkeypatch.setattr(lpips_module, "_Distance", Loads)
    lpips_module.shared_lpips.cache_clear()
    operator, y, x = problem()
    one, two = Perceptual(1.0), Perceptual(2.0, Gaussian(0.1))
    assert loaded == []
    for likelihood in (one, two, one):
        likelihood.penalty(operator, y, x)
    assert loaded == [("alex", None)]
    lpips_module.shared_lpips.cache_clear()


# -- in the program -------------------------------------------------------------------------------


@pytest.mark.parametrize("pixel", [Laplace(0.5), Gaussian(0.2), MomentMatched(0.2)])
def test_the_program_scores_likelihood_plus_factor(smooth, lpips, pixel):
    operator, y, _ = problem()
    likelihood = Perceptual(30.0, pixel)
    model = DiffusionModel(smooth, operator, TIMES, likelihood, beta=7.0)
    trace = poutine.trace(model).get_trace(y)
    trace.compute_log_prob()
    bare = DiffusionModel(smooth, operator, TIMES, pixel, beta=7.0)
    without = poutine.trace(poutine.replay(bare, trace=trace)).get_trace(y)
    without.compute_log_prob()
    x = trace.nodes["x"]["value"]
    node = trace.nodes["perceptual"]
    expected = -30 * by_hand(lpips, operator, y, x)
    assert node["log_prob"].shape == (3,) and node["is_observed"]
    # Neither beta nor anything else scales it.
    torch.testing.assert_close(node["log_prob"], expected, **NEAR)
    torch.testing.assert_close(trace.nodes["y"]["log_prob"], without.nodes["y"]["log_prob"])
    torch.testing.assert_close(trace.log_prob_sum(), without.log_prob_sum() + expected.sum(), **NEAR)
    z = trace.nodes["z_300"]["value"]
    seen = likelihood.at(operator, Prediction(smooth, z, 300, smooth.denoise(z, 300)))
    torch.testing.assert_close(seen.log_prob(y), (trace.nodes["y"]["log_prob"] + expected), **NEAR)


def test_without_it_the_program_has_the_sites_it_had(smooth):
    operator, y, _ = problem()
    sites = [list(poutine.trace(DiffusionModel(smooth, operator, TIMES, lik)).get_trace(y).nodes) for lik in (
        Laplace(), Perceptual(1.0))]  # fmt: skip
    assert "perceptual" not in sites[0] and [*sites[0][:-1], "perceptual", "_RETURN"] == sites[1]


def test_a_drawn_or_conditioned_measurement_has_its_factor_too(smooth, lpips):
    operator, y, _ = problem()
    model = DiffusionModel(smooth, operator, TIMES, Perceptual(30.0))
    for program, given in ((model, None), (poutine.condition(model, {"y": y}), y)):
        trace = poutine.trace(program).get_trace()
        trace.compute_log_prob()
        drawn = trace.nodes["y"]["value"]
        assert given is None or drawn is given
        expected = -30 * by_hand(lpips, operator, drawn, trace.nodes["x"]["value"])
        torch.testing.assert_close(trace.nodes["perceptual"]["log_prob"], expected, **NEAR)
    draws = Predictive(model, num_samples=4, parallel=True)()
    assert draws["x"].shape == (4, 1, 1, 3, 1, 8, 8)


@pytest.mark.parametrize("kind", [Trace_ELBO, TraceMeanField_ELBO])
def test_the_bound_is_lower_by_the_mean_of_the_factor(smooth, lpips, kind):
    operator, y, _ = problem()
    losses, xs = [], []
    for likelihood in (Laplace(), Perceptual(30.0)):
        pyro.clear_param_store()
        model = DiffusionModel(smooth, operator, TIMES, likelihood)
        guide = HierarchicalGuide(model, y)
        elbo = kind(2, vectorize_particles=True, max_plate_nesting=3)

        def seen(*args, model=model):
            xs.append(model(*args))

        torch.manual_seed(3)
        losses.append(elbo.differentiable_loss(seen, guide, y))
    factor = 30 * by_hand(lpips, operator, y, xs[1]).sum() / 2
    torch.testing.assert_close(losses[1] - losses[0], factor, rtol=1e-4, atol=1e-4)


def test_the_fit_records_the_factor_and_follows_it(smooth):
    operator, y, _ = problem()
    ends = []
    for weight in (0.0, 3000.0):
        model = DiffusionModel(smooth, operator, TIMES, Perceptual(weight))
        guide = HierarchicalGuide(model, y)
        record = fit(model, guide, y, num_steps=16, generator=torch.Generator().manual_seed(0))
        share = record.terms["perceptual"]
        assert share.shape == (16, 3) and (share >= 0).all()
        total = 64 * sum(term.sum(1) for term in record.terms.values())
        torch.testing.assert_close(total, torch.tensor(record.losses).to(total), rtol=1e-4, atol=1e-4)
        x = model(y).detach() if weight < 0 else smooth.decode(smooth.denoise(guide(y).detach(), 300))
        ends.append(Perceptual(1.0).penalty(operator, y, x).mean())
    assert ends[1] < 0.9 * ends[0]


# -- who else sees a likelihood -------------------------------------------------------------------


def test_importance_weights_hold_the_factor(smooth, lpips):
    operator, y, _ = problem()
    model = DiffusionModel(smooth, operator, TIMES, Perceptual(20.0))
    guide = HierarchicalGuide(model, y)
    path = draw_path(model, guide, 5, torch.Generator().manual_seed(0))
    log_w, without = (log_importance_weights(model, path, y, likelihood=lik) for lik in (None, Laplace()))
    x = smooth.denoise(path.z[300], 300)
    torch.testing.assert_close(log_w - without, -20 * by_hand(lpips, operator, y, x), rtol=1e-4, atol=1e-4)


def test_smc_weighs_by_the_factor_down_to_the_image(smooth, monkeypatch):
    # A penalty that is the same everywhere takes just that from log p(y).
    operator, y, _ = problem()
    results = []
    for likelihood in (Laplace(), Perceptual(1.0)):
        monkeypatch.setattr(Perceptual, "penalty", lambda self, operator, y, x: 2.5 + 0 * x.sum((-3, -2, -1)))
        model = DiffusionModel(smooth, operator, TIMES, likelihood)
        guide = HierarchicalGuide(model, y)
        measurement, generator = Measurement(operator, likelihood, y), torch.Generator().manual_seed(0)
        results.append(run_smc(model, guide, measurement, SMC(4, 5), generator=generator))
    torch.testing.assert_close(results[1].log_evidence, results[0].log_evidence - 2.5)
    torch.testing.assert_close(results[1].images, results[0].images)


def test_on_the_clean_image(smooth, lpips):
    operator, y, x = problem()
    seen = Perceptual(5.0, MomentMatched(0.3)).at(operator, Prediction(smooth, x, CLEAN, x))
    plain = Gaussian(0.3)(operator(x)).mask(operator.observed).to_event(3).log_prob(y)
    torch.testing.assert_close(seen.log_prob(y), plain - 5 * by_hand(lpips, operator, y, x), **NEAR)
    with pytest.raises(NotImplementedError):
        seen.sample()


def test_red_diffs_program_has_the_factor_too(smooth, lpips):
    operator, y, _ = problem()
    trace = poutine.trace(REDDiffModel(smooth, operator, Perceptual(30.0, Gaussian(0.2)))).get_trace(y)
    trace.compute_log_prob()
    x = trace.nodes["x"]["value"]
    torch.testing.assert_close(trace.nodes["perceptual"]["log_prob"], -30 * by_hand(lpips, operator, y, x), **NEAR)
    plain = Gaussian(0.2)(operator(x)).mask(operator.observed).to_event(3).log_prob(y)
    torch.testing.assert_close(trace.nodes["y"]["log_prob"], plain)


@pytest.mark.parametrize(
    "arguments, words",
    [
        ((True,), "not a bool"),
        ((-1.0,), "at least 0, but is -1"),
        ((float("nan"),), "at least 0, but is nan"),
        ((float("inf"),), "at least 0, but is inf"),
        ((1.0, Laplace(), "resnet"), "'alex' or 'vgg', not 'resnet'"),
    ],
)
def test_likelihoods_that_cannot_be(arguments, words):
    with pytest.raises(ValueError, match=words):
        Perceptual(*arguments)


def test_a_file_of_weights_may_lie_at_home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(FileNotFoundError, match=f"{tmp_path.name}/none.safetensors"):
        LPIPS("alex", "~/none.safetensors")


def test_the_published_weight(network_prior, gaussian):
    assert published_weight(network_prior) == 64 and published_weight(gaussian) == 6


def test_svi_of_pyro_itself_runs_on_it(smooth):
    operator, y, _ = problem()
    model = DiffusionModel(smooth, operator, TIMES, Perceptual(20.0))
    svi = SVI(model, HierarchicalGuide(model, y), pyro.optim.Adam({"lr": 0.01}), Trace_ELBO())
    assert all(torch.isfinite(torch.tensor(svi.step(y))) for _ in range(2))
