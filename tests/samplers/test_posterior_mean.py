"""MMPS and TMPD: the prediction given y, and whole walks, against dense matrices of Gaussian priors."""

from dataclasses import replace

import pytest
import torch

from tests.clipped import clipped_at
from tests.priors.pretrained.tiny import autoencoder
from tests.samplers.half_seen import OBSERVED, Y, seeded
from vipaint_pyro import LinearMap, Nonlinear
from vipaint_pyro.exact import GaussianPrior
from vipaint_pyro.measurements import Gaussian, Inpainting, Laplace, Measurement
from vipaint_pyro.measurements.matrix import Matrix, as_matrix
from vipaint_pyro.priors.codecs import KLCodec
from vipaint_pyro.priors.denoisers import Denoiser
from vipaint_pyro.priors.diffusion import DiffusionPrior
from vipaint_pyro.priors.kernels import reverse_step
from vipaint_pyro.priors.schedules import NoiseSchedule
from vipaint_pyro.samplers import MMPSSampler, TMPDSampler, refine
from vipaint_pyro.samplers.run import Run

SHAPE = (1, 2, 3)
SUMS = LinearMap(lambda x: x.cumsum(-1)[..., 1:], SHAPE)
SCHEDULES = {
    "preserving": NoiseSchedule.variance_preserving(),
    "exploding": NoiseSchedule.variance_exploding(),
    "flow": NoiseSchedule.rectified_flow(),
}
BOTH = [MMPSSampler(4), TMPDSampler(4)]


_FACTOR = torch.randn(6, 6, dtype=torch.float64, generator=seeded(1)) / 3
COVARIANCE = _FACTOR @ _FACTOR.T + 0.05 * torch.eye(6, dtype=torch.float64)


def correlated(kind="preserving"):
    """A Gaussian prior of full covariance, that takes the steps a network's would."""
    mean = torch.linspace(-0.6, 0.7, 6, dtype=torch.float64).reshape(SHAPE)
    return GaussianPrior(mean, None, SCHEDULES[kind], covariance=COVARIANCE, kernel="gaussian")


def independent(prior, kind="preserving"):
    """The same of a prior with independent entries."""
    return GaussianPrior(prior.mean, prior.std, SCHEDULES[kind], kernel="gaussian")


def given_z(prior, t):
    """Cov[x | z_t]."""
    alpha, sigma = float(prior.schedule.alpha(t)), float(prior.schedule.sigma(t))
    return torch.linalg.inv(torch.linalg.inv(covariance_of(prior)) + alpha**2 / sigma**2 * torch.eye(6).double())


def covariance_of(prior):
    independent = prior.components.basis is None
    return prior.std.square().flatten().diag() if independent else COVARIANCE


def observing(operator, sigma=0.2):
    y = operator(torch.linspace(0.9, -0.3, 6, dtype=torch.float64).reshape(1, *SHAPE))
    return Measurement(operator, Gaussian(sigma), torch.where(operator.observed, y, 0))


def dense(operator):
    """The rows of A that are observed."""
    A = as_matrix(operator, SHAPE, torch.zeros(1).double())[0]
    return A[operator.observed.expand(1, *operator(torch.zeros(1, *SHAPE).double()).shape[1:]).flatten()]


def noise_of(seen):
    """Standard deviations of the observed entries."""
    sigma = torch.as_tensor(seen.likelihood.sigma).double().expand(seen.y.shape)
    return sigma[seen.operator.observed.expand(seen.y.shape)]


def given(prior, seen, z=None, t=None):
    """Mean and covariance of x given y, and z_t where there is one."""
    mean, precision = prior.mean.flatten(), torch.linalg.inv(covariance_of(prior))
    A, sigma = dense(seen.operator), noise_of(seen)
    y = seen.y[seen.operator.observed.expand(seen.y.shape)]
    total, pulled = precision + A.T @ (A / sigma[:, None] ** 2), precision @ mean + A.T @ (y / sigma**2)
    if z is not None:
        alpha, sigma_t = float(prior.schedule.alpha(t)), float(prior.schedule.sigma(t))
        total = total + alpha**2 / sigma_t**2 * torch.eye(6).double()
        pulled = pulled + alpha / sigma_t**2 * z.flatten(1)
    covariance = torch.linalg.inv(total)
    return pulled @ covariance, covariance


