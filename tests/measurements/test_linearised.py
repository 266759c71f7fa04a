"""A prediction and what is measured of it, to first order: against dense Jacobians, and through decoders."""

import pytest
import torch

from tests.priors.pretrained.tiny import autoencoder, vq
from tests.samplers.against.walks import OBSERVED, gaussian, network
from vipaint_pyro import LinearMap, Nonlinear
from vipaint_pyro.measurements import Inpainting
from vipaint_pyro.measurements.linearised import Linearised
from vipaint_pyro.measurements.matrix import as_matrix
from vipaint_pyro.priors.codecs import Codec, KLCodec, VQCodec
from vipaint_pyro.priors.counting import count_calls
from vipaint_pyro.priors.denoisers import Denoiser
from vipaint_pyro.priors.diffusion import DiffusionPrior
from vipaint_pyro.priors.prediction import Prediction
from vipaint_pyro.priors.schedules import NoiseSchedule

T = 400
CLOSE = {"rtol": 0, "atol": 1e-9}
SUMS = LinearMap(lambda x: x.cumsum(-1)[..., 1:], (1, 8, 8))


class Mixed(Codec):
    """x = z + a moved half of it + .3."""

    def encode(self, x):
        return x

    def decode(self, z):
        return z + z.flip(-1).roll(1, -2) / 2 + 0.3


class Halved(Denoiser):
    device, dtype, network = torch.device("cpu"), torch.float64, None

    def __call__(self, z, t, condition=None):
        return z / 2


def close(ours, expected):
    torch.testing.assert_close(ours, expected, **CLOSE)


def noisy(prior, samples=2):
    return torch.randn(samples, 1, *prior.latent_shape, dtype=torch.float64)


def linearised(operator, prior, z, t=T):
    z = z.detach().requires_grad_()
    return Linearised(operator, Prediction(prior, z, t, prior.denoise(z, t)))


def jacobian(prior, z, t=T):
    """d z0_hat / d z_t of one sample, (D, D)."""
    size = z.numel()
    whole = torch.autograd.functional.jacobian(lambda z: prior.denoise(z, t), z)
    return whole.reshape(size, size)


@pytest.mark.parametrize("operator", [Inpainting(OBSERVED), SUMS], ids=["mask", "sums"])
@pytest.mark.parametrize("make", [gaussian, network])
def test_the_spread_is_that_of_dense_matrices(make, operator):
    for schedule in ("preserving", "exploding"):
        prior = make(schedule)
        z = noisy(prior)
        seen = linearised(operator, prior, z)
        u = torch.randn_like(seen.y) * operator.observed
        moved, spread = seen.spread(u)
        A = as_matrix(operator, (1, 8, 8), z)[0]
        gain = float(prior.schedule.sigma(T) ** 2 / prior.schedule.alpha(T))
        close(seen.y, operator(prior.denoise(z, T)))
        for i in range(2):
            J = jacobian(prior, z[i : i + 1])
            expected = gain * J.T @ A.T @ u[i].flatten()
            close(moved[i].flatten(), expected)
            close(spread[i].flatten(), A @ expected)
            rows = gain * A @ J.T @ A.T @ operator.observed.expand_as(u)[i].flatten().double()
            close(seen.row_sums()[i].flatten(), rows)
        close(seen.covariance(u), moved)


def test_of_a_decoder_that_is_linear_it_is_that_of_the_composed_operator():
    prior = network()
    mixed = LinearMap(lambda z: z + z.flip(-1).roll(1, -2) / 2, (1, 8, 8))
    latent = DiffusionPrior(prior.schedule, prior.denoiser, prior.latent_shape, Mixed())
    composed = LinearMap(lambda z: SUMS(mixed(z)), (1, 8, 8))
    z = noisy(prior)
    ours, plain = linearised(SUMS, latent, z), linearised(composed, prior, z)
    u = torch.randn_like(plain.y)
    close(ours.y, plain.y + SUMS(torch.full((1, 1, 8, 8), 0.3, dtype=torch.float64)))
    for a, b in zip(ours.spread(u), plain.spread(u)):
        close(a, b)
    close(ours.row_sums(), plain.row_sums())
    close(ours.covariance(u), plain.covariance(u))


@pytest.mark.parametrize("make", [autoencoder, vq])
def test_through_an_autoencoder_with_attention(make):
    # Its fused attention has neither a second derivative nor one by forward mode.
    codec = (KLCodec if make is autoencoder else VQCodec)(make().double())
    channels = codec.network.config.latent_channels
    prior = DiffusionPrior(gaussian().schedule, Halved(), (channels, 8, 8), codec)
    operator = Inpainting(torch.rand(1, 1, 16, 16) < 0.5)
    z = noisy(prior)
    seen = linearised(operator, prior, z)
    gain = float(prior.schedule.sigma(T) ** 2 / prior.schedule.alpha(T)) / 2  # Halved's Jacobian is 1/2
    u = torch.randn_like(seen.y) * operator.observed
    moved, spread = seen.spread(u)
    assert seen.y.shape == (2, 1, 3, 16, 16) and (spread[~operator.observed.expand_as(spread)] == 0).all()
    # H^T u against the decoder's own gradient, and H of anything by <u, H v> = <H^T u, v>.
    z0 = (z / 2).requires_grad_()
    (back,) = torch.autograd.grad(operator(prior.decode(z0)), z0, u)
    close(moved, gain * back)
    other = torch.randn_like(u) * operator.observed
    for i in range(2):
        close((other * spread)[i].sum(), (seen.covariance(other)[i] * back[i]).sum())
    if make is autoencoder:  # a quantiser passes gradients straight through: it has no derivative to compare with
        h = 1e-5
        there, here = (operator(prior.decode(z / 2 + s * h * moved)) for s in (1, -1))
        torch.testing.assert_close(spread, (there - here) / (2 * h), rtol=0, atol=1e-6)


