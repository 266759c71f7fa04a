"""GaussianMixture against dense matrices: densities, moments, draws and shapes (float64)."""

import pytest
import torch

from tests.conftest import standard_error
from tests.exact.brute_force import COVARIANCES, PRIORS, SCHEDULES, SHAPE, close, each, make, moments_agree, random
from vipaint_pyro.exact import Components, GaussianMixture
from vipaint_pyro.priors.schedules import CLEAN

VP = SCHEDULES["vp"]


@pytest.mark.parametrize("per_image", [False, True])
@pytest.mark.parametrize("kind", PRIORS)
def test_densities_and_moments(kind, per_image):
    prior, truth = make(kind, VP, per_image)
    mixture, x = prior.mixture(CLEAN).expand((2,)), random(5, 2, *SHAPE)
    assert mixture.batch_shape == (2,) and mixture.event_shape == SHAPE
    close(mixture.log_prob(x), each(truth, lambda m, n: m.log_prob(x[:, n])).T)
    close(mixture.mean, each(truth, lambda m, n: m.mean).reshape(2, *SHAPE))
    close(mixture.covariance.expand(2, 4, 4), each(truth, lambda m, n: m.covariance))
    variance = each(truth, lambda m, n: m.covariance.diagonal()).reshape(2, *SHAPE)
    close(mixture.variance.expand(2, *SHAPE), variance)
    close(mixture.stddev.expand(2, *SHAPE), variance.sqrt())

    def one_by_one(m, n):
        return m.law.component_distribution.log_prob(x[:, n].flatten(-3)[:, None, :])

    expected = each(truth, one_by_one).movedim(0, 1)
    close(mixture.component_log_prob(x), expected)
    w = torch.stack([m.weights for m in truth])
    close(mixture.log_responsibilities(x), (w.log() + expected).log_softmax(-1))
    close(mixture.log_responsibilities(x).exp().sum(-1), torch.ones(5, 2).double())


@pytest.mark.parametrize("kind", COVARIANCES)
def test_moments_given_a_noisy_image(kind):
    # Here scale, shift and variance are all at work, the shift with batch axes of its own.
    prior, truth = make(kind, VP, per_image=True)
    z = random(3, 2, *SHAPE, seed=9)
    mixture = prior.transition(z, 600, 200)
    for i in range(3):
        expected = [m.reverse(VP, z[i, n], 600, 200) for n, m in enumerate(truth)]
        close(mixture.mean[i].flatten(1), each(expected, lambda m, n: m.mean))
        close(mixture.covariance[i], each(expected, lambda m, n: m.covariance))
        close(mixture.variance[i].flatten(1), each(expected, lambda m, n: m.covariance.diagonal()))


@pytest.mark.parametrize("kind", COVARIANCES)
@pytest.mark.parametrize("what", ["marginal", "kernel"])
def test_draws_have_the_moments(kind, what):
    prior, truth = make(kind, VP, per_image=True)
    z = random(2, *SHAPE, seed=9)
    mixture = prior.mixture(300) if what == "marginal" else prior.transition(z, 600, 300)
    draws = mixture.sample((40_000,))
    assert draws.shape == (40_000, 2, *SHAPE)
    for n, m in enumerate(truth):
        m = m.noised(VP, 300) if what == "marginal" else m.reverse(VP, z[n], 600, 300)
        x = draws[:, n].flatten(1)
        assert moments_agree(x, m)
        # Of the third moments, which tell components from one Gaussian, in one direction.
        u = x @ torch.tensor([0.5, -0.3, 0.8, 0.2]).double()
        exact = m.through(torch.tensor([[0.5, -0.3, 0.8, 0.2]]).double(), torch.zeros(1, 1).double())
        mu, v = exact.means[:, 0], exact.covariances[:, 0, 0]
        third = (m.weights * (mu**3 + 3 * mu * v)).sum()
        assert abs((u**3).mean() - third) < 4 * standard_error(u**3)


