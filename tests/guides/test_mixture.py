"""The mixture guide: unbiased gradients, and two meanings kept where the posterior has two."""

import pyro
import pyro.distributions as dist
import pytest
import torch
from pyro.infer import Trace_ELBO, TraceMeanField_ELBO

from tests.conftest import standard_error
from tests.guides.oracle import OBSERVED, Y, set_param
from tests.guides.test_closed_forms import scaled
from vipaint_pyro.distributions import NormalMixture
from vipaint_pyro.exact import GaussianMixturePrior
from vipaint_pyro.guides import MixtureGuide, make_guide
from vipaint_pyro.inference.fit import fit
from vipaint_pyro.measurements.harmonic import continued
from vipaint_pyro.measurements.inpainting import Inpainting
from vipaint_pyro.measurements.likelihoods import Gaussian
from vipaint_pyro.models import DiffusionModel
from vipaint_pyro.samplers import draw


def mixture(m=3, shape=(1, 1, 2)):
    g = torch.Generator().manual_seed(1)
    logits, loc, scale = (torch.randn(m, 2, *s, generator=g).double() for s in ((), shape, shape))
    return NormalMixture(logits, loc, 0.5 + 0.3 * scale.sigmoid())


def test_density_and_draws_are_those_of_a_mixture():
    q = mixture()
    parts = torch.distributions.MixtureSameFamily(
        torch.distributions.Categorical(logits=q.log_weights.T),
        torch.distributions.Independent(
            torch.distributions.Normal(q.loc.movedim(0, 1).flatten(-3), q.scale.movedim(0, 1).flatten(-3)), 1
        ),
    )
    z = torch.randn(5, 2, 1, 1, 2).double()
    torch.testing.assert_close(q.log_prob(z), parts.log_prob(z.flatten(-3)))
    torch.testing.assert_close(q.expand((4, 1, 2)).log_prob(z[:4, None]), q.log_prob(z[:4])[:, None])
    torch.testing.assert_close(q.log_responsibilities(z).exp().sum(0), torch.ones(5, 2).double())
    draws = q.rsample((40_000,)).flatten(-3)
    assert ((draws.mean(0) - parts.mean).abs() < 4 * standard_error(draws)).all()
    assert (draws.var(0) / parts.variance - 1).abs().max() < 0.05


@pytest.mark.parametrize("chains, vectorize", [(1, False), (20, True)])
def test_gradients_are_those_of_the_bound(chains, vectorize):
    # KL(q || N(0.3, 0.8^2)) on the line by quadrature, against Trace_ELBO; 1 chain has no baseline.
    q = mixture(2, (1, 1, 1))
    start = [t.detach()[:, :1].requires_grad_() for t in (q.log_weights, q.loc, q.scale)]
    grid = torch.linspace(-8, 8, 4001).double()[:, None, None, None, None]
    q = NormalMixture(*start)
    log_q = q.log_prob(grid)[:, 0]
    log_p = dist.Normal(0.3, 0.8).log_prob(grid)[:, 0, 0, 0, 0]
    kl = (log_q.exp() * (log_q - log_p)).sum() * (16 / 4000)
    exact = torch.autograd.grad(kl, start)

    def model():
        with pyro.plate("images", 1, dim=-1):
            pyro.sample("z", dist.Normal(torch.full((1, 1, 1, 1), 0.3).double(), 0.8).to_event(3))

    def guide():
        values = [pyro.param(n, v.detach().clone()) for n, v in zip(("logits", "loc", "scale"), start)]
        with pyro.plate("images", 1, dim=-1):
            pyro.sample("z", NormalMixture(*values))

    elbo = Trace_ELBO(chains, vectorize_particles=vectorize, max_plate_nesting=1)
    guide()
    params = [pyro.param(n) for n in ("logits", "loc", "scale")]
    rounds = []
    for _ in range(600 if chains == 1 else 300):
        for p in params:
            p.grad = None
        elbo.loss_and_grads(model, guide)
        rounds.append(torch.cat([p.grad.reshape(-1) for p in params]))
    rounds = torch.stack(rounds)
    expected = torch.cat([g.reshape(-1) for g in exact])
    assert expected.abs().min() > 0.01
    assert ((rounds.mean(0) - expected).abs() < 4 * standard_error(rounds)).all()
    assert (standard_error(rounds) < 0.12).all()


