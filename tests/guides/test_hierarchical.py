"""VIPaint's guide where every answer is known: a Gaussian prior in float64."""

import copy

import pyro
import pyro.distributions as dist
import pytest
import torch
from pyro import poutine
from pyro.infer import SVI, Trace_ELBO, TraceMeanField_ELBO
from torch.distributions import kl_divergence

from tests.conftest import standard_error
from vipaint_pyro.guides import HierarchicalGuide
from vipaint_pyro.inference.fit import fit
from vipaint_pyro.measurements.harmonic import continued
from vipaint_pyro.measurements.inpainting import Inpainting
from vipaint_pyro.measurements.likelihoods import Gaussian
from vipaint_pyro.models import DiffusionModel
from vipaint_pyro.priors.kernels import posterior_std

OBSERVED = torch.tensor([[True, True, False], [False, True, False]]).reshape(1, 1, 2, 3)
Y = torch.tensor([[0.9, -0.8, 0.0], [0.0, 0.1, 0.0]]).double().reshape(1, 1, 2, 3)


def pair(prior, timesteps, likelihood=None, **options):
    model = DiffusionModel(prior, Inpainting(OBSERVED), timesteps, likelihood, **options)
    return model, HierarchicalGuide(model, Y)


def set_param(guide, name, value):
    with torch.no_grad():
        unconstrained = getattr(guide, name + "_unconstrained")
        constraint, _ = guide._pyro_params[name]
        unconstrained.copy_(torch.distributions.transform_to(constraint).inv(value.expand(unconstrained.shape)))


@pytest.mark.battery
@pytest.mark.parametrize("e", [998, 800, 300])
@pytest.mark.parametrize("num_levels", [2, 10_000])
def test_top_level_is_the_kl_to_the_marginal(gaussian, e, num_levels):
    # L_top = KL(q(z_Te) || p(z_Te)) for Gaussian data on any grid, all transitions or two of them.
    model, guide = pair(gaussian, (e,), num_levels=num_levels)
    set_param(guide, f"tau_{e}", torch.linspace(0.3, 1.2, 6).double().reshape(1, 1, 2, 3))
    marginal = gaussian.marginal(e)
    mean, std = marginal.mean, marginal.stddev
    q = dist.Normal(float(gaussian.schedule.alpha(e)) * getattr(guide, f"mu_{e}"), getattr(guide, f"tau_{e}"))
    exact = kl_divergence(q, dist.Normal(mean, std)).sum().detach()
    draws = []
    for _ in range(400 if num_levels == 2 else 60):
        guide_trace = poutine.trace(guide).get_trace(Y)
        model_trace = poutine.trace(poutine.replay(model, trace=guide_trace)).get_trace(Y)
        kl = 0
        for name in ("z_999", "z_s"):
            q_site, p_site = guide_trace.nodes[name], model_trace.nodes[name]
            value = kl_divergence(q_site["fn"], p_site["fn"]) * q_site["scale"]
            kl = kl + value.sum().detach()
        draws.append(kl)
    draws = torch.stack(draws)
    assert (draws.mean() - exact).abs() < 3.5 * standard_error(draws) + 2e-3


def test_gamma_one_and_the_priors_width_cost_nothing(gaussian):
    model, guide = pair(gaussian, (700, 500, 300))
    for t, s in ((700, 500), (500, 300)):
        set_param(guide, f"gamma_{s}", torch.tensor(1 - 1e-12).double())
        _, std = gaussian.reverse(torch.zeros(1, 1, 2, 3).double(), t, s)
        set_param(guide, f"tau_{s}", std)
    guide_trace = poutine.trace(guide).get_trace(Y)
    model_trace = poutine.trace(poutine.replay(model, trace=guide_trace)).get_trace(Y)
    for s in (500, 300):
        kl = kl_divergence(guide_trace.nodes[f"z_{s}"]["fn"], model_trace.nodes[f"z_{s}"]["fn"])
        assert kl.abs().max() < 1e-9


def posterior(prior, scale):
    """Mean and standard deviation of p(x | y), and log p(y), for Gaussian noise of this scale."""
    precision = prior.std**-2 + torch.where(OBSERVED[0], scale**-2, 0.0)
    mean = (prior.mean / prior.std**2 + torch.where(OBSERVED[0], Y[0] / scale**2, 0.0)) / precision
    evidence = dist.Normal(prior.mean, (prior.std**2 + scale**2).sqrt()).log_prob(Y[0])
    return mean, precision**-0.5, evidence[OBSERVED[0]].sum()


