"""Our samplers against azula's of the same name (0.11), latent for latent, in float64 and with the same noise.

azula's times are ours, looked up in our schedule; its denoiser is its own exact Gaussian one, or our network. Where
azula differs from the paper, a test says by how much.
"""

from dataclasses import replace

import pytest
import torch

from tests.samplers.against.walks import OBSERVED, SEEN, Network, Y, draws_of, gaussian, given, moments, network, walk
from vipaint_pyro.exact import GaussianPrior
from vipaint_pyro.measurements import Gaussian, Inpainting, Measurement
from vipaint_pyro.measurements.moment_matched import MomentMatched
from vipaint_pyro.priors.diffusion import DiffusionPrior
from vipaint_pyro.priors.prediction import Prediction
from vipaint_pyro.priors.schedules import CLEAN
from vipaint_pyro.samplers import (
    DDNMSampler,
    DPSSampler,
    MMPSSampler,
    PiGDMSampler,
    RePaintSampler,
    TMPDSampler,
)
from vipaint_pyro.samplers.run import Run

pytest.importorskip("azula")

from azula.denoise import Denoiser, DiracPosterior, GaussianDenoiser
from azula.guidance.diffpir import DiffPIRDenoiser
from azula.guidance.dps import DPSSampler as TheirDPS
from azula.guidance.mmps import MMPSDenoiser
from azula.guidance.pgdm import PGDMSampler
from azula.guidance.repaint import RePaintSampler as TheirRePaint
from azula.guidance.tmpd import TMPDenoiser
from azula.linalg.covariance import FullCovariance, IsotropicCovariance
from azula.noise import Schedule
from azula.sample import DDIMSampler

CLOSE = {"rtol": 0, "atol": 1e-8}
pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated")  # torch's own, in its jvp


class Levels(Schedule):
    """Our schedule by whole times, for azula."""

    def __init__(self, schedule):
        self.schedule = schedule

    def __call__(self, t):
        t = t.long()
        return self.schedule.alpha(t), self.schedule.sigma(t)


class Ours(Denoiser):
    """Our prior as a denoiser of azula's."""

    def __init__(self, prior):
        super().__init__()
        self.prior, self.schedule = prior, Levels(prior.schedule)

    def forward(self, x_t, t):
        return DiracPosterior(self.prior.denoise(x_t[:, None], int(t))[:, 0])


def their_gaussian(prior):
    """azula's own exact denoiser of the prior."""
    mean, covariance = moments()
    L, Q = torch.linalg.eigh(covariance)
    shape = prior.latent_shape
    full = FullCovariance(Q.reshape(*shape, -1), L)
    return GaussianDenoiser(mean.reshape(shape), full, Levels(prior.schedule))


PRIORS = {"gaussian": (gaussian, their_gaussian), "network": (network, Ours)}


@pytest.fixture(params=PRIORS)
def both(request):
    """Of a schedule: our prior, and what azula is given."""
    ours, theirs = PRIORS[request.param]

    def make(schedule="preserving"):
        prior = ours(schedule)
        return prior, theirs(prior)

    return make


def masked(x):
    return torch.where(OBSERVED, x, 0)


def times(*visited):
    return [torch.tensor(t) for t in visited]


def test_the_two_exact_denoisers_agree():
    prior = gaussian()
    x = torch.randn(2, 1, 8, 8, dtype=torch.float64)
    for t in (0, 10, 500, 999):
        theirs = their_gaussian(prior)(x, torch.tensor(t)).mean
        torch.testing.assert_close(prior.denoise(x[:, None], t)[:, 0], theirs, **CLOSE)


@pytest.mark.parametrize("schedule", ["preserving", "exploding"])
def test_dps(both, monkeypatch, schedule):
    # One sample at a time: azula's norm is that of the whole batch.
    prior, denoiser = both(schedule)
    drawn = draws_of(monkeypatch)
    visited, ours = walk(DPSSampler(8, zeta=0.7), prior, 1)
    given(monkeypatch, [*drawn[1:], torch.zeros(1, 1, 8, 8)])
    theirs, x = TheirDPS(denoiser, Y, masked, zeta=0.7), ours[0]
    for t, s, expected in zip(visited, visited[1:], ours[1:]):
        if s == CLEAN:  # algorithm 1 returns the last prediction; azula pulls it once more
            unpulled = x
            given(monkeypatch, [torch.zeros(1, 1, 8, 8)] * 2)
            assert (theirs.step(x, *times(t, s)) - expected).abs().max() > 1e-3
            theirs.zeta, x = 0.0, unpulled
        x = theirs.step(x, *times(t, s))
        torch.testing.assert_close(x, expected, **CLOSE)