def test_a_chains_score_is_taken_off_the_mean_of_the_others():
    logits = torch.randn(3, 2, generator=torch.Generator().manual_seed(3)).double().requires_grad_()
    loc, scale = torch.zeros(3, 2, 1, 1, 2).double(), torch.ones(3, 2, 1, 1, 2).double()
    loc = loc + torch.arange(3).reshape(3, 1, 1, 1, 1)
    z = torch.randn(5, 2, 1, 1, 2, generator=torch.Generator().manual_seed(4)).double()
    q = NormalMixture(logits, loc, scale)
    own = (q.log_responsibilities(z).exp().detach() * q.log_weights[:, None]).sum(0)
    expected = torch.stack([own[i] - (own.sum(0) - own[i]) / 4 for i in range(5)])
    torch.testing.assert_close(q.expand((5, 2)).score_parts(z).score_function, expected)
    torch.testing.assert_close(q.score_parts(z[0]).score_function, own[0])  # alone it has none to be taken off


MEANS = torch.tensor([[0.7, 0.7], [-0.7, -0.7]]).double().reshape(2, 1, 1, 2)
SEEN = torch.tensor([True, False]).reshape(1, 1, 1, 2)
HALF = torch.tensor([0.26, 0.0]).double().reshape(1, 1, 1, 2)
NOISE, TIMES = 0.6, (200, 20)


def evidence_and_weight(prior):
    """log p(y) of the program, and how much of the posterior is the first meaning, on a grid over z_20."""
    axis = torch.linspace(-2.5, 2.5, 401).double()
    z = torch.stack(torch.meshgrid(axis, axis, indexing="ij"), -1).reshape(-1, 1, 1, 1, 2)
    x = prior.denoise(z, TIMES[-1])[:, 0, 0, 0, 0]
    log_p = prior.marginal(TIMES[-1]).log_prob(z)[:, 0] + dist.Normal(x, NOISE).log_prob(HALF[0, 0, 0, 0])
    first = z[:, 0, 0, 0].sum(-1) > 0
    return log_p.logsumexp(0) + 2 * (axis[1] - axis[0]).log(), log_p.softmax(0)[first].sum()


def test_two_meanings_survive_with_their_weights(schedule):
    prior = GaussianMixturePrior(torch.ones(2).double(), MEANS, schedule, variances=0.25**2)
    evidence, weight = evidence_and_weight(prior)
    assert 0.65 < weight < 0.75
    bounds, shares = {}, {}
    for name in ("hierarchical", "mixture"):
        model = DiffusionModel(prior, Inpainting(SEEN), TIMES, Gaussian(NOISE), form="marginal")
        guide = make_guide(name, model, HALF, **({"num_components": 4} if name == "mixture" else {}))
        for factor, steps in ((2.0, 120), (0.4, 60)):
            loss = Trace_ELBO(16, vectorize_particles=True, max_plate_nesting=3)
            fit(model, guide, HALF, num_steps=steps, optim=pyro.optim.Adam(scaled(guide, factor)), loss=loss)
        elbo = Trace_ELBO(500, vectorize_particles=True, max_plate_nesting=3)
        with torch.no_grad():
            values = -torch.tensor([elbo.loss(model, guide, HALF) for _ in range(20)]).double()
        assert values.mean() < evidence + 2 * standard_error(values)
        bounds[name] = values.mean()
        shares[name] = (draw(model, guide, 10_000)[TIMES[-1]][:, 0, 0, 0].sum(-1) > 0).double().mean()
    assert (shares["mixture"] - weight).abs() < 0.1
    assert shares["hierarchical"] > 0.95
    assert evidence - bounds["mixture"] < 0.5 * (evidence - bounds["hierarchical"])


def test_responsibilities_are_those_of_the_components_carried_down(gaussian):
    model = DiffusionModel(gaussian, Inpainting(OBSERVED), (500, 300, 100), form="marginal")
    guide = MixtureGuide(model, Y, num_components=2)
    (a_e, s_e), (a_t, s_t) = (
        (float(gaussian.schedule.alpha(t)), float(gaussian.schedule.sigma(t))) for t in (500, 300)
    )
    # A component that is N(mu, v) over z_0, noised to T_e, is N(alpha mu, alpha^2 v + sigma^2) at t.
    v = 0.2**2
    set_param(guide, "tau_500", torch.tensor((a_e**2 * v + s_e**2) ** 0.5).double())
    torch.testing.assert_close(guide.at(300).scale, torch.full_like(guide.mu_500, (a_t**2 * v + s_t**2) ** 0.5))
    torch.testing.assert_close(guide.at(300).loc, a_t * guide.mu_500)
    assert torch.equal(guide.at(500).scale, guide.top().scale)
    # Narrower than the noise itself: a point.
    set_param(guide, "tau_500", torch.tensor(0.5 * s_e).double())
    torch.testing.assert_close(guide.at(300).scale, torch.full_like(guide.mu_500, s_t))


