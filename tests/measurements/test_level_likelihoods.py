"""What y says of z_t: moment-matched and exact likelihoods against closed forms (float64)."""

import pyro
import pytest
import torch
from pyro import poutine
from torch.distributions import MultivariateNormal, Normal

from tests.exact.brute_force import SCHEDULES, SHAPE, close, each, make, random
from vipaint_pyro.exact.likelihood import ExactGaussian
from vipaint_pyro.guides import HierarchicalGuide
from vipaint_pyro.measurements.inpainting import Inpainting
from vipaint_pyro.measurements.likelihoods import Gaussian, Laplace
from vipaint_pyro.measurements.matrix import Matrix
from vipaint_pyro.measurements.moment_matched import MomentMatched
from vipaint_pyro.models import DiffusionModel
from vipaint_pyro.priors.codecs import Codec
from vipaint_pyro.priors.counting import count_calls
from vipaint_pyro.priors.diffusion import DiffusionPrior
from vipaint_pyro.priors.prediction import Prediction
from vipaint_pyro.priors.schedules import CLEAN

MASK = torch.tensor([[[[True, False]], [[True, True]]], [[[False, False]], [[True, False]]]])
ALL_SCHEDULES = pytest.mark.parametrize("schedule", SCHEDULES.values(), ids=SCHEDULES)
T = 400


class Doubled(Codec):
    """A decoder."""

    def encode(self, x):
        return x / 2

    def decode(self, z):
        return 2 * z


def network(prior, **options):
    """The same diffusion model as any network would be: of its denoiser no more is known than its values."""
    return DiffusionPrior(prior.schedule, prior.denoiser, SHAPE, **options)


def seen(truth, schedule, z, operator, scale):
    """Mean and covariance of the entries observed of y, given z_t, image by image."""
    moments = []
    for n, m in enumerate(truth):
        A = torch.eye(4, dtype=torch.float64)[operator.observed.expand(2, *SHAPE)[n].flatten()] if (
            isinstance(operator, Inpainting)
        ) else operator.matrix[n]  # fmt: skip
        y = m.reverse(schedule, z[n], T, CLEAN).through(A, scale**2 * torch.eye(len(A), dtype=torch.float64))
        moments.append(y)
    return moments


def at(likelihood, prior, operator, z):
    return likelihood.at(operator, Prediction(prior, z, T, prior.denoise(z, T)))


@pytest.mark.parametrize("kind", ["gaussian", "number", "own full"])
@ALL_SCHEDULES
def test_of_a_known_prior(schedule, kind):
    prior, truth = make(kind, schedule)
    z, y = random(2, *SHAPE), random(2, *SHAPE, seed=1)
    operator = Inpainting(MASK)
    observed = [m.flatten() for m in MASK]
    exact, matched = (at(kind(0.3), prior, operator, z) for kind in (ExactGaussian, MomentMatched))
    moments = seen(truth, schedule, z, operator, 0.3)
    close(exact.log_prob(y), each(moments, lambda m, n: m.law.log_prob(y[n].flatten()[observed[n]])))
    normal = each(
        moments, lambda m, n: MultivariateNormal(m.mean, m.covariance).log_prob(y[n].flatten()[observed[n]])
    )
    close(matched.log_prob(y), normal)
    # What is not observed is not looked at.
    nonsense = torch.where(MASK, y, torch.nan)
    for law in (exact, matched):
        assert torch.equal(law.log_prob(nonsense), law.log_prob(torch.where(MASK, y, 0)))
        assert law.event_shape == SHAPE and (law.sample()[~MASK] == 0).all()
    if kind == "gaussian":
        close(exact.log_prob(y), matched.log_prob(y))
    else:
        assert (exact.log_prob(y) - matched.log_prob(y)).abs().max() > 1e-3


def test_draws_of_the_moment_matched_likelihood():
    prior, truth = make("own full", SCHEDULES["vp"])
    operator, z = Matrix(random(2, 3, 4, seed=2), SHAPE), random(2, *SHAPE)
    law = at(MomentMatched(0.3), prior, operator, z)
    draws = law.sample((20_000,)).flatten(2)
    for n, m in enumerate(seen(truth, prior.schedule, z, operator, 0.3)):
        close(law.mean[n].flatten(), m.mean)
        assert ((draws[:, n].mean(0) - m.mean).abs() < 4 * (m.covariance.diagonal() / 20_000).sqrt()).all()
        error = m.covariance.diagonal().outer(m.covariance.diagonal()).sqrt() * (2 / 20_000) ** 0.5
        assert ((draws[:, n].T.cov() - m.covariance).abs() < 4 * error).all()


