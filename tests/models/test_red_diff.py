"""RED-diff's program on a Gaussian prior, where each of its terms has a closed form."""

import math
from collections import Counter

import pyro
import pyro.distributions as dist
import pytest
import torch
from pyro import poutine
from pyro.infer import SVI, Trace_ELBO, TraceMeanField_ELBO
from pyro.infer.autoguide import AutoDelta

from tests.conftest import standard_error
from vipaint_pyro.exact import GaussianPrior
from vipaint_pyro.measurements.inpainting import Inpainting
from vipaint_pyro.measurements.likelihoods import Gaussian
from vipaint_pyro.measurements.operator import LinearOperator
from vipaint_pyro.models.red_diff import WEIGHTS, REDDiffModel, REDDiffRegulariser
from vipaint_pyro.priors.schedules import NoiseSchedule

OBSERVED = torch.tensor([[True, True, False], [False, True, False]]).reshape(1, 1, 2, 3)
Y = torch.tensor([[0.9, -0.8, 0.0], [0.0, 0.1, 0.0]]).double().reshape(1, 1, 2, 3)
Z = torch.tensor([[0.3, -0.2, 0.8], [-0.5, 0.1, 1.4]]).double().reshape(1, 1, 2, 3)


def ratio(prior, t):
    """sigma_t / alpha_t."""
    return float(prior.schedule.sigma(t) / prior.schedule.alpha(t))


def eps_hat(prior, z_t, t):
    alpha, sigma = float(prior.schedule.alpha(t)), float(prior.schedule.sigma(t))
    return (z_t - alpha * prior.denoise(z_t, t)) / sigma


@pytest.mark.parametrize(
    "weight, expected",
    [
        ("linear", lambda r: r),
        ("sqrt", lambda r: r**0.5),
        ("square", lambda r: r * r),
        ("power2over3", lambda r: r ** (2 / 3)),
        ("log", lambda r: math.log(1 + r)),
        ("clip", lambda r: min(r, 1)),
        ("const", lambda r: 1),
    ],
)
@pytest.mark.parametrize("t", [900, 400, 20])
def test_the_published_gradient(gaussian, weight, expected, t):
    # w_t (eps_hat - eps), and nothing through the network.
    noise = torch.randn(3, *Z.shape).double()
    z = Z.expand_as(noise).clone().requires_grad_()
    regulariser = REDDiffRegulariser(gaussian, t, (3, 1), weight, 0.7, noise)
    (gradient,) = torch.autograd.grad(-regulariser.log_prob(z).sum(), z)
    z_t = float(gaussian.schedule.alpha(t)) * Z + float(gaussian.schedule.sigma(t)) * noise
    w = 0.7 * expected(ratio(gaussian, t))
    torch.testing.assert_close(gradient, w * (eps_hat(gaussian, z_t, t) - noise), rtol=1e-8, atol=1e-10)


def test_every_weight_is_tested():
    (marker,) = [m for m in test_the_published_gradient.pytestmark if m.args[0] == "weight, expected"]
    assert {name for name, _ in marker.args[1]} == set(WEIGHTS)


def expected_bound(prior, z):
    """The bound's expectation over noise and times, in closed form for a Gaussian prior."""
    last = prior.schedule.last
    snr = prior.schedule.log_snr(torch.arange(last + 1)).exp()
    steps = torch.cat([snr[:1], -snr.diff()]).reshape(-1, 1, 1, 1)
    snr, m, s = snr.reshape(-1, 1, 1, 1), prior.mean, prior.std
    error = ((z - m) ** 2 + snr * s**4) / (1 + snr * s**2) ** 2  # E (z - z0_hat)^2
    alpha, sigma = float(prior.schedule.alpha(last)), float(prior.schedule.sigma(last))
    top = 0.5 * ((alpha * z) ** 2 + sigma**2 - 1) - math.log(sigma)
    return -(0.5 * steps * error).sum() - top.sum() - 0.5 * z.numel() * math.log(2 * math.pi / float(snr[0]))


@pytest.mark.parametrize("last", [999, 300])
def test_the_bound_in_mean(gaussian, last):
    # A schedule that ends at 300 leaves signal at its last time: the KL at the top counts.
    table = torch.arange(last + 1)
    schedule = NoiseSchedule(gaussian.schedule.alpha(table), gaussian.schedule.sigma(table))
    prior = GaussianPrior(gaussian.mean, gaussian.std, schedule)
    repeats = 100_000 // len(table)
    t = table.repeat(repeats)[:, None]  # each time equally often
    draws = REDDiffRegulariser(prior, t, (len(t), 1), "bound", 1.0).log_prob(Z).reshape(repeats, -1).mean(1)
    assert (draws.mean() - expected_bound(prior, Z)).abs() < 4 * standard_error(draws)
    assert expected_bound(prior, Z) < dist.Normal(prior.mean, prior.std).log_prob(Z).sum()