def test_one_component_is_the_hierarchical_guide(gaussian):
    model = DiffusionModel(gaussian, Inpainting(OBSERVED), (500, 100), form="marginal")
    one, plain = (make_guide(n, model, Y, **s) for n, s in (("mixture", {"num_components": 1}), ("hierarchical", {})))
    z = torch.randn(4, 1, 1, 2, 3).double()
    torch.testing.assert_close(one.top().log_prob(z), plain.top().log_prob(z))
    q, p = (guide.kernel(z, 500, 100).base_dist for guide in (one, plain))
    torch.testing.assert_close(q.loc, p.loc)
    torch.testing.assert_close(q.scale.expand_as(z), p.scale.expand_as(z))


def test_several_components_mix_their_steps_by_responsibility(gaussian):
    model = DiffusionModel(gaussian, Inpainting(OBSERVED), (500, 100), form="marginal")
    starts = torch.randn(3, 1, 1, 2, 3, generator=torch.Generator().manual_seed(0)).double()
    guide = MixtureGuide(model, Y, starts=starts, gamma=0.6)
    guide.logits = torch.tensor([[0.5], [-1.0], [0.2]]).double()
    torch.testing.assert_close(guide.weights.sum(0), torch.ones(1).double())
    alpha = {t: float(gaussian.schedule.alpha(t)) for t in (500, 100)}
    top = guide.top()
    torch.testing.assert_close(top.loc, alpha[500] * starts)
    z = torch.linspace(-1, 1, 24).double().reshape(4, 1, 1, 2, 3)
    own = top.log_weights + dist.Normal(top.loc, top.scale).log_prob(z[:, None]).sum((-3, -2, -1))
    r = own.softmax(1)  # (4, 3, 1)
    prior_mean, _ = gaussian.reverse(z, 500, 100)
    steps = 0.6 * prior_mean[:, None] + 0.4 * alpha[100] * starts
    expected = (r[..., None, None, None] * steps).sum(1)
    torch.testing.assert_close(guide.kernel(z, 500, 100).base_dist.loc, expected)


def test_starts_are_spread_given_or_seeded(gaussian):
    observed, y = OBSERVED.expand(2, 1, 2, 3), Y.expand(2, 1, 2, 3)
    model = DiffusionModel(gaussian, Inpainting(observed), (500, 100), form="marginal")
    state = torch.get_rng_state()
    guide = MixtureGuide(model, y, num_components=400, spread=0.3)
    assert torch.equal(torch.get_rng_state(), state)
    away = guide.mu_500.detach() - continued(y, observed)
    assert (away[0] == 0).all() and abs(float(away[1:].std()) - 0.3) < 0.02
    assert torch.equal(away[:, 0], away[:, 1])  # whatever the neighbours, an image starts alike
    seeded = [MixtureGuide(model, y, generator=torch.Generator().manual_seed(k)).mu_500 for k in (1, 1, 2)]
    assert torch.equal(seeded[0], seeded[1]) and not torch.equal(seeded[0], seeded[2])
    starts = torch.randn(3, 2, 1, 2, 3).double()
    assert torch.equal(MixtureGuide(model, y, starts=starts).mu_100.detach(), starts)
    with pytest.raises(ValueError, match=r"starts have shape \(M, 2, 1, 2, 3\)"):
        MixtureGuide(model, y, starts=starts[:, :1])
    with pytest.raises(ValueError, match="at least 1"):
        MixtureGuide(model, y, num_components=0)


def test_the_loss_of_closed_form_kls_refuses_it(gaussian):
    model = DiffusionModel(gaussian, Inpainting(OBSERVED), (500, 100), form="marginal")
    with pytest.raises(NotImplementedError, match="fully reparameterized"):
        TraceMeanField_ELBO().loss(model, MixtureGuide(model, Y), Y)


def test_it_works_in_single_precision_on_as_many_entries_as_an_image_has():
    # Where Pyro's own mixture divides zero by zero.
    n = 784
    loc = torch.stack([torch.ones(1, n), -torch.ones(1, n)]).reshape(2, 1, 1, 28, 28).requires_grad_()
    logits = torch.zeros(2, 1, requires_grad=True)
    q = NormalMixture(logits, loc, torch.ones_like(loc)).expand((6, 1))
    z = q.rsample()
    parts = q.score_parts(z)
    (z.sum() + parts.score_function.sum() - parts.entropy_term.sum()).backward()
    assert torch.isfinite(loc.grad).all() and torch.isfinite(logits.grad).all()
    assert set(z.mean((-3, -2, -1)).sign().flatten().tolist()) == {1.0, -1.0}
