"""Our samplers against deepinv's (0.5), step for step and with the same noise.

deepinv puts the pull into the score of its solver, so that a step has another weight than the papers': the tests say
which. It casts to float32 inside; here its modules are told that float32 is float64.
"""

from types import SimpleNamespace

import pytest
import torch

from tests.samplers.against.walks import OBSERVED, SEEN, SHAPE, Y, draws_of, gaussian, given, network, walk
from vipaint_pyro.measurements import Gaussian, Inpainting, Measurement
from vipaint_pyro.measurements.moment_matched import MomentMatched
from vipaint_pyro.measurements.super_resolution import SuperResolution
from vipaint_pyro.models import REDDiffModel
from vipaint_pyro.priors.kernels import reverse_step
from vipaint_pyro.priors.prediction import Prediction
from vipaint_pyro.samplers import BlendedSampler, DDNMSampler, DPSSampler, PiGDMSampler, REDDiffSampler
from vipaint_pyro.samplers.run import Run

pytest.importorskip("deepinv")

import deepinv
from deepinv.optim.data_fidelity import L2
from deepinv.optim.prior import RED
from deepinv.sampling import diffusion_sde, noisy_datafidelity, sde_solver

CLOSE = {"rtol": 0, "atol": 1e-8}


@pytest.fixture(autouse=True)
def in_float64(monkeypatch):
    exact = SimpleNamespace(**{**vars(torch), "float32": torch.float64})
    for module in (noisy_datafidelity, diffusion_sde):
        monkeypatch.setattr(module, "torch", exact)


@pytest.fixture(params=["gaussian", "network"])
def make(request):
    return {"gaussian": gaussian, "network": network}[request.param]


class Ours(torch.nn.Module):
    """E[x | x + rho eps] of our prior, rho being one of its ratios sigma / alpha."""

    def __init__(self, prior):
        super().__init__()
        self.prior = prior

    def forward(self, x, rho, **options):
        rho = float(torch.as_tensor(rho, dtype=torch.float64).flatten()[0])
        t = self.prior.schedule.time_of_ratio(rho)
        alpha, sigma = float(self.prior.schedule.alpha(t)), float(self.prior.schedule.sigma(t))
        assert rho == pytest.approx(sigma / alpha, rel=1e-9)
        return self.prior.denoise(alpha * x[:, None], t)[:, 0]


def inpainting(sigma_y=0.0):
    noise = deepinv.physics.GaussianNoise(torch.tensor(sigma_y, dtype=torch.float64))
    return deepinv.physics.Inpainting(SHAPE, mask=OBSERVED[0].double(), noise_model=noise)


def theirs(prior, fidelity=None, denoiser=None, eta=1.0):
    """deepinv's step: called with z_t, t, s, y and the physics."""
    schedule = prior.schedule
    sde = diffusion_sde.EDMDiffusionSDE(
        lambda t: schedule.sigma(t.long()) / schedule.alpha(t.long()), lambda t: schedule.alpha(t.long())
    )
    solver = sde_solver.DDIMSolver(torch.tensor([1.0, 0.0]), eta=eta)
    denoiser = denoiser or Ours(prior)
    sampler = diffusion_sde.PosteriorDiffusion(fidelity, denoiser, sde, solver, minus_one_one=False)

    @torch.no_grad()
    def step(z, t, s, y, physics, noise):
        solver.randn_like = lambda like: noise
        t, s = (torch.tensor(float(time)) for time in (t, s))
        return solver.step(sampler.posterior, t, s, z, y=y, physics=physics)[0]

    return step


def start(prior, t):
    alpha, sigma = float(prior.schedule.alpha(t)), float(prior.schedule.sigma(t))
    z = alpha * torch.randn(2, 1, *SHAPE, dtype=torch.float64)
    return z + sigma * torch.randn(2, 1, *SHAPE, dtype=torch.float64)


def stepped(monkeypatch, sampler, prior, seen, z, t, s):
    """Our step, and the noise that it drew (0 where none was)."""
    drawn = draws_of(monkeypatch)
    z_s, _ = sampler.step(Run(prior, seen, 2, torch.Generator().manual_seed(1)), z, t, s)
    return z_s[:, 0], drawn[0] if drawn else torch.zeros(2, *SHAPE)