@pytest.mark.parametrize("timesteps", [pytest.param((600, 400, 200, 5), marks=pytest.mark.slow), (300, 5)])
def test_fit_finds_the_exact_posterior(gaussian, timesteps):
    scale = 0.4
    model, guide = pair(gaussian, timesteps, Gaussian(scale), num_levels=8)
    loss = TraceMeanField_ELBO(64, vectorize_particles=True, max_plate_nesting=3)
    for lr, steps in ((0.05, 200), (0.01, 150)):
        optim = pyro.optim.Adam({"lr": lr, "betas": (0.9, 0.99)})
        fit(model, guide, Y, num_steps=steps, optim=optim, loss=loss)
    mean, std, evidence = posterior(gaussian, scale)

    with torch.no_grad(), pyro.plate("chains", 40_000, dim=-4):
        z = guide().reshape(-1, 1, 2, 3)
    # z_5 is x up to its own small noise: compare at that level.
    alpha, sigma = float(gaussian.schedule.alpha(5)), float(gaussian.schedule.sigma(5))
    exact_std = (alpha**2 * std**2 + sigma**2).sqrt()
    assert ((z.mean(0) - alpha * mean).abs() < 0.1 * exact_std).all()
    ratio = z.var(0) / exact_std**2
    assert ((ratio > 0.9) & (ratio < 1.1)).all(), ratio

    elbo = Trace_ELBO(500, vectorize_particles=True, max_plate_nesting=3)
    draws = -torch.tensor([elbo.loss(model, guide, Y) for _ in range(60)]).double()
    assert draws.mean() < evidence + 3 * standard_error(draws)
    assert draws.mean() > evidence - 0.3


def test_both_elbos_agree_in_mean_and_gradient(gaussian):
    model, guide = pair(gaussian, (700, 400, 100), Gaussian(0.3), num_levels=6)
    results = {}
    for kind in (Trace_ELBO, TraceMeanField_ELBO):
        elbo = kind(200, vectorize_particles=True, max_plate_nesting=3)
        values, gradients = [], []
        for _ in range(80):
            guide.zero_grad()
            values.append(torch.tensor(elbo.loss_and_grads(model, guide, Y)))
            gradients.append(torch.cat([p.grad.reshape(-1) for p in guide.parameters()]))
        results[kind] = torch.stack(values).double(), torch.stack(gradients)
    for a, b in zip(results[Trace_ELBO], results[TraceMeanField_ELBO]):
        spread = (standard_error(a) ** 2 + standard_error(b) ** 2).sqrt()
        assert ((a.mean(0) - b.mean(0)).abs() < 4.5 * spread + 1e-6).all()


def test_two_guides_in_one_process_never_touch(gaussian):
    model, first = pair(gaussian, (500, 100))
    second = HierarchicalGuide(model, Y)
    svi = SVI(model, first, pyro.optim.Adam({"lr": 0.1}), Trace_ELBO())
    svi.step(Y)
    frozen = {k: v.clone() for k, v in first.state_dict().items()}
    other = SVI(model, second, pyro.optim.Adam({"lr": 0.1}), Trace_ELBO())
    for _ in range(3):
        other.step(Y)
    first(Y)
    for k, v in first.state_dict().items():
        assert torch.equal(v, frozen[k])
    assert not torch.equal(second.mu_500, first.mu_500)


def test_a_copy_and_a_checkpoint_carry_the_fit(gaussian):
    model, guide = pair(gaussian, (500, 100))
    SVI(model, guide, pyro.optim.Adam({"lr": 0.1}), Trace_ELBO()).step(Y)
    twin = copy.deepcopy(guide)
    restored = HierarchicalGuide(model, torch.zeros_like(Y))
    restored.load_state_dict(guide.state_dict())
    draws = []
    for g in (guide, twin, restored):
        torch.manual_seed(3)
        draws.append(g())
    assert torch.equal(draws[0], draws[1]) and torch.equal(draws[0], draws[2])
    pyro.clear_param_store()
    torch.manual_seed(3)
    assert torch.equal(guide(), draws[0])
    assert set(guide.state_dict()) == {
        f"{n}_unconstrained" for n in ("mu_500", "tau_500", "mu_100", "tau_100", "gamma_100")
    }


def test_below_the_top_it_mixes_the_priors_step_with_a_free_mean(gaussian):
    # Eq. 12: gamma m^p(z_t) + (1 - gamma) alpha_s mu_s, with alpha once.
    _, guide = pair(gaussian, (500, 100))
    set_param(guide, "gamma_100", torch.tensor(0.3).double())
    set_param(guide, "mu_100", torch.full((1, 1, 2, 3), 0.7).double())
    trace = poutine.trace(guide).get_trace(Y)
    prior_mean, _ = gaussian.reverse(trace.nodes["z_500"]["value"], 500, 100)
    expected = 0.3 * prior_mean + 0.7 * float(gaussian.schedule.alpha(100)) * 0.7
    torch.testing.assert_close(trace.nodes["z_100"]["fn"].base_dist.loc, expected)