@ALL_SCHEDULES
def test_row_sums_are_exact_where_entries_are_independent(schedule):
    # TMPD of a denoiser known by its values alone, on a Gaussian prior with a diagonal covariance.
    prior, _ = make("gaussian", schedule)
    z, y = random(3, 2, *SHAPE), random(2, *SHAPE, seed=1)
    for operator in (Inpainting(MASK), Inpainting(MASK[:, 1:]), Inpainting(torch.ones_like(MASK))):
        ours, exact = (at(MomentMatched(0.3), p, operator, z) for p in (network(prior), prior))
        # base_dist is the Gaussian; the mask leaves out what is not observed.
        shown = operator.observed.expand(2, *SHAPE)
        inner = ours.base_dist.base_dist
        close(inner.mean[:, shown], exact.mean[:, shown])
        close(inner.variance[:, shown], exact.variance[:, shown])
        close(ours.log_prob(y), exact.log_prob(y))


@pytest.mark.parametrize("kind", ["full", "own diagonal"])
@ALL_SCHEDULES
def test_row_sums(schedule, kind):
    # In general the variances are the row sums of A Cov A^T, or what is above 0 of them.
    prior, truth = make(kind, schedule)
    z = random(2, *SHAPE)
    for operator in (Inpainting(MASK), Matrix(random(2, 3, 4, seed=2), SHAPE)):
        law = at(MomentMatched(0.3), network(prior), operator, z).base_dist.base_dist
        for n, m in enumerate(seen(truth, schedule, z, operator, 0.0)):
            shown = operator.observed[n].flatten()
            rows = m.covariance.sum(-1).clamp_min(0)
            close(law.variance[n].flatten()[shown], rows + 0.09)
            close(law.mean[n].flatten()[shown], m.mean)


def test_negative_row_sums_leave_the_noise():
    prior, truth = make("full", SCHEDULES["vp"])
    A = torch.tensor([[1.0, 0, 0, 0], [-3.0, 0, 0, 0]]).double()
    operator, z = Matrix(A.expand(2, 2, 4), SHAPE), random(2, *SHAPE)
    (m, _), law = seen(truth, prior.schedule, z, operator, 0.0), at(MomentMatched(0.3), network(prior), operator, z)
    assert m.covariance.sum(-1)[0] < 0 < m.covariance.sum(-1)[1]
    assert law.base_dist.base_dist.variance[0, 0, 0, 0].item() == pytest.approx(0.09)


def test_a_scale_per_image():
    prior, _ = make("gaussian", SCHEDULES["vp"])
    scale, z, y = torch.tensor([0.1, 2.0]).double().reshape(2, 1, 1, 1), random(2, *SHAPE), random(2, *SHAPE, seed=1)
    for p in (prior, network(prior)):
        for kind in (MomentMatched, ExactGaussian) if p is prior else (MomentMatched,):
            both = at(kind(scale), p, Inpainting(MASK), z).log_prob(y)
            for n in range(2):
                one = at(kind(scale[n].item()), p, Inpainting(MASK), z).log_prob(y)
                close(both[n], one[n])


def test_gradients_reach_z_through_the_mean_alone():
    prior, _ = make("own full", SCHEDULES["vp"])
    p, operator, y = network(prior), Inpainting(MASK), random(2, *SHAPE, seed=1)
    z = random(2, *SHAPE).requires_grad_()
    matched, (p, calls) = MomentMatched(0.3), count_calls(p)
    z0 = p.denoise(z, T)
    law = matched.at(operator, Prediction(p, z, T, z0))
    assert calls.total == 2  # of the prediction alone
    (gradient,) = torch.autograd.grad(law.log_prob(y).sum(), z)
    fixed = law.base_dist.base_dist.scale.detach()
    again = p.denoise(z, T)
    plain = Normal(operator(again), fixed).log_prob(y)[MASK].sum()
    close(gradient, torch.autograd.grad(plain, z)[0])
    # Without a graph at hand it makes one, and the prediction it was given stays the mean.
    with torch.no_grad():
        for known in (p.denoise(z, T), z0.detach()):
            close(matched.at(operator, Prediction(p, z, T, known)).log_prob(y), law.log_prob(y).detach())
        shifted = matched.at(operator, Prediction(p, z, T, z0.detach() + 1))
    close(shifted.base_dist.base_dist.mean, (law.base_dist.base_dist.mean + MASK).detach())