def fine(prior):
    """The same Gaussian, on a schedule of small steps from no signal to hardly any noise."""
    snr = torch.logspace(7, -7, 4000, dtype=torch.float64)
    alpha = (snr / (1 + snr)).sqrt()
    return GaussianPrior(prior.mean, prior.std, NoiseSchedule(alpha, (1 / (1 + snr)).sqrt()))


def test_the_bound_is_the_kl_on_a_fine_schedule(gaussian):
    # E_q[log q - log_prob] = KL(q || p), for a Gaussian q.
    prior = fine(gaussian)
    q = dist.Normal(Z, 0.25)
    draws = []
    for _ in range(30):
        z = q.sample((4000,))
        bound = REDDiffRegulariser(prior, torch.arange(4000)[:, None], (4000, 1), "bound", 1.0)
        draws.append((q.log_prob(z).sum((-3, -2, -1)) - bound.log_prob(z)).mean())
    draws = torch.stack(draws)
    exact = torch.distributions.kl_divergence(q, dist.Normal(prior.mean, prior.std)).sum()
    gap = draws.mean() - exact
    assert -4 * standard_error(draws) < gap < 4 * standard_error(draws) + 6 * 0.04, (gap, standard_error(draws))


def test_the_bounds_gradient_is_the_score(gaussian):
    # Through the network: the mean over the times is d/dz log p(z). (Linear in the noise: take none.)
    z = Z.clone().requires_grad_()
    t = torch.arange(1000)[:, None]
    bound = REDDiffRegulariser(gaussian, t, (1000, 1), "bound", 1.0, torch.zeros_like(Z))
    (gradient,) = torch.autograd.grad(bound.log_prob(z).mean(), z)
    score = (gaussian.mean - Z) / gaussian.std**2
    torch.testing.assert_close(gradient, score[None].reshape(gradient.shape), rtol=0.03, atol=0.01)


def test_lambda_scales_every_weight(gaussian):
    noise = torch.randn_like(Z)
    for weight in ("linear", "bound"):
        one, three = (REDDiffRegulariser(gaussian, 500, (1,), weight, v, noise).log_prob(Z) for v in (1, 3))
        torch.testing.assert_close(three, 3 * one)
    model = REDDiffModel(gaussian, Inpainting(OBSERVED), weight="bound")
    assert model.lambda_ == 1
    assert REDDiffModel(gaussian, Inpainting(OBSERVED)).lambda_ == 0.25


def test_prior_predictive(gaussian):
    model = REDDiffModel(gaussian, Inpainting(OBSERVED.expand(2, 1, 2, 3)), Gaussian(0.2), restarts=3000)
    model.sampling_steps = 30
    trace = poutine.trace(model).get_trace()
    x, y = trace.nodes["x"]["value"], trace.nodes["y"]["value"]
    assert x.shape == y.shape == (3000, 2, 1, 2, 3)
    for values, mean, std in (
        (x, gaussian.mean, gaussian.std),
        (y, gaussian.mean * OBSERVED[0], ((gaussian.std**2 + 0.04) * OBSERVED[0]).sqrt()),
    ):
        values = values.reshape(-1, 1, 2, 3)
        assert ((values.mean(0) - mean).abs() <= 4 * standard_error(values)).all()  # y is 0 where hidden
        assert ((values.std(0) - std).abs() <= 4 * std / (2 * len(values)) ** 0.5).all()


def spied(prior, monkeypatch):
    times, denoise = [], prior.denoise
    monkeypatch.setattr(prior, "denoise", lambda z, t: (times.append(t), denoise(z, t))[1])
    return times


@pytest.mark.parametrize("kind", [Trace_ELBO, TraceMeanField_ELBO])
def test_each_svi_step_moves_down_by_one_time(gaussian, monkeypatch, kind):
    model = REDDiffModel(gaussian, Inpainting(OBSERVED), num_steps=5)
    times = spied(gaussian, monkeypatch)
    loss = kind(num_particles=3, vectorize_particles=True, max_plate_nesting=2)
    guide = AutoDelta(model)
    guide(Y)  # sets it up, with a draw from the prior
    svi = SVI(model, guide, pyro.optim.Adam({"lr": 0.1}), loss)
    down = [999, 749, 500, 250, 0]
    for expected in [*down, 999, 749]:
        times.clear()
        svi.step(Y)
        assert {int(t) for t in times} == {expected}
    assert model.step == 7
    with model.fitting():
        pass
    model(Y)  # not scored
    assert model.step == 0
    assert model.times == tuple(down)


def test_random_times_are_uniform_and_each_images_own(gaussian, monkeypatch):
    operator = Inpainting(OBSERVED.expand(20, 1, 2, 3))
    model = REDDiffModel(gaussian, operator, num_steps=4, schedule_of_t="random", restarts=200)
    times = spied(gaussian, monkeypatch)
    poutine.trace(poutine.condition(model, {"z_0": Z})).get_trace(Y.expand(20, 1, 2, 3)).log_prob_sum()
    (t,) = times
    assert t.shape == (200, 20)
    counts = Counter(t.flatten().tolist())
    assert set(counts) == {999, 666, 333, 0}
    assert all(abs(n / 4000 - 0.25) < 4 * (0.25 * 0.75 / 4000) ** 0.5 for n in counts.values())