def test_starts_at_the_encoded_observation(gaussian):
    _, guide = pair(gaussian, (500, 100))
    top = guide.top()
    torch.testing.assert_close(top.mean, float(gaussian.schedule.alpha(500)) * guide.mu_500)
    torch.testing.assert_close(top.stddev, guide.tau_500)
    assert torch.equal(guide.mu_500.detach(), continued(Y, OBSERVED))
    torch.testing.assert_close(guide.tau_500[0, 0, 0, 0].detach(), gaussian.schedule.sigma(500))


def test_terminal_top_has_no_bridge(gaussian):
    model, guide = pair(gaussian, (999, 500, 100))
    trace = poutine.trace(guide).get_trace(Y)
    assert "z_t" not in trace.nodes and "z_999" in trace.nodes
    assert torch.isfinite(torch.tensor(Trace_ELBO().loss(model, guide, Y)))


def test_refuses_what_does_not_fit(gaussian):
    model = DiffusionModel(gaussian, Inpainting(OBSERVED), (500, 100))
    with pytest.raises(ValueError, match="y holds 2 images, but 1 are measured"):
        HierarchicalGuide(model, Y.expand(2, 1, 2, 3))
    for cut in (Y[..., :2], Y[..., 0, :]):
        with pytest.raises(ValueError, match="y has the shape of what is observed"):
            HierarchicalGuide(model, cut)
    with pytest.raises(ValueError, match="not finite; entries that are not observed are 0, not NaN"):
        HierarchicalGuide(model, torch.where(OBSERVED, Y, float("nan")))


def test_hidden_latents_start_as_the_prior():
    from tests.priors.pretrained.tiny import latent_kl
    from vipaint_pyro.priors.diffusion import DiffusionPrior

    pipe = latent_kl()
    prior = DiffusionPrior.from_components(pipe.unet.double(), pipe.scheduler, vqvae=pipe.vqvae.double())
    observed = torch.ones(1, 1, 16, 16, dtype=torch.bool)
    observed[..., 9:] = False  # latents from column 4 on have a hidden pixel
    model = DiffusionModel(prior, Inpainting(observed), (600, 300))
    y = torch.rand(1, 3, 16, 16, dtype=torch.float64) * observed
    guide, code = HierarchicalGuide(model, y, gamma=0.8, std_scale=0.5), prior.encode(continued(y, observed))
    schedule, std = prior.schedule, posterior_std(prior.schedule, 600, 300).item()
    for name, known, hidden in (
        ("tau_600", schedule.sigma(600).item(), 1.0),  # alpha^2 + sigma^2 = 1
        ("gamma_300", 0.8, 0.99),
        ("tau_300", 0.5 * std, std),
    ):
        value = getattr(guide, name).detach()
        assert (value[..., :4] - known).abs().max() < 1e-12 and (value[..., 4:] - hidden).abs().max() < 1e-12, name
    for name in ("mu_600", "mu_300"):
        value = getattr(guide, name).detach()
        assert torch.equal(value[..., :4], code[..., :4]) and not value[..., 4:].any()


def test_gamma_starts_low_where_a_code_is_known_and_high_on_pixels(gaussian):
    from tests.priors.pretrained.tiny import latent_kl
    from vipaint_pyro.guides import HierarchicalX0Guide
    from vipaint_pyro.priors.diffusion import DiffusionPrior

    pipe = latent_kl()
    latent = DiffusionPrior.from_components(pipe.unet.double(), pipe.scheduler, vqvae=pipe.vqvae.double())
    y = torch.rand(1, 3, 16, 16, dtype=torch.float64)
    model = DiffusionModel(latent, Inpainting(torch.ones(1, 1, 16, 16, dtype=torch.bool)), (600, 300))
    assert (HierarchicalGuide(model, y).gamma_300 - 0.2).abs().max() < 1e-12
    shifted = HierarchicalX0Guide(model, y)
    assert (shifted.mu_300 - 0.8 * latent.encode(y)).abs().max() < 1e-12
    pixels = DiffusionModel(gaussian, Inpainting(OBSERVED), (500, 100))
    assert (HierarchicalGuide(pixels, Y * OBSERVED).gamma_100 - 0.88).abs().max() < 1e-12
