"""Exact posteriors and evidences against dense matrices (float64), and their draws."""

import pytest
import torch

from tests.conftest import standard_error
from tests.exact.brute_force import COVARIANCES, PRIORS, SCHEDULES, SHAPE, close, each, make, moments_agree, random
from vipaint_pyro.exact import GaussianEvidence, GaussianMixturePrior, exact_posterior
from vipaint_pyro.measurements.inpainting import Inpainting
from vipaint_pyro.measurements.matrix import Matrix
from vipaint_pyro.priors.diffusion import DiffusionPrior
from vipaint_pyro.priors.schedules import CLEAN

VP = SCHEDULES["vp"]
MASK = torch.tensor([[[[True, False]], [[True, True]]], [[[False, False]], [[True, False]]]])
SCALES = torch.tensor([0.3, 0.7], dtype=torch.float64).reshape(2, 1, 1, 1)


def problem(name):
    """An operator for two images, and its dense matrix for each, unobserved rows left out."""
    eye = torch.eye(4, dtype=torch.float64)
    if name == "one matrix":
        A = random(3, 4, seed=20)
        return Matrix(A, SHAPE), [A, A]
    if name == "own matrices":
        A = random(2, 3, 4, seed=20)
        return Matrix(A, SHAPE), list(A)
    mask = {"masks": MASK, "mask of one channel": MASK[:, 1:], "nothing seen": torch.zeros_like(MASK)}[name]
    return Inpainting(mask), [eye[m] for m in mask.expand(2, *SHAPE).flatten(1)]


PROBLEMS = ["one matrix", "own matrices", "masks", "mask of one channel", "nothing seen"]


def measured(operator, seed=21):
    """Two measurements; what is not observed is nonsense."""
    shape = SHAPE if isinstance(operator, Inpainting) else (1, 1, 3)
    y = random(2, *shape, seed=seed)
    return torch.where(operator.observed, y, torch.nan)


def given(truth, operator, matrices, y, scale):
    """Each image's posterior as a Mixture, and log p of the entries seen."""
    posteriors, evidences = [], []
    scales = torch.as_tensor(scale, dtype=torch.float64).expand(2, 1, 1, 1).flatten()
    for n, (m, A) in enumerate(zip(truth, matrices)):
        v = y[n][operator.observed.expand(y.shape)[n]]
        noise = scales[n] ** 2 * torch.eye(len(v), dtype=torch.float64)
        posteriors.append(m.given(v, A, noise) if len(v) else m)
        evidences.append(m.through(A, noise).law.log_prob(v) if len(v) else v.sum())
    return posteriors, torch.stack(evidences)


@pytest.mark.parametrize("scale", [0.4, SCALES], ids=["one scale", "own scales"])
@pytest.mark.parametrize("name", PROBLEMS)
@pytest.mark.parametrize("per_image", [False, True])
@pytest.mark.parametrize("kind", PRIORS)
def test_every_quantity_by_dense_matrices(kind, per_image, name, scale):
    prior, truth = make(kind, VP, per_image)
    operator, matrices = problem(name)
    y = measured(operator)
    posterior = exact_posterior(prior, operator, y, scale)
    exact, evidence = given(truth, operator, matrices, y, scale)
    close(posterior.weights, torch.stack([m.weights for m in exact]))
    close(posterior.means, torch.stack([m.means for m in exact]))
    K = len(prior.components)
    close(posterior.covariances.expand(2, K, 4, 4), torch.stack([m.covariances for m in exact]))
    assert posterior.covariances.shape[1] == (1 if prior.components.shared else K)
    close(posterior.mean, each(exact, lambda m, n: m.mean).reshape(2, *SHAPE))
    close(posterior.variance, each(exact, lambda m, n: m.covariance.diagonal()).reshape(2, *SHAPE))
    # The evidence is that of the observed entries alone, and 1 where there are none.
    close(posterior.log_evidence, evidence)
    x = random(5, 2, *SHAPE, seed=22)
    close(posterior.log_prob(x), torch.stack([m.log_prob(x[:, n]) for n, m in enumerate(exact)], -1), 1e-8, 1e-8)
    component = each(truth, lambda m, n: m.law.component_distribution.log_prob(x[:, n].flatten(-3)[:, None]))
    w = torch.stack([m.weights for m in truth])
    close(posterior.log_responsibilities(x), (w.log() + component.movedim(0, 1)).log_softmax(-1))