@pytest.mark.parametrize("kind", ["number", "own full"])
def test_a_draw_knows_its_component(kind):
    prior, truth = make(kind, VP, per_image=True)
    x, k = prior.mixture(CLEAN).sample_in_basis((20_000,))
    assert x.shape == (20_000, 2, 4) and k.shape == (20_000, 2)
    c = prior.components
    back = c.unrotate(x, k)
    for n, m in enumerate(truth):
        chosen = torch.nn.functional.one_hot(k[:, n], 3).double()
        assert ((chosen.mean(0) - m.weights).abs() < 4 * standard_error(chosen)).all()
        for j in range(3):
            own = back[k[:, n] == j, n]
            assert ((own.mean(0) - m.means[j]).abs() < 4 * standard_error(own)).all()


def test_components_by_the_inverse_distribution_function():
    weights = torch.tensor([[0.0, 0.2, 0.0, 0.8, 0.0], [0.5, 0.1, 0.1, 0.3, 0.0]], dtype=torch.float64)
    zero = torch.zeros(1, dtype=torch.float64)
    components = Components(torch.arange(5.0).double()[:, None], zero + 1)
    u = torch.tensor([0.0, 0.1999, 0.2001, 0.55, 0.999, 1.0], dtype=torch.float64)
    for off in (1.0, 1 - 1e-7, 1 + 1e-7):  # weights that do not quite add up
        mixture = GaussianMixture(components, (off * weights).log(), zero + 1, zero, zero + 1, (1, 1, 1))
        k = mixture._component(u[:, None].expand(6, 2))
        assert k.tolist() == [[1, 0], [1, 0], [3, 0], [3, 1], [3, 3], [3, 3]]


def test_weights_that_a_batch_of_places_shares():
    shift = torch.tensor([[-100.0], [100.0]], dtype=torch.float64)
    one = torch.ones(1, dtype=torch.float64)
    components = Components(torch.tensor([[-5.0], [5.0]], dtype=torch.float64), one)
    mixture = GaussianMixture(components, torch.tensor([0.25, 0.75]).double().log(), one, shift, one, (1, 1, 1))
    x = mixture.sample((4000,)).flatten(1)
    assert mixture.batch_shape == (2,) and x.shape == (4000, 2)
    assert ((x > shift[:, 0]).double().mean(0) - 0.75).abs().max() < 4 * (0.1875 / 4000) ** 0.5
    close(mixture.mean.flatten(), shift[:, 0] + 2.5)
    assert ((x.mean(0) - mixture.mean.flatten()).abs() < 4 * standard_error(x)).all()


def test_expand_is_the_same_law():
    prior, _ = make("own full", VP, per_image=True)
    z = random(2, *SHAPE)
    wide = prior.transition(z, 600, 200).expand((7, 2))
    assert wide.batch_shape == (7, 2) and wide.sample().shape == (7, 2, *SHAPE)
    assert wide.sample((3,)).shape == wide.shape((3,)) == (3, 7, 2, *SHAPE)
    x = random(7, 2, *SHAPE, seed=2)
    close(wide.log_prob(x), prior.transition(z, 600, 200).log_prob(x))
    close(wide.mean.expand(7, 2, *SHAPE), prior.transition(z, 600, 200).mean.expand(7, 2, *SHAPE))


def test_many_distant_components_lose_no_digits():
    # Shared covariances are expanded into matrix products: at the benchmark's distances, 16 sqrt(800) apart.
    d, k = 800, 5
    means = 16 * torch.randint(-1, 2, (k, d), generator=torch.Generator().manual_seed(0)).double()
    one = torch.ones(d, dtype=torch.float64)
    mixture = GaussianMixture(Components(means, one), torch.zeros(k).double(), one, 0 * one, one, (1, 1, d))
    x = means[:, None, None, :] + random(k, 1, 1, d)
    exact = torch.distributions.Normal(means, 1.0).log_prob(x[:, 0]).sum(-1)
    torch.testing.assert_close(mixture.component_log_prob(x), exact, rtol=1e-12, atol=1e-8)