def drawn(samples=3):
    return torch.randn(samples, 1, *SHAPE, dtype=torch.float64, generator=seeded(4))


@pytest.mark.parametrize("kind", SCHEDULES)
@pytest.mark.parametrize("operator", [Inpainting(OBSERVED), SUMS], ids=["mask", "sums"])
def test_mmps_is_exact_on_gaussian_priors(kind, operator):
    prior, seen = correlated(kind), observing(operator)
    if operator is not SUMS:  # an entry of its own noise each
        seen = replace(seen, likelihood=Gaussian(torch.linspace(0.1, 0.6, 6).double().reshape(1, *SHAPE)))
    for t in (30, 300, 800):
        z = drawn()
        ours, z0 = MMPSSampler(4, iterations=8).guided(Run(prior, seen, 3), z, t)
        expected, _ = given(prior, seen, z, t)
        torch.testing.assert_close(ours.flatten(1), expected, rtol=0, atol=1e-8)
        torch.testing.assert_close(z0, prior.denoise(z, t))


def test_what_y_adds_is_clipped_where_the_prior_clips():
    prior, seen, t = correlated(), observing(SUMS), 400
    z, A, C = drawn(), dense(SUMS), given_z(prior, t)
    z0 = prior.denoise(z, t).flatten(1).clamp(-0.5, 0.5)
    u = torch.linalg.solve(A @ C @ A.T + 0.04 * torch.eye(len(A)).double(), (seen.y.flatten() - z0 @ A.T).T).T
    exact = z0 + u @ A @ C
    assert exact.abs().max() > 0.9
    ours, predicted = MMPSSampler(4, iterations=8).guided(Run(clipped_at(0.5, prior), seen, 3), z, t)
    torch.testing.assert_close(ours.flatten(1), exact.clamp(-0.5, 0.5), rtol=0, atol=1e-8)
    torch.testing.assert_close(predicted.flatten(1), z0)


@pytest.mark.parametrize("kind", SCHEDULES)
def test_tmpd_is_exact_where_entries_are_independent(kind, gaussian):
    prior = independent(gaussian, kind)
    seen = observing(Inpainting(OBSERVED))
    for t in (30, 300, 800):
        z = drawn()
        ours, _ = TMPDSampler(4).guided(Run(prior, seen, 3), z, t)
        torch.testing.assert_close(ours.flatten(1), given(prior, seen, z, t)[0], rtol=0, atol=1e-8)


@pytest.mark.parametrize("kind", SCHEDULES)
@pytest.mark.parametrize("operator", [Inpainting(OBSERVED), SUMS], ids=["mask", "sums"])
def test_tmpd_elsewhere_takes_row_sums(kind, operator):
    prior, seen, t = correlated(kind), observing(operator), 400
    z, A = drawn(), dense(operator)
    C = given_z(prior, t)
    x = prior.denoise(z, t)
    ours, _ = TMPDSampler(4).guided(Run(prior, seen, 3), z, t)
    y = seen.y[seen.operator.observed.expand(seen.y.shape)]
    rows = (A @ C @ A.T).sum(1)
    u = torch.where(rows > 0, (y - x.flatten(1) @ A.T) / (rows + 0.04), 0)
    torch.testing.assert_close(ours.flatten(1), x.flatten(1) + u @ A @ C, rtol=0, atol=1e-8)
    assert (ours.flatten(1) - given(prior, seen, z, t)[0]).abs().max() > 1e-3