def test_exact_likelihoods_gradient():
    # Against finite differences, through weights and means.
    prior, _ = make("own full", SCHEDULES["vp"])
    y = random(2, *SHAPE, seed=1)
    for likelihood in (ExactGaussian(0.3), MomentMatched(0.3)):

        def f(z, likelihood=likelihood):
            return at(likelihood, prior, Inpainting(MASK), z).log_prob(y).sum()

        assert torch.autograd.gradcheck(f, random(2, *SHAPE).requires_grad_())


@pytest.mark.parametrize("likelihood", [MomentMatched(0.3), ExactGaussian(0.3), Gaussian(0.3), Laplace(0.3)])
def test_on_the_clean_image_only_noise_is_left(likelihood):
    prior, _ = make("own full", SCHEDULES["vp"])
    x, y = random(2, *SHAPE), random(2, *SHAPE, seed=1)
    law = likelihood.at(Inpainting(MASK), Prediction(prior, x, CLEAN, x))
    kind = torch.distributions.Laplace if isinstance(likelihood, Laplace) else Normal
    expected = torch.where(MASK, kind(x, 0.3).log_prob(y), 0).sum((-3, -2, -1))
    close(law.log_prob(y), expected)
    p, calls = count_calls(network(prior))
    by_network = likelihood.at(Inpainting(MASK), Prediction(p, x, CLEAN, x))
    assert calls.total == 0  # a network knows no time of the clean image
    close(by_network.log_prob(y), expected)


def test_a_plug_in_likelihood_sees_the_decoded_prediction():
    prior, _ = make("own full", SCHEDULES["vp"])
    z, y = random(2, *SHAPE), random(2, *SHAPE, seed=1)
    z0 = random(2, *SHAPE, seed=2)
    expected = torch.where(MASK, Normal(z0, 0.3).log_prob(y), 0).sum((-3, -2, -1))
    close(Gaussian(0.3).at(Inpainting(MASK), Prediction(prior, z, T, z0)).log_prob(y), expected)
    latent = network(prior, codec=Doubled())
    close(Gaussian(0.3).at(Inpainting(MASK), Prediction(latent, z, T, z0 / 2)).log_prob(y), expected)


def test_refusals():
    prior, _ = make("gaussian", SCHEDULES["vp"])
    z = random(2, *SHAPE)
    with pytest.raises(TypeError, match="take MomentMatched"):
        at(ExactGaussian(0.3), network(prior), Inpainting(MASK), z)


@pytest.mark.parametrize("kind", ["own full", "number"])
@pytest.mark.parametrize("likelihood", [MomentMatched(0.3), ExactGaussian(0.3)])
def test_in_the_program(kind, likelihood):
    prior, truth = make(kind, SCHEDULES["vp"])
    operator, y = Inpainting(MASK), random(2, *SHAPE, seed=1) * MASK
    model = DiffusionModel(prior, operator, (700, T), likelihood)
    guide = HierarchicalGuide(model, y)
    with pyro.plate("chains", 3, dim=-4):
        guide_trace = poutine.trace(guide).get_trace(y)
        trace = poutine.trace(poutine.replay(model, trace=guide_trace)).get_trace(y)
    trace.compute_log_prob()
    z = trace.nodes[f"z_{T}"]["value"][1, 0, 0].detach()
    moments = seen(truth, prior.schedule, z, operator, 0.3)
    if isinstance(likelihood, ExactGaussian):
        expected = each(moments, lambda m, n: m.law.log_prob(y[n][MASK[n]]))
    else:
        expected = each(moments, lambda m, n: MultivariateNormal(m.mean, m.covariance).log_prob(y[n][MASK[n]]))
    close(trace.nodes["y"]["log_prob"][1, 0, 0].detach(), expected)
    # Chains that share one z are told apart by the plate alone: the likelihood is expanded to it.
    delta = {f"z_{t}": trace.nodes[f"z_{t}"]["value"][1, 0, 0] for t in (700, T)}
    program = poutine.condition(DiffusionModel(prior, operator, (700, T), likelihood, form="marginal"), delta)
    with pyro.plate("chains", 3, dim=-4):
        again = poutine.trace(program).get_trace(y)
    again.compute_log_prob()
    close(again.nodes["y"]["log_prob"].detach().expand(3, 1, 1, 2)[2, 0, 0], expected)
    assert poutine.trace(model).get_trace().nodes["y"]["value"].shape == y.shape
