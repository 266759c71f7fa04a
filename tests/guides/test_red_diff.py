"""RED-diff's guide: the published algorithm to the digit, and the exact posterior mean with the bound."""

import copy

import pyro
import pyro.distributions as dist
import pytest
import torch
from pyro import poutine
from pyro.infer import SVI, Trace_ELBO

from vipaint_pyro.guides.red_diff import REDDiffGuide
from vipaint_pyro.inference.fit import fit
from vipaint_pyro.measurements.inpainting import Inpainting
from vipaint_pyro.measurements.likelihoods import Gaussian
from vipaint_pyro.measurements.matrix import Matrix
from vipaint_pyro.models.red_diff import REDDiffModel

OBSERVED = torch.tensor([[True, True, False], [False, True, False]]).reshape(1, 1, 2, 3)
Y = torch.tensor([[0.9, -0.8, 0.0], [0.0, 0.1, 0.0]]).double().reshape(1, 1, 2, 3)


def elbo(particles=1):
    return Trace_ELBO(num_particles=particles, vectorize_particles=True, max_plate_nesting=2)


def published(prior, y, times, restarts, lr, lambda_, generator):
    """Algorithm 1 with the released code's loss, in a plain loop."""
    mu = (y * OBSERVED).expand(restarts, *y.shape).clone().requires_grad_()
    optimizer = torch.optim.Adam([mu], lr=lr, betas=(0.9, 0.99))
    for t in times:
        alpha, sigma = float(prior.schedule.alpha(t)), float(prior.schedule.sigma(t))
        eps = torch.randn(mu.shape, generator=generator, dtype=mu.dtype)
        z_t = alpha * mu.detach() + sigma * eps
        eps_hat = (z_t - alpha * prior.denoise(z_t, t)) / sigma
        fidelity = ((y - mu * OBSERVED) ** 2).mean() / 2
        loss = fidelity + lambda_ * sigma / alpha * ((eps_hat - eps) * mu).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return mu.detach()


def test_it_is_the_published_algorithm(gaussian):
    model = REDDiffModel(gaussian, Inpainting(OBSERVED), num_steps=40, lambda_=0.4, restarts=3)
    guide = REDDiffGuide(model, Y)
    optim = pyro.optim.Adam({"lr": 0.1, "betas": (0.9, 0.99)})
    fit(model, guide, Y, num_steps=40, optim=optim, loss=elbo(), generator=torch.Generator().manual_seed(4))
    expected = published(gaussian, Y, model.times, 3, 0.1, 0.4, torch.Generator().manual_seed(4))
    torch.testing.assert_close(guide.mu_0.detach(), expected, rtol=1e-5, atol=1e-5)
    assert model.step == 0  # the next fit starts at the top


@pytest.mark.parametrize("std", [0.0, 0.02])
def test_with_the_bound_the_optimum_is_the_posterior_mean(gaussian, std):
    # A Gaussian posterior's mode is its mean.
    scale = 0.4
    model = REDDiffModel(gaussian, Inpainting(OBSERVED), Gaussian(scale), weight="bound", schedule_of_t="random")
    guide = REDDiffGuide(model, Y, std)
    assert guide.learning_rate("guide.mu_0") == 0.1
    fit(model, guide, Y, num_steps=60, loss=elbo(100))
    path = []
    optim = pyro.optim.Adam({"lr": 0.02, "betas": (0.9, 0.99)})
    fit(
        model, guide, Y, num_steps=200, optim=optim, loss=elbo(200),
        callback=lambda *_: path.append(guide.mu_0[0, 0].detach().clone()),
    )  # fmt: skip
    precision = gaussian.std**-2 + torch.where(OBSERVED[0], scale**-2, 0.0)
    mean = (gaussian.mean / gaussian.std**2 + torch.where(OBSERVED[0], Y[0] / scale**2, 0.0)) / precision
    error = (torch.stack(path[-150:]).mean(0) - mean) * precision.sqrt()
    assert error.abs().max() < 0.1, error


@pytest.mark.parametrize("order", ["descending", "random"])
def test_an_image_does_not_depend_on_its_neighbours(gaussian, order):
    y = torch.cat([Y, -Y])

    def fitted(which):
        n = len(which)
        operator = Inpainting(OBSERVED.expand(n, 1, 2, 3))
        model = REDDiffModel(gaussian, operator, num_steps=20, schedule_of_t=order, restarts=2)
        generators = [torch.Generator().manual_seed(i) for i in which]
        guide = REDDiffGuide(model, y[which], 0.05, init_std=0.5, generator=generators)
        fit(model, guide, y[which], num_steps=20, loss=elbo(), generator=generators)
        return guide.mu_0.detach()

    both = fitted([0, 1])
    for i in (0, 1):
        torch.testing.assert_close(both[:, [i]], fitted([i]))
    assert (both[0] - both[1]).abs().min() > 0