def test_few_iterations_are_those_of_conjugate_gradients():
    # Written out: the best of the Krylov space in the norm of M.
    prior, seen, t = correlated(), observing(SUMS), 400
    z, A = drawn(), dense(SUMS)
    C = given_z(prior, t)
    x, M = prior.denoise(z, t), A @ C @ A.T + 0.04 * torch.eye(4).double()
    for k in (1, 2, 3):
        ours, _ = MMPSSampler(4, iterations=k).guided(Run(prior, seen, 3), z, t)
        for i, r in enumerate(seen.y.flatten() - x.flatten(1) @ A.T):
            K = torch.stack([torch.linalg.matrix_power(M, j) @ r for j in range(k)], 1)
            u = K @ torch.linalg.solve(K.T @ M @ K, K.T @ r)
            torch.testing.assert_close(ours[i].flatten(), x[i].flatten() + C @ A.T @ u, rtol=0, atol=1e-8)


def affine(walk):
    """Mean and covariance of an affine map's values at standard normals (S, 1, *SHAPE)."""
    points = torch.cat([torch.zeros(1, 6), torch.eye(6)]).double().reshape(7, 1, *SHAPE)
    values = walk(points).flatten(1)
    B = values[1:] - values[0]
    return values[0], B.T @ B


@pytest.mark.parametrize("sampler", [MMPSSampler(300, 0.0, iterations=2), TMPDSampler(300, 0.0)])
def test_a_whole_walk_ends_at_the_exact_posterior(gaussian, sampler):
    # Without noise of its own a walk is affine in z_T: its law is known to the error of its steps.
    prior = correlated() if isinstance(sampler, MMPSSampler) else independent(gaussian)
    seen = observing(Inpainting(OBSERVED), 0.2)
    mean, covariance = affine(lambda z: sampler.walk(Run(prior, seen, 7), z, prior.schedule.last)[0])
    exact_mean, exact = given(prior, seen)
    torch.testing.assert_close(mean, exact_mean, rtol=0, atol=5e-3)
    torch.testing.assert_close(covariance, exact, rtol=0.02, atol=2e-3)


def test_from_the_exact_law_at_a_level_refine_ends_at_the_exact_posterior():
    prior, seen, start = correlated(), observing(SUMS), 500
    exact_mean, exact = given(prior, seen)
    alpha, sigma = float(prior.schedule.alpha(start)), float(prior.schedule.sigma(start))
    factor = torch.linalg.cholesky(alpha**2 * exact + sigma**2 * torch.eye(6).double())

    def walk(points):
        z = alpha * exact_mean + points.flatten(1) @ factor.T
        return refine(prior, seen, z.reshape(points.shape), start, MMPSSampler(200, 0.0, iterations=4))

    mean, covariance = affine(walk)
    torch.testing.assert_close(mean, exact_mean, rtol=0, atol=5e-3)
    torch.testing.assert_close(covariance, exact, rtol=0.02, atol=2e-3)


def test_a_step_is_ddims_from_the_guided_prediction(gaussian):
    seen, z = observing(SUMS), drawn()
    for sampler in BOTH:
        for t, s in ((400, 300), (400, -1)):
            ours, z0 = sampler.step(Run(gaussian, seen, 3, seeded(5)), z, t, s)
            guided, _ = sampler.guided(Run(gaussian, seen, 3), z, t)
            c_0, c_t, std = (float(c) for c in reverse_step(gaussian.schedule, t, s, 1.0))
            noise = torch.randn(z.shape, generator=seeded(5), dtype=torch.float64) if std else 0
            torch.testing.assert_close(ours, c_0 * guided + c_t * z + std * noise, rtol=0, atol=1e-12)
            torch.testing.assert_close(z0, gaussian.denoise(z, t))