def test_dps_of_azula_takes_one_norm_for_the_whole_batch(monkeypatch):
    # The paper's is each image's own, and so is ours: azula's pulls are shorter by |r_i| / |r|.
    prior = gaussian()
    drawn = draws_of(monkeypatch)
    visited, ours = walk(DPSSampler(8, zeta=0.7), prior, 2)
    given(monkeypatch, drawn[1:])
    z, steps = ours[0], times(*visited[:2])
    theirs = TheirDPS(their_gaussian(prior), Y, masked, zeta=0.7).step(z, *steps)
    given(monkeypatch, drawn[1:])
    plain = DDIMSampler(their_gaussian(prior), eta=1.0).step(z, *steps)
    residual = (Y - masked(prior.denoise(z[:, None], visited[0])[:, 0])).flatten(1).norm(dim=1)
    share = (residual / residual.norm()).reshape(2, 1, 1, 1)
    assert (share < 0.9).all()
    torch.testing.assert_close(theirs - plain, share * (ours[1] - plain), **CLOSE)


@pytest.mark.parametrize("eta", [0.0, 0.7, 1.0])
def test_pigdm_where_alpha_is_one(both, monkeypatch, eta):
    # There azula's factor alpha_s alpha_t is 1; ours is the length of z_s, without which a pull would be of z / length.
    # Its eta is the square of DDIM's.
    prior, denoiser = both("exploding")
    drawn = draws_of(monkeypatch)
    visited, ours = walk(PiGDMSampler(8, eta=eta), prior, 3)
    zeros = torch.zeros(3, 1, 8, 8)
    theirs = PGDMSampler(denoiser, Y, masked, lambda y: y, eta=eta**2)
    noise = [*(drawn[1:] or [zeros] * 7), zeros]
    for x, t, s, expected, own in zip(ours, visited[:-2], visited[1:], ours[1:], noise):
        length = float((1 + prior.schedule.sigma(s) ** 2) ** 0.5)
        given(monkeypatch, [own])
        pulled = theirs.step(x, *times(t, s))
        given(monkeypatch, [own])
        plain = DDIMSampler(denoiser, eta=eta**2).step(x, *times(t, s))
        torch.testing.assert_close(expected - plain, length * (pulled - plain), **CLOSE)
    # The last step of ours has no pull; azula's, and that of the paper's algorithm 1, has one.
    last, x = times(*visited[-2:]), ours[-2]
    given(monkeypatch, [zeros])
    plain = DDIMSampler(denoiser, eta=eta**2).step(x, *last)
    torch.testing.assert_close(plain, ours[-1], **CLOSE)
    given(monkeypatch, [zeros])
    assert (theirs.step(x, *last) - plain).abs().max() > 1e-4


@pytest.mark.parametrize("schedule", ["preserving", "flow"])
def test_pigdm_of_azula_pulls_less_by_alpha(both, monkeypatch, schedule):
    # Algorithm 1 adds alpha_t g, times the length of z_s where that is not 1; azula alpha_s alpha_t g.
    prior, denoiser = both(schedule)
    drawn = draws_of(monkeypatch)
    visited, ours = walk(PiGDMSampler(8), prior, 2)
    for i in range(1, 7):
        z, (t, s) = ours[i], visited[i : i + 2]
        given(monkeypatch, [drawn[i + 1]])
        theirs = PGDMSampler(denoiser, Y, masked, lambda y: y, eta=1.0).step(z, *times(t, s))
        given(monkeypatch, [drawn[i + 1]])
        plain = DDIMSampler(denoiser, eta=1.0).step(z, *times(t, s))
        alpha, sigma = float(prior.schedule.alpha(s)), float(prior.schedule.sigma(s))
        share = alpha / (alpha**2 + sigma**2) ** 0.5
        assert (ours[i + 1] - plain).abs().max() > 1e-5
        torch.testing.assert_close(theirs - plain, share * (ours[i + 1] - plain), **CLOSE)


@pytest.mark.parametrize("schedule", ["preserving", "exploding", "flow"])
@pytest.mark.parametrize("eta", [0.0, 0.7, 1.0])
def test_ddnm_is_the_limit_of_diffpir_without_noise(both, monkeypatch, eta, schedule):
    # azula has no DDNM. Its DiffPIR puts y in place where the noise of y vanishes beside the prediction's.
    prior, denoiser = both(schedule)
    drawn = draws_of(monkeypatch)
    visited, ours = walk(DDNMSampler(8, eta=eta), prior, 2)
    zeros = torch.zeros(2, 1, 8, 8)
    given(monkeypatch, [*(drawn[1:] or [zeros] * 7), zeros])
    projected = DiffPIRDenoiser(denoiser, Y, masked, var_y=1e-6, lmbda=1e-12, solver="cg", iterations=1)
    theirs, x = DDIMSampler(projected, eta=eta**2), ours[0]
    for t, s, expected in zip(visited, visited[1:], ours[1:]):
        x = theirs.step(x, *times(t, s))
        torch.testing.assert_close(x, expected, **CLOSE)