LEVELS = [(900, 700, "preserving"), (60, 20, "preserving"), (500, 400, "exploding"), (700, 100, "flow")]


@pytest.mark.parametrize("t, s, schedule", LEVELS)
@pytest.mark.parametrize("eta", [0.0, 0.7, 1.0])
def test_dps_has_another_weight(make, monkeypatch, t, s, schedule, eta):
    # The paper's step is zeta at every t; deepinv's shift of the score makes it c_0 sigma_t^2 / alpha_t times weight.
    prior = make(schedule)
    z = start(prior, t)
    c_0, _, _ = (float(c) for c in reverse_step(prior.schedule, t, s, eta))
    zeta = 0.3 * c_0 * float(prior.schedule.sigma(t) ** 2 / prior.schedule.alpha(t))
    ours, noise = stepped(monkeypatch, DPSSampler(8, zeta=zeta, eta=eta), prior, SEEN, z, t, s)
    step = theirs(prior, noisy_datafidelity.DPSDataFidelity(weight=0.3), eta=eta)
    other = step(z[:, 0].clone(), t, s, Y, inpainting(), noise)
    torch.testing.assert_close(other, ours, rtol=1e-9, atol=1e-8)


@pytest.mark.parametrize("t, s, schedule", LEVELS)
@pytest.mark.parametrize("eta", [0.0, 1.0])
@pytest.mark.parametrize("sigma_y", [0.05, 0.4])
def test_pigdm_has_another_weight(make, monkeypatch, t, s, schedule, eta, sigma_y):
    # Both pull along the gradient of log p(y | z_t): the paper by alpha_t r_t^2, deepinv by c_0 sigma_t^2 / alpha_t.
    prior = make(schedule)
    z = start(prior, t)
    seen = Measurement(SEEN.operator, Gaussian(sigma_y), Y)
    ours, noise = stepped(monkeypatch, PiGDMSampler(8, eta=eta), prior, seen, z, t, s)
    step = theirs(prior, noisy_datafidelity.PiGDMDataFidelity(), eta=eta)
    other = step(z[:, 0], t, s, Y, inpainting(sigma_y), noise)
    plain = theirs(prior, eta=eta)(z[:, 0], t, s, Y, None, noise)
    alpha, sigma = float(prior.schedule.alpha(t)), float(prior.schedule.sigma(t))
    c_0, _, _ = (float(c) for c in reverse_step(prior.schedule, t, s, eta))
    own, another = alpha * sigma**2 / (alpha**2 + sigma**2), c_0 * sigma**2 / alpha
    assert (ours - plain).abs().max() > 1e-6
    torch.testing.assert_close((other - plain) * own / another, ours - plain, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("t", [50, 400, 800])
@pytest.mark.parametrize("schedule", ["preserving", "exploding"])
def test_the_moment_matched_likelihood(monkeypatch, t, schedule):
    def solve(operator, u, **options):  # deepinv's own is good to five digits
        basis = torch.eye(64, dtype=torch.float64).reshape(64, *SHAPE)
        matrix = torch.stack([operator(e.expand_as(u))[0].flatten() for e in basis], 1)
        return torch.linalg.solve(matrix, u.flatten(1).mT).mT.reshape_as(u)

    monkeypatch.setattr(noisy_datafidelity, "conjugate_gradient", solve)
    prior, scale = gaussian(schedule), 0.3
    z = start(prior, t).requires_grad_()
    seen = Prediction(prior, z, t, prior.denoise(z, t))
    log_p = MomentMatched(scale).at(Inpainting(OBSERVED), seen).log_prob(Y)
    (score,) = torch.autograd.grad(log_p.sum(), z)
    alpha = float(prior.schedule.alpha(t))
    rho = prior.schedule.sigma(t) / alpha
    fidelity = noisy_datafidelity.MomentMatchingDataFidelity(Ours(prior))
    gradient = fidelity.grad(z.detach()[:, 0] / alpha, Y, inpainting(scale), rho)  # of x = z / alpha
    torch.testing.assert_close(-gradient / alpha, score[:, 0], **CLOSE)


def test_blended_is_ddrm_without_its_noise_in_the_hole(make, monkeypatch):
    # DDRM with eta = 0 and eta_b = 1, without noise in y. deepinv divides its noise by sqrt(2), the paper does not.
    prior = make("exploding")
    drawn = draws_of(monkeypatch)
    visited, ours = walk(BlendedSampler(8), prior, 2)
    noise = [torch.where(OBSERVED, drawn[1], drawn[0]), *drawn[2:]]
    given(monkeypatch, [2**0.5 * n for n in noise])
    sigmas = [float(prior.schedule.sigma(t)) for t in visited[:-1]]
    ddrm = deepinv.sampling.DDRM(Ours(prior), sigmas=sigmas, eta=0.0, etab=1.0, eps=0.0)
    other = ddrm(Y.expand(2, *SHAPE).clone(), inpainting())
    torch.testing.assert_close(other, ours[-1], **CLOSE)


@pytest.mark.parametrize("operator", [Inpainting(OBSERVED), SuperResolution(SHAPE, 2, "average")], ids=["mask", "mean"])
@pytest.mark.parametrize("eta", [0.0, 0.7, 1.0])
@pytest.mark.parametrize("schedule", ["preserving", "exploding", "flow"])
def test_ddnm_by_deepinvs_pseudo_inverse_and_solver(make, monkeypatch, operator, eta, schedule):
    # deepinv has no DDNM: its A_dagger puts y in place, its DDIM takes the step.
    prior = make(schedule)
    y = operator(torch.linspace(-1, 1, 64, dtype=torch.float64).reshape(1, *SHAPE))
    physics = deepinv.physics.LinearPhysics(A=operator, A_adjoint=operator.adjoint, max_iter=200, tol=1e-13)

    class Projected(Ours):
        def forward(self, x, rho, **options):
            x_hat = super().forward(x, rho)
            return x_hat - physics.A_dagger(physics.A(x_hat) - y)

    drawn = draws_of(monkeypatch)
    visited, ours = walk(DDNMSampler(6, eta=eta), prior, 2, Measurement.of(operator, y))
    step, z = theirs(prior, denoiser=Projected(prior), eta=eta), ours[0]
    noise = [*(drawn[1:] or [None] * 5), None]
    for i, (t, s) in enumerate(zip(visited, visited[1:])):
        z = step(z, t, s, None, None, noise[i])
        torch.testing.assert_close(z, ours[i + 1], rtol=0, atol=5e-6)  # its least squares are not exact


def test_red_diff_by_red_and_l2(make, monkeypatch):
    # With the weight "linear" a step is Adam's along grad L2 + lambda (RED at mu + rho eps, less the noise itself).
    prior, steps, own = make(), [], REDDiffModel._regulariser

    def kept(model):
        regulariser = own(model)
        steps.append((int(regulariser.t), regulariser.noise[:, 0] if regulariser.noise.ndim > 4 else regulariser.noise))
        return regulariser

    monkeypatch.setattr(REDDiffModel, "_regulariser", kept)
    ours = REDDiffSampler(12, lr=0.2, lambda_=0.6)(prior, SEEN, 2, torch.Generator().manual_seed(0)).images[:, 0]
    mu = Y.repeat(2, 1, 1, 1).requires_grad_()
    adam, physics, red, l2 = torch.optim.Adam([mu], 0.2, (0.9, 0.99)), inpainting(), RED(Ours(prior)), L2(1.0)
    assert [t for t, _ in steps] == [round(999 * (11 - k) / 11) for k in range(12)]
    for t, noise in steps:
        rho = prior.schedule.sigma(t) / prior.schedule.alpha(t)
        with torch.no_grad():
            mu.grad = l2.grad(mu, Y, physics) + 0.6 * (red.grad(mu + rho * noise, rho) - rho * noise)
        adam.step()
    torch.testing.assert_close(mu.detach(), ours, **CLOSE)