@pytest.mark.parametrize("sampler", BOTH)
def test_through_a_linear_decoder_it_is_the_composed_operator(latent, sampler):
    plain = GaussianPrior(latent.mean, latent.std, latent.schedule)
    seen = observing(SUMS)
    composed = LinearMap(lambda z: SUMS(3 * z), SHAPE)
    same = replace(seen, operator=composed, y=seen.y + SUMS(torch.ones(1, *SHAPE).double()))
    for t in (50, 700):
        z = drawn()
        ours, expected = (sampler.guided(Run(p, m, 3), z, t)[0] for p, m in ((latent, seen), (plain, same)))
        torch.testing.assert_close(ours, expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize("sampler", BOTH)
def test_through_an_autoencoder_four_images_are_the_four_alone(sampler):
    codec = KLCodec(autoencoder(1).double())
    prior = DiffusionPrior(NoiseSchedule.variance_preserving(), Shrunk(), (1, 8, 8), codec)
    observed = torch.rand(4, 1, 16, 16) < 0.5
    seen = Measurement.of(Inpainting(observed), torch.rand(4, 3, 16, 16).double() * observed)
    generators = [seeded(s) for s in range(4)]
    samples = sampler(prior, seen, 2, generators)
    for i in range(4):
        alone = sampler(prior, seen.part(i, i + 1), 2, [seeded(i)]).images
        torch.testing.assert_close(samples.images[:, i : i + 1], alone, rtol=0, atol=1e-9)
    assert samples.calls == {"refinement": 8}


class Shrunk(Denoiser):
    """z times a number: the Jacobian."""

    device, dtype, network = torch.device("cpu"), torch.float64, None

    def __init__(self, factor=0.5):
        self.factor = factor

    def __call__(self, z, t, condition=None):
        return self.factor * z


@pytest.mark.parametrize(
    "sampler, backward",
    [(MMPSSampler(5), 1), (MMPSSampler(5, iterations=3), 3), (TMPDSampler(5), 2)],
)  # fmt: skip
def test_calls(network_prior, sampler, backward):
    seen = Measurement.of(Inpainting(torch.rand(2, 1, 8, 8) < 0.5), torch.zeros(2, 1, 8, 8))
    samples = sampler(network_prior.conditioned([0, 1]), seen, 3, seeded(0))
    assert samples.calls == {"refinement": 15} and samples.backward == {"refinement": 15 * backward}


@pytest.mark.parametrize("sampler", BOTH)
def test_where_z_says_nothing_nothing_is_guided(gaussian, sampler):
    prior = independent(gaussian, "flow")
    z, last = drawn(), prior.schedule.last
    assert float(prior.schedule.alpha(last)) == 0
    guided, z0 = sampler.guided(Run(prior, observing(SUMS), 3), z, last)
    assert torch.equal(guided, z0)
    samples = sampler(prior, observing(SUMS), 2, seeded(0))
    assert torch.isfinite(samples.images).all()
    assert samples.backward == {"refinement": 2 * 3 * (2 if isinstance(sampler, TMPDSampler) else 1)}


def test_a_covariance_that_is_not_positive_is_not_followed():
    prior = DiffusionPrior(NoiseSchedule.variance_preserving(), Shrunk(-0.01), SHAPE)
    z, t = drawn(), 300
    guided, z0 = MMPSSampler(4, iterations=3).guided(Run(prior, observing(SUMS, 5.0), 3), z, t)
    assert torch.equal(guided, z0)


def test_what_has_ended_does_not_go_on():
    # The first direction is mostly the large entry, the second the negative one; their sum would be positive again.
    factors = torch.tensor([2.0, -0.1, -0.1, -0.1, 0.4, 0.4]).double().reshape(SHAPE)
    prior = DiffusionPrior(NoiseSchedule.variance_preserving(), Shrunk(factors), SHAPE)
    seen = observing(Inpainting(torch.ones(1, *SHAPE, dtype=torch.bool)), 0.5)
    z, t = drawn(20), 300
    by_count = [MMPSSampler(4, iterations=k).guided(Run(prior, seen, 20), z, t)[0] for k in range(1, 9)]
    moved = [(b - a).flatten(1).abs().amax(1) > 1e-9 for a, b in zip(by_count, by_count[1:])]
    ended = ~moved[0]
    assert ended.any() and moved[0].any()
    for later in moved:
        assert not (later & ended).any()
        ended = ended | ~later


def test_entries_whose_row_sums_are_not_positive_are_left_out():
    # The first goes three times against the second: its row sum is negative.
    A = torch.tensor([[1.0, 0, 0, 0, 0, 0], [-3, 0, 0, 0, 1, 0]], dtype=torch.float64)
    prior = DiffusionPrior(NoiseSchedule.variance_preserving(), Shrunk(), SHAPE)
    z, t, seen = drawn(), 300, observing(Matrix(A, SHAPE))
    gain = float(prior.schedule.sigma(t) ** 2 / prior.schedule.alpha(t))
    x = z / 2
    rows = gain / 2 * (A @ A.T).sum(1)
    assert rows[0] < 0 < rows[1]
    u = (seen.y.flatten() - x.flatten(1) @ A.T)[:, 1:] / (rows[1] + 0.04)
    ours, _ = TMPDSampler(4).guided(Run(prior, seen, 3), z, t)
    torch.testing.assert_close(ours.flatten(1), x.flatten(1) + gain / 2 * u @ A[1:], rtol=0, atol=1e-10)


def test_of_some_samples_it_is_and_of_others_not():
    class Own(Shrunk):
        def __call__(self, z, t, condition=None):
            return z * torch.tensor([0.5, -0.5, 0.5]).double().reshape(3, 1, 1, 1)

    schedule, t, z = NoiseSchedule.variance_preserving(), 300, drawn()
    seen = observing(SUMS)
    sampler = MMPSSampler(4, iterations=3)
    mixed, z0 = sampler.guided(Run(DiffusionPrior(schedule, Own(), SHAPE), seen, 3), z, t)
    whole, _ = sampler.guided(Run(DiffusionPrior(schedule, Shrunk(), SHAPE), seen, 3), z, t)
    assert torch.equal(mixed[1], z0[1])
    torch.testing.assert_close(mixed[::2], whole[::2])


@pytest.mark.parametrize("sampler", BOTH)
def test_a_nonlinear_measurement_is_linearised(gaussian, sampler):
    bright = Nonlinear(torch.exp, lambda m: torch.distributions.Normal(m, 0.1), SHAPE, dtype=torch.float64)
    z, t = drawn(1), 300
    z0 = gaussian.denoise(z, t)
    slope = z0.exp()
    y = slope[0] + 0.2 * slope[0]  # what the linear one sees .2 away in x
    straight = LinearMap(lambda x: slope[0, 0] * x, SHAPE)
    ours, _ = sampler.guided(Run(gaussian, Measurement(bright, Gaussian(0.1), y), 1), z, t)
    plain, _ = sampler.guided(Run(gaussian, Measurement(straight, Gaussian(0.1), slope[0] * (z0[0] + 0.2)), 1), z, t)
    torch.testing.assert_close(ours, plain, rtol=0, atol=1e-10)
    with pytest.raises(ValueError, match="for Gaussian noise, or none"):  # its family's noise may be any
        sampler.settle(gaussian, Measurement.of(bright, y))


@pytest.mark.parametrize("sampler", BOTH)
def test_the_noise_is_the_measurements_own_or_what_is_taken_for_it(gaussian, sampler):
    mask = Inpainting(OBSERVED)
    none, own = Measurement.of(mask, Y), Measurement(mask, Gaussian(0.3), Y)

    def run(sampler, seen):
        return sampler(gaussian, seen, 2, seeded(0)).images

    by_default, told = run(sampler, none), run(replace(sampler, measurement_scale=0.3), none)
    assert not torch.equal(by_default, told)
    assert torch.equal(told, run(sampler, own)) and torch.equal(told, run(replace(sampler, measurement_scale=0.1), own))
    with pytest.raises(ValueError, match="is for Gaussian noise, or none"):
        sampler.settle(gaussian, Measurement(mask, Laplace(1.0), Y))