def test_the_global_state_decides_plain_svi(gaussian):
    results = []
    for _ in range(2):
        model = REDDiffModel(gaussian, Inpainting(OBSERVED), num_steps=10, restarts=2)
        guide = REDDiffGuide(model, Y)
        svi = SVI(model, guide, pyro.optim.Adam({"lr": 0.1}), Trace_ELBO(max_plate_nesting=2))
        torch.manual_seed(7)
        for _ in range(10):
            svi.step(Y)
        results.append(guide.mu_0.detach().clone())
    assert torch.equal(*results)


def test_starts(gaussian):
    model = REDDiffModel(gaussian, Inpainting(OBSERVED), restarts=2000)
    start = REDDiffGuide(model, Y).mu_0.detach()
    assert torch.equal(start, (Y * OBSERVED).expand(2000, 1, 1, 2, 3))
    jittered = REDDiffGuide(model, Y, init_std=0.5).mu_0.detach() - start
    assert abs(float(jittered.std()) / 0.5 - 1) < 4 / (2 * jittered.numel()) ** 0.5
    assert jittered.std(0).min() > 0.45


def test_the_noise_of_a_start_is_each_images_own(gaussian):
    def starts(*seeds):
        n = len(seeds)
        model = REDDiffModel(gaussian, Inpainting(OBSERVED.expand(n, 1, 2, 3)), restarts=3)
        generators = [torch.Generator().manual_seed(k) for k in seeds]
        return REDDiffGuide(model, Y.expand(n, 1, 2, 3), init_std=0.5, generator=generators).mu_0.detach()

    together = starts(1, 2)
    for i, seed in enumerate((1, 2)):
        assert torch.equal(together[:, i : i + 1], starts(seed))
    assert not torch.equal(together[:, 0], together[:, 1])


def test_starts_at_the_pseudo_inverse(gaussian):
    # Of measurements by multiples of orthonormal rows; the last saw nothing but zeros.
    rows = torch.linalg.qr(torch.randn(6, 6).double())[0][:2]
    matrix = torch.stack([3 * rows, -0.5 * rows, rows])
    y = torch.tensor([[1.0, -2.0], [0.3, 0.4], [0.0, 0.0]]).double()[:, None, None]
    start = REDDiffGuide(REDDiffModel(gaussian, Matrix(matrix, (1, 2, 3))), y).mu_0.detach()[0]
    expected = torch.linalg.pinv(matrix) @ y.reshape(3, 2, 1)
    torch.testing.assert_close(start, expected.reshape(3, 1, 2, 3))


def test_a_point_or_a_gaussian(gaussian):
    model = REDDiffModel(gaussian, Inpainting(OBSERVED), restarts=2)
    point = poutine.trace(REDDiffGuide(model, Y)).get_trace().nodes["z_0"]
    assert isinstance(point["fn"], dist.Delta) and point["value"].shape == (2, 1, 1, 2, 3)
    guide = REDDiffGuide(model, Y, 0.3)
    torch.manual_seed(0)
    with pyro.plate("chains", 4000, dim=-3):
        z = guide().detach()
    assert abs(float((z - guide.mu_0.detach()).std()) / 0.3 - 1) < 4 / (2 * z.numel()) ** 0.5


def test_a_copy_and_a_checkpoint_carry_the_fit(gaussian):
    model = REDDiffModel(gaussian, Inpainting(OBSERVED), restarts=2)
    guide = REDDiffGuide(model, Y, 0.3, init_std=1.0)
    restored = REDDiffGuide(model, torch.zeros_like(Y), 0.3)
    restored.load_state_dict(guide.state_dict())
    draws = []
    for g in (guide, copy.deepcopy(guide), restored):
        torch.manual_seed(3)
        draws.append(g())
    assert torch.equal(draws[0], draws[1]) and torch.equal(draws[0], draws[2])
    assert set(guide.state_dict()) == {"mu_0_unconstrained"}


def test_refuses_what_does_not_fit(gaussian):
    model = REDDiffModel(gaussian, Inpainting(OBSERVED))
    with pytest.raises(ValueError, match="y holds 2 images, but 1 are measured"):
        REDDiffGuide(model, Y.expand(2, 1, 2, 3))
    with pytest.raises(ValueError, match="std is at least 0"):
        REDDiffGuide(model, Y, -0.1)
    with pytest.raises(ValueError, match="init_std is at least 0"):
        REDDiffGuide(model, Y, init_std=float("nan"))