@pytest.mark.parametrize("scale", [0.4, SCALES], ids=["one scale", "own scales"])
@pytest.mark.parametrize("name", PROBLEMS)
@pytest.mark.parametrize("kind", COVARIANCES)
def test_draws_have_the_moments(kind, name, scale):
    prior, truth = make(kind, VP, per_image=True)
    operator, matrices = problem(name)
    y = measured(operator)
    draws = exact_posterior(prior, operator, y, scale).sample(10_000)
    assert draws.shape == (10_000, 2, *SHAPE)
    exact, _ = given(truth, operator, matrices, y, scale)
    for n, m in enumerate(exact):
        assert moments_agree(draws[:, n].flatten(1), m)


@pytest.mark.parametrize("kind", COVARIANCES)
def test_draws_lie_in_their_modes_as_often_as_they_weigh(kind):
    prior, truth = make(kind, VP, per_image=True)
    operator, matrices = problem("one matrix")
    y = measured(operator)
    posterior = exact_posterior(prior, operator, y, SCALES)
    exact, _ = given(truth, operator, matrices, y, SCALES)
    # p(k | x) is the same before and after the measurement, and its mean over p(x | y) is p(k | y).
    shares = posterior.log_responsibilities(posterior.sample(20_000)).exp()
    for n, m in enumerate(exact):
        assert ((shares[:, n].mean(0) - m.weights).abs() < 4 * standard_error(shares[:, n])).all()


def test_far_modes_are_drawn_as_often_as_they_weigh():
    means = torch.tensor([[-30.0, 0], [30, 0], [0, 30]], dtype=torch.float64)
    prior = GaussianMixturePrior(torch.tensor([0.2, 0.3, 0.5]).double(), means, VP, variances=1.0)
    # Seen is the second coordinate alone: the first two modes look alike, and the third is ruled out.
    matrix = torch.tensor([[0.0, 1.0]], dtype=torch.float64)
    posterior = exact_posterior(prior, Matrix(matrix), torch.zeros(1, 1, 1, 1).double(), 0.5)
    close(posterior.weights, torch.tensor([[0.4, 0.6, 0.0]], dtype=torch.float64), 1e-7)
    right = (posterior.sample(20_000)[..., 0] > 0).double().mean()
    assert abs(right - 0.6) < 4 * (0.24 / 20_000) ** 0.5


@pytest.mark.parametrize("kind", ["full", "own diagonal"])
def test_given_both_a_noisy_image_and_a_measurement(kind):
    # complete() draws p(x | z_t, y), of which the prior is p(x | z_t), with a shift of its own.
    prior, truth = make(kind, VP, per_image=True)
    operator, matrices = problem("own matrices")
    y, z = measured(operator), random(2, *SHAPE, seed=23)
    draws, log_seen = prior.complete(z.expand(10_000, 2, *SHAPE), 500, operator, SCALES, y)
    posteriors = [m.reverse(VP, z[n], 500, CLEAN) for n, m in enumerate(truth)]
    exact, evidence = given(posteriors, operator, matrices, y, SCALES)
    assert log_seen.shape == (10_000, 2)
    close(log_seen[7], evidence)
    for n, m in enumerate(exact):
        assert moments_agree(draws[:, n].flatten(1), m)


def test_takes_the_priors_precision():
    prior, _ = make("own full", VP)
    y = random(2, *SHAPE, seed=21).float()
    posterior = exact_posterior(prior, Inpainting(MASK), y, 0.4)
    assert posterior.mean.dtype == posterior.sample(3).dtype == torch.float64
    close(posterior.mean, exact_posterior(prior, Inpainting(MASK), y.double(), 0.4).mean)


def test_log_prob_integrates_to_one():
    means, variances = torch.tensor([[-1.0, 0.3], [1.0, -0.5]]).double(), torch.tensor([0.2, 0.5])
    prior = GaussianMixturePrior(torch.tensor([0.4, 0.6]), means, VP, variances=variances)
    posterior = exact_posterior(
        prior, Matrix(torch.tensor([[1.0, 0.5]]).double()), torch.full((1, 1, 1, 1), 0.3).double(), 0.2
    )
    axis = torch.linspace(-6, 6, 241, dtype=torch.float64)
    x = torch.stack(torch.meshgrid(axis, axis, indexing="ij"), -1).reshape(-1, 1, 1, 1, 2)
    p = posterior.log_prob(x)[:, 0].exp() * 0.05**2
    close(p.sum(), torch.ones(()).double(), 1e-9)
    close((p[:, None] * x.reshape(-1, 2)).sum(0), posterior.mean.flatten(), 0, 1e-9)