@pytest.mark.parametrize("repeats", [1, 3])
@pytest.mark.parametrize("schedule", ["preserving", "exploding"])
def test_repaint(both, monkeypatch, repeats, schedule):
    # azula goes up by one step at a time. We draw once for what is known and what is not, it twice.
    prior, denoiser = both(schedule)
    drawn = draws_of(monkeypatch)
    sampler = RePaintSampler(6, jump_length=1, jump_n_sample=repeats)
    visited, kept = walk(sampler, prior, 2)
    ours, noise = {}, []
    for i, (t, s) in enumerate(zip(visited, visited[1:])):
        if s > t:
            noise.append(drawn[i + 1])
        elif s != CLEAN:
            ours[t, s] = kept[i + 1]
            noise += [drawn[i + 1]] * 2
            if visited[i + 2] < s:  # its last renoising of a stretch leads nowhere
                noise.append(torch.zeros(2, 1, 8, 8))
    theirs, x = TheirRePaint(denoiser, Y.expand(2, 1, 8, 8), OBSERVED, iterations=repeats, eta=1.0), kept[0]
    noise += [torch.zeros(2, 1, 8, 8)] * 3
    given(monkeypatch, noise)
    for (t, s), expected in ours.items():
        x = theirs.step(x, *times(t, s))
        torch.testing.assert_close(x, expected, **CLOSE)
    # The last step is taken once (the published schedule); azula repeats this one too.
    theirs.iterations = 1
    torch.testing.assert_close(theirs.step(x, *times(*visited[-2:])), kept[-1], **CLOSE)


def prediction(prior, t):
    z = (0.7 * torch.randn(2, 1, 1, 8, 8, dtype=torch.float64)).requires_grad_()
    return z, Prediction(prior, z, t, prior.denoise(z, t))


@pytest.mark.parametrize("t", [50, 400, 800])
def test_the_moment_matched_likelihood_is_that_of_mmps(t):
    # azula's guided prediction is x_hat + sigma^2 / alpha times the gradient of our log-likelihood.
    # It solves over the last axis, and has to stop where the system is solved: four pixels, four iterations.
    prior, scale, observed = gaussian(), 0.3, torch.zeros_like(OBSERVED)
    observed[0, 0, 2:6:2, ::5] = True
    y = torch.where(observed, Y + 0.3, 0)
    z, seen = prediction(prior, t)
    log_p = MomentMatched(scale).at(Inpainting(observed), seen).log_prob(y)
    (score,) = torch.autograd.grad(log_p.sum(), z)
    gain = float(prior.schedule.sigma(t) ** 2 / prior.schedule.alpha(t))
    noise = IsotropicCovariance(scale**2)
    theirs = MMPSDenoiser(
        their_gaussian(prior), y[observed], lambda x: x[:, observed[0]], noise, solver="cg", iterations=4
    )
    guided = theirs(z[:, 0].detach(), torch.tensor(t)).mean
    torch.testing.assert_close(seen.z0.detach()[:, 0] + gain * score[:, 0], guided, **CLOSE)


@pytest.mark.parametrize("t", [50, 400, 800])
def test_the_moment_matched_likelihood_of_a_network_is_that_of_tmpd(t):
    exact, scale = gaussian(), 0.3
    prior = DiffusionPrior(exact.schedule, exact.denoiser, exact.latent_shape)  # does not know its covariance
    z, seen = prediction(prior, t)
    log_p = MomentMatched(scale).at(Inpainting(OBSERVED), seen).log_prob(Y)
    (score,) = torch.autograd.grad(log_p.sum(), z)
    gain = float(prior.schedule.sigma(t) ** 2 / prior.schedule.alpha(t))
    theirs = TMPDenoiser(their_gaussian(exact), Y, masked, scale**2)
    guided = theirs(z[:, 0].detach(), torch.tensor(t)).mean
    torch.testing.assert_close(seen.z0.detach()[:, 0] + gain * score[:, 0], guided, **CLOSE)


def pixels(x):
    """What is seen, over the last axis: azula solves over that one."""
    return x[:, OBSERVED[0]]


NOISY = Measurement(SEEN.operator, Gaussian(0.3), Y)
AGAINST = {
    "mmps-1": (MMPSSampler(8, iterations=1), lambda d: mmps(d, 1)),
    "mmps-3": (MMPSSampler(8, iterations=3), lambda d: mmps(d, 3)),
    "tmpd": (TMPDSampler(8), lambda d: TMPDenoiser(d, Y[OBSERVED], pixels, 0.09)),
}