@pytest.mark.parametrize("num_steps", [4, 1000])
def test_descending_the_bound_draws_from_equal_parts(gaussian, monkeypatch, num_steps):
    operator = Inpainting(OBSERVED.expand(20, 1, 2, 3))
    model = REDDiffModel(gaussian, operator, num_steps=num_steps, weight="bound", restarts=200)
    times, size = spied(gaussian, monkeypatch), 1000 // num_steps
    for k in (0, 1, num_steps - 1, num_steps):
        model.step = k
        poutine.trace(poutine.condition(model, {"z_0": Z})).get_trace(Y.expand(20, 1, 2, 3)).log_prob_sum()
        t = times[-1] - (num_steps - 1 - k % num_steps) * size
        assert t.min() >= 0 and t.max() < size
        assert (t.double().mean() - (size - 1) / 2).abs() <= 4 * size / (12 * 4000) ** 0.5
    assert model.step == num_steps + 1


class RowMeans(LinearOperator):
    """y = the mean of each row: two entries of an image of six."""

    observed = torch.ones(1, 1, 2, 1, dtype=torch.bool)
    image_shape = (1, 2, 3)

    def __call__(self, x):
        return x.mean(-1, keepdim=True)

    def adjoint(self, y):
        return y.expand(*y.shape[:-1], 3) / 3


@pytest.mark.parametrize("operator", [Inpainting(OBSERVED), RowMeans()])
def test_the_default_likelihood_has_the_published_balance(gaussian, operator):
    # Its gradient is d times that of mean (y - A mu)^2 / 2, the mean over all entries of y.
    y = operator(Y)
    model = REDDiffModel(gaussian, operator)
    mu = Z.clone().requires_grad_()
    trace = poutine.trace(poutine.condition(model, {"z_0": mu})).get_trace(y)
    trace.compute_log_prob()
    (ours,) = torch.autograd.grad(-trace.nodes["y"]["log_prob"].sum(), mu)
    (published,) = torch.autograd.grad(((y - operator(mu)) ** 2).mean() / 2, mu)
    torch.testing.assert_close(ours, mu.numel() * published)


def test_what_is_not_observed_does_not_count(gaussian):
    model = REDDiffModel(gaussian, Inpainting(OBSERVED))
    values = []
    for y in (Y, torch.where(OBSERVED, Y, 5.0)):
        trace = poutine.trace(poutine.condition(model, {"z_0": Z})).get_trace(y)
        trace.compute_log_prob()
        values.append(trace.nodes["y"]["log_prob"])
    assert torch.equal(*values)
    torch.testing.assert_close(values[0].sum(), dist.Normal(Z, 1).log_prob(Y)[OBSERVED].sum())


def test_a_last_time_without_signal_is_left_to_the_bound(gaussian):
    alpha = torch.tensor([0.99, 0.7, 0.0])
    prior = GaussianPrior(gaussian.mean, gaussian.std, NoiseSchedule(alpha, (1 - alpha**2).sqrt()))
    assert REDDiffModel(prior, Inpainting(OBSERVED), num_steps=2).times == (1, 0)
    assert REDDiffModel(prior, Inpainting(OBSERVED), num_steps=3, weight="bound").times == (2, 1, 0)
    for t in range(3):
        assert torch.isfinite(REDDiffRegulariser(prior, t, (1,), "bound", 1.0).log_prob(Z)).all()


def test_refuses_what_it_cannot_be(gaussian, network_prior):
    operator = Inpainting(OBSERVED)
    for options, message in (
        ({"num_steps": 0}, "num_steps lies in 1 ... 1000, but is 0"),
        ({"num_steps": 1001}, "but is 1001"),
        ({"weight": "snr"}, "weight is one of linear, .* or bound, not 'snr'"),
        ({"lambda_": -1}, "lambda_ is a finite weight"),
        ({"lambda_": math.nan}, "lambda_ is a finite weight"),
        ({"schedule_of_t": "ascending"}, "'descending' or 'random', not 'ascending'"),
        ({"restarts": 0}, "restarts is a whole number of at least 1, but is 0"),
        ({"weight": "bound", "schedule_of_t": "random", "num_steps": 9}, "leave num_steps at None"),
    ):
        with pytest.raises(ValueError, match=message):
            REDDiffModel(gaussian, operator, **options)
    with pytest.raises(ValueError, match="2 class labels for 3 images"):
        REDDiffModel(network_prior.conditioned([0, 1]), Inpainting(torch.ones(3, 1, 8, 8, dtype=torch.bool)))
    with pytest.raises(ValueError, match="y has shape"):
        REDDiffModel(gaussian, operator)(Y[..., :2])