def test_of_a_nonlinear_operator_it_is_the_derivative():
    prior = network()
    bright = Nonlinear(torch.exp, lambda m: torch.distributions.Normal(m, 0.1), (1, 8, 8))
    z = noisy(prior)
    seen, plain = linearised(bright, prior, z), linearised(LinearMap(lambda x: x, (1, 8, 8)), prior, z)
    u, slope = torch.randn_like(z), seen.z0.exp()
    close(seen.y, slope)
    close(seen.covariance(u), plain.covariance(slope * u))
    close(seen.spread(u)[1], slope * plain.spread(slope * u)[1])


def test_what_is_not_observed_counts_for_nothing():
    # An operator that says something there, as a mask does not.
    prior = network()
    bright = Nonlinear(torch.exp, lambda m: torch.distributions.Normal(m, 0.1), (1, 8, 8), observed=OBSERVED)
    z = noisy(prior)
    seen, plain = linearised(bright, prior, z), linearised(LinearMap(lambda x: x, (1, 8, 8)), prior, z)
    u, slope = torch.randn_like(z) * OBSERVED, OBSERVED * seen.z0.exp()
    close(seen.spread(u)[1], slope * plain.spread(slope * u)[1])
    close(seen.row_sums(), slope * plain.spread(slope)[1])


def test_what_it_costs():
    prior, calls = count_calls(network())
    seen = linearised(Inpainting(OBSERVED), prior, noisy(prior, 3))
    assert (calls.total, calls.backward) == (3, 0)
    u = torch.where(OBSERVED, torch.ones_like(seen.y), 0)
    for n, ask in enumerate((seen.spread, seen.covariance, lambda u: seen.row_sums()), 1):
        ask(u)
        assert (calls.total, calls.backward) == (3, 3 * n)


def test_a_prediction_without_a_graph_is_made_anew():
    prior = network()
    z = noisy(prior)
    known = linearised(SUMS, prior, z)
    with torch.no_grad():
        again = Linearised(SUMS, Prediction(prior, z, T, prior.denoise(z, T) + 1))
    close(again.row_sums(), known.row_sums())
    close(again.y, SUMS(known.z0 + 1))


def test_a_checkpointed_prior_gives_the_same():
    prior = network()
    z = noisy(prior)
    plain, again = linearised(SUMS, prior, z), linearised(SUMS, prior.checkpointed(), z)
    u = torch.randn_like(plain.y)
    for _ in range(2):  # its graph is gone through more than once
        close(again.spread(u)[1], plain.spread(u)[1])


def test_half_precision_holds_the_noisiest_times():
    class Half(Halved):
        dtype = torch.float16

    prior = DiffusionPrior(NoiseSchedule.variance_preserving(), Half(), (1, 4, 4))
    schedule, last = prior.schedule, prior.schedule.last
    seen = linearised(Inpainting(torch.ones(1, 1, 4, 4, dtype=torch.bool)), prior, torch.ones(1, 1, 4, 4).half(), last)
    gain = float(schedule.sigma(last) ** 2 / schedule.alpha(last))
    moved, spread = seen.spread(torch.full((1, 1, 4, 4), 2000.0))
    assert moved.dtype == spread.dtype == seen.y.dtype == torch.float32
    torch.testing.assert_close(spread, torch.full_like(spread, 1000 * gain))
    assert 1000 * gain > torch.finfo(torch.float16).max


def test_what_a_likelihood_decodes_a_step_does_not_decode_again():
    operator, decoded = Inpainting(torch.ones(1, 1, 8, 8, dtype=torch.bool)), []

    class Counted(Mixed):
        def decode(self, z):
            decoded.append(1)
            return super().decode(z)

    prior = DiffusionPrior(NoiseSchedule.variance_preserving(), Halved(), (1, 8, 8), Counted())
    z = noisy(prior).requires_grad_()
    prediction = Prediction(prior, z, T, prior.denoise(z, T))
    first, y = Linearised.of(operator, prediction), torch.zeros(1, 1, 8, 8).double()
    close(first.row_sums(), linearised(operator, prior, z).row_sums())
    decoded.clear()
    close(Linearised.of(operator, prediction).away(y), y - prediction.x)
    assert len(decoded) == 1  # by prediction.x alone
    assert Linearised.of(Inpainting(operator.observed), prediction) is not first