def mmps(denoiser, iterations, solver="cg"):
    noise = IsotropicCovariance(0.09)
    return MMPSDenoiser(denoiser, Y[OBSERVED], pixels, noise, solver=solver, iterations=iterations)


class Calm(Network):
    """One whose Jacobian is positive; where it is not, azula's solvers go on, and ours stop."""

    def __call__(self, z, t, condition=None):
        alpha, sigma = (f(t).reshape(-1, 1, 1, 1) for f in (self.schedule.alpha, self.schedule.sigma))
        size = (alpha**2 + sigma**2).sqrt()
        return alpha * (z + 0.3 * size * self.unet(z / size, t).sample) / size**2


@pytest.mark.parametrize("schedule", ["preserving", "exploding", "flow"])
@pytest.mark.parametrize("name", AGAINST)
@pytest.mark.parametrize("of", ["gaussian", "network"])
@pytest.mark.parametrize("eta", [0.0, 1.0])
def test_mmps_and_tmpd(monkeypatch, schedule, name, of, eta):
    prior = gaussian(schedule)
    denoiser = their_gaussian(prior)
    if of == "network":
        prior = DiffusionPrior(prior.schedule, Calm(prior.schedule), prior.latent_shape)
        denoiser = Ours(prior)
    sampler, make = AGAINST[name]
    drawn = draws_of(monkeypatch)
    visited, ours = walk(replace(sampler, eta=eta), prior, 2, NOISY)
    given(monkeypatch, [*(drawn[1:] or [torch.zeros(2, 1, 8, 8)] * 7), torch.zeros(2, 1, 8, 8)])
    theirs = DDIMSampler(make(denoiser), eta=eta**2)
    for z, t, s, expected in zip(ours, visited, visited[1:], ours[1:]):
        torch.testing.assert_close(theirs.step(z, *times(t, s)), expected, **CLOSE)


@pytest.mark.parametrize("t", [100, 600])
def test_mmps_of_azula_goes_less_far_by_default(t):
    # One iteration of GMRES is one of conjugate gradients, shortened by cos^2 of the angle between r and M r.
    prior = gaussian()
    z = torch.randn(2, 1, 1, 8, 8, dtype=torch.float64)
    ours, x_hat = MMPSSampler(8, iterations=1).guided(Run(prior, NOISY, 2), z, t)
    theirs = mmps(their_gaussian(prior), 1, "gmres")(z[:, 0], torch.tensor(t)).mean[:, None]
    share = ((theirs - x_hat) / (ours - x_hat)).flatten(1)
    ratio = float(prior.schedule.alpha(t) / prior.schedule.sigma(t))
    covariance = torch.linalg.inv(torch.linalg.inv(moments()[1]) + ratio**2 * torch.eye(64).double())
    seen = OBSERVED.flatten()
    r = (Y - x_hat[:, 0]).flatten(1)[:, seen]
    Mr = r @ covariance[seen][:, seen] + 0.09 * r
    cos2 = (r * Mr).sum(1) ** 2 / (r.square().sum(1) * Mr.square().sum(1))
    torch.testing.assert_close(share, cos2[:, None].expand_as(share), rtol=0, atol=1e-6)
    assert (share < 1).all()


def test_the_noise_of_y_in_pigdm_is_that_of_mmps_with_its_covariance():
    # A prior of variance v independent in every entry has Cov[x | z_t] = r^2 for v = 1: PiGDM's assumption, exact.
    zeros, ones = (f(1, 8, 8, dtype=torch.float64) for f in (torch.zeros, torch.ones))
    unit, t, s = GaussianPrior(zeros, ones, gaussian().schedule, kernel="gaussian"), 600, 400
    z = torch.randn(2, 1, 1, 8, 8, dtype=torch.float64)
    seen = Measurement(SEEN.operator, Gaussian(0.3), Y)
    pulled, x_hat = PiGDMSampler(8, eta=0.0).step(Run(unit, seen, 2), z, t, s)
    alpha, sigma = float(unit.schedule.alpha(t)), float(unit.schedule.sigma(t))
    guided = MMPSDenoiser(Ours(unit), Y, masked, IsotropicCovariance(0.09), solver="cg", iterations=3)
    away = guided(z[:, 0], torch.tensor(t)).mean - x_hat[:, 0]
    plain = DDIMSampler(Ours(unit), eta=0.0).step(z[:, 0], *times(t, s))
    # away = sigma^2 / alpha times the score of y; PiGDM's pull is alpha r^2 times it, with r^2 = sigma^2 here.
    torch.testing.assert_close(pulled[:, 0] - plain, alpha**2 * away, **CLOSE)
    assert sigma**2 == pytest.approx(1 - alpha**2)