@pytest.mark.parametrize("kind", COVARIANCES)
def test_a_generator_per_image(kind):
    prior, _ = make(kind, VP)
    operator, _ = problem("own matrices")
    y = measured(operator)
    state = torch.get_rng_state()

    def seeds(*numbers):
        return [torch.Generator().manual_seed(k) for k in numbers]

    both = exact_posterior(prior, operator, y, 0.4).sample(50, seeds(5, 6))
    alone = exact_posterior(prior, Matrix(operator.matrix[1:], SHAPE), y[1:], 0.4).sample(50, seeds(6))
    close(both[:, 1:], alone)
    one = exact_posterior(prior, operator, y, 0.4)
    assert torch.equal(one.sample(9, *seeds(3)), one.sample(9, *seeds(3)))
    assert torch.equal(torch.get_rng_state(), state)
    assert not torch.equal(both[0, 0], both[1, 0])
    with pytest.raises(ValueError, match="3 generators for 2 images"):
        one.sample(9, seeds(1, 2, 3))


def test_draws_in_chunks():
    prior, _ = make("own full", VP)
    operator, _ = problem("one matrix")
    posterior = exact_posterior(prior, operator, measured(operator), 0.4)
    draws = posterior.sample(10, torch.Generator().manual_seed(0), chunk=4)
    assert len(draws) == 10 and len(draws.flatten(1).unique(dim=0)) == 10


@pytest.mark.parametrize("name", PROBLEMS)
@pytest.mark.parametrize("kind", COVARIANCES)
def test_what_would_be_measured(kind, name):
    prior, truth = make(kind, VP, per_image=kind != "number")
    operator, matrices = problem(name)
    law = GaussianEvidence(operator, SCALES, SHAPE, torch.zeros((), dtype=torch.float64))(prior.mixture(CLEAN))
    event = SHAPE if isinstance(operator, Inpainting) else (1, 1, 3)
    assert law.batch_shape == (2,) and law.event_shape == event
    y = law.sample((10_000,))
    assert y.shape == (10_000, 2, *event)
    mean, covariance = law.moment_matched()
    wide = law.expand((3, 2))
    assert wide.batch_shape == (3, 2) and wide.sample((4,)).shape == (4, 3, 2, *event)
    close(wide.log_prob(y[:3]), law.log_prob(y[:3]))
    for n, (m, A) in enumerate(zip(truth, matrices)):
        seen = operator.observed.expand(2, *event)[n].flatten()
        if not seen.any():
            assert (y[:, n] == 0).all() and (law.log_prob(y)[:, n].abs() < 1e-12).all()
            continue
        m = m.through(A, float(SCALES[n]) ** 2 * torch.eye(len(A)).double())
        close(mean.expand(2, -1)[n][seen], m.mean)
        close(covariance[n][seen][:, seen], m.covariance)
        drawn = y[:, n].flatten(1)
        assert (drawn[:, ~seen] == 0).all()
        assert moments_agree(drawn[:, seen], m)


def test_images_are_drawn_one_by_one():
    # Under one prior too, each image's measurement comes from an x of its own.
    prior, _ = make("number", VP)
    A = torch.eye(4).double()[None].expand(2, 4, 4)
    law = GaussianEvidence(Matrix(A, SHAPE), 1e-6, SHAPE, torch.zeros((), dtype=torch.float64))(prior.mixture(CLEAN))
    y = law.sample((500,)).flatten(2)
    pair = torch.corrcoef(torch.stack([y[:, 0, 0], y[:, 1, 0]]))[0, 1]
    assert abs(pair) < 0.2


def test_refuses_a_network():
    prior, _ = make("number", VP)
    network = DiffusionPrior(VP, prior.denoiser, SHAPE)
    with pytest.raises(TypeError, match="known under Gaussian mixtures, not under DiffusionPrior"):
        exact_posterior(network, Inpainting(MASK), random(2, *SHAPE), 0.1)


def test_refuses_a_y_or_a_scale_of_another_shape():
    prior, _ = make(next(iter(PRIORS)), VP, False)
    operator = Inpainting(MASK)
    y = measured(operator)
    with pytest.raises(ValueError, match="y has the shape of what is observed"):
        exact_posterior(prior, operator, y.expand(3, *y.shape), 0.3)
    with pytest.raises(ValueError, match=r"the scale of the Gaussian noise, \(3,\), does not broadcast against y"):
        exact_posterior(prior, operator, y, torch.ones(3).double())
