"""DPS: its pull against the analytic gradient, where it stops, and that samples do not see each other."""

import pytest
import torch

from tests.samplers.half_seen import seeded
from vipaint_pyro.measurements.inpainting import Inpainting
from vipaint_pyro.measurements.likelihoods import Gaussian, Noiseless
from vipaint_pyro.measurements.linear_map import LinearMap
from vipaint_pyro.measurements.measurement import Measurement
from vipaint_pyro.samplers.dps import DPSSampler, refine
from vipaint_pyro.samplers.run import Run


def norm(r):
    return r.pow(2).sum((-3, -2, -1)).sqrt()


@pytest.mark.parametrize("limit", [False, True])
def test_the_pull_is_the_gradient_of_each_samples_own_norm(gaussian, limit):
    # For a Gaussian prior the Jacobian of E[x | z_t] is diagonal and known.
    t, zeta = 400, 0.7
    observed = torch.tensor([[True, False, True], [True, True, False]]).reshape(1, 1, 2, 3)
    z = torch.randn(4, 1, 1, 2, 3, dtype=torch.float64, requires_grad=True)
    y = torch.rand(1, 1, 2, 3).double()
    x = gaussian.denoise(z, t)
    shift = DPSSampler(zeta=zeta, limit=limit).pull(z, Measurement.of(Inpainting(observed), y).distance(x))
    alpha, sigma = float(gaussian.schedule.alpha(t)), float(gaussian.schedule.sigma(t))
    jacobian = alpha * gaussian.std**2 / (alpha**2 * gaussian.std**2 + sigma**2)
    for i in range(4):
        r = torch.where(observed, y - x, 0)[i].detach()
        size = min(zeta, r.norm().item()) if limit else zeta
        torch.testing.assert_close(shift[i], size * jacobian * r / r.norm())


def test_a_limited_step_lands_on_the_measurement():
    z = torch.tensor([0.3, -0.2]).double().reshape(1, 1, 1, 1, 2).requires_grad_()
    y = torch.tensor([0.5, 0.1]).double().reshape(1, 1, 1, 2)
    torch.testing.assert_close(z + DPSSampler(zeta=10.0, limit=True).pull(z, norm(y - z)), y[None])


def test_samples_and_images_do_not_see_each_other(network_prior):
    prior = network_prior.conditioned([0, 3])
    observed = torch.rand(2, 1, 8, 8) < 0.5
    y = torch.rand(2, 1, 8, 8).double() * observed
    z = torch.randn(3, 2, 1, 8, 8).double()
    sampler = DPSSampler(5, 0.0, zeta=2.0, limit=True)

    def run(images, samples):
        p = network_prior.conditioned([[0, 3][i] for i in images])
        return refine(p, Measurement.of(Inpainting(observed[images]), y[images]), z[samples][:, images], 500, sampler)

    together = run([0, 1], [0, 1, 2])
    for i in (0, 1):
        for s in (0, 1, 2):
            torch.testing.assert_close(run([i], [s])[0, 0], together[s, i], rtol=1e-9, atol=1e-11)
    assert prior.class_labels.tolist() == [0, 3]


def test_the_measurement_is_met(gaussian):
    # With a strong pull the observed pixels of a Gaussian prior end at y.
    observed = torch.tensor([[True, True, False], [False, True, False]]).reshape(1, 1, 2, 3)
    y = torch.where(observed, 0.8, 0.0).double()
    seen, z = Measurement.of(Inpainting(observed), y), torch.randn(50, 1, 1, 2, 3).double()
    x = refine(gaussian, seen, z, 999, DPSSampler(100, zeta=1.0, limit=True))
    error = (x - y)[observed.expand_as(x)].abs().mean()
    far = refine(gaussian, seen, z, 999, DPSSampler(100, zeta=0.0))
    assert error < 0.05 < 0.4 < (far - y)[observed.expand_as(x)].abs().mean()


def test_a_limited_step_leaves_what_noise_explains():
    z = torch.randn(2, 1, 3, 3, dtype=torch.float64, requires_grad=True)
    observed = torch.ones(2, 1, 3, 3, dtype=torch.bool)
    observed[1, :, 0] = False
    seen = Measurement(Inpainting(observed), Gaussian(0.1), torch.zeros(2, 1, 3, 3, dtype=torch.float64))
    before = norm(torch.where(observed, z, 0).detach())
    # sqrt(9) and sqrt(6) observed entries: a noise of .1 leaves .3 and .245 of the norm.
    floor = seen.floor(z.detach(), None)
    torch.testing.assert_close(floor, torch.tensor([0.3, 0.1 * 6**0.5], dtype=torch.float64))
    shift = DPSSampler(zeta=1e6, limit=True).pull(z, seen.distance(z), floor)
    left = norm(torch.where(observed, z + shift, 0).detach())
    torch.testing.assert_close(left, torch.minimum(before, floor))
    # A residual that noise explains is left alone, and no noise is no floor.
    small = (0.01 * z.detach()).requires_grad_()
    assert not DPSSampler(zeta=2.0, limit=True).pull(small, seen.distance(small), floor).any()
    assert Noiseless().floor(seen.operator, seen.y, z, None) == 0


@pytest.mark.parametrize("bound", [{"limit": True}, {"fraction": 1.0}])
def test_the_measurements_own_noise_is_the_floor(gaussian, bound):
    # Noise of 5 explains all of the residual: nothing pulls, unless the steps have no bound.
    operator, y = Inpainting(torch.ones(1, 1, 2, 3, dtype=torch.bool)), torch.full((1, 1, 2, 3), 0.5).double()
    z = torch.randn(4, 1, 1, 2, 3).double()

    def go(measurement, **settings):
        return refine(gaussian, measurement, z, 500, DPSSampler(4, **settings), generator=seeded(1))

    noisy, silent = Measurement(operator, Gaussian(5.0), y), Measurement.of(operator, y)
    free = go(silent, zeta=0.0)
    assert torch.equal(go(noisy, zeta=1.0, **bound), free)
    assert torch.equal(go(silent, zeta=1.0, measurement_scale=5.0, **bound), free)
    assert not torch.equal(go(silent, zeta=1.0, **bound), free)
    assert torch.equal(go(noisy, zeta=1.0), go(silent, zeta=1.0)) and not torch.equal(go(noisy, zeta=1.0), free)
    # What a measurement says of its noise stands.
    assert torch.equal(go(noisy, zeta=1.0, measurement_scale=1e-3, **bound), free)


def test_a_mask_of_one_channel_counts_for_every_channel():
    operator, y = Inpainting(torch.ones(1, 1, 2, 2, dtype=torch.bool)), torch.zeros(1, 3, 2, 2)
    assert Gaussian(0.5).floor(operator, y, y, None) == 0.5 * 12**0.5


@pytest.mark.parametrize("fraction", [0.3, 1.0])
def test_a_step_takes_away_no_more_than_its_fraction_of_the_residual(fraction):
    # Behind a linear map by 10 a step of the residual's own length would overshoot a hundredfold.
    z = torch.randn(3, 1, 2, 2, dtype=torch.float64, requires_grad=True)
    before = 10 * norm(z.detach())
    shift = DPSSampler(zeta=1e6, limit=True, fraction=fraction).pull(z, norm(10 * z))
    torch.testing.assert_close(10 * norm((z + shift).detach()), (1 - fraction) * before)
    # Where the bound does not bind, the step is the one without it; a penalty adds its own gradient.
    free = DPSSampler(zeta=0.01, limit=True).pull(z, norm(10 * z))
    bound = DPSSampler(zeta=0.01, limit=True, fraction=fraction)
    torch.testing.assert_close(bound.pull(z, norm(10 * z)), free)
    torch.testing.assert_close(bound.pull(z, norm(10 * z), 0.0, z.pow(2).sum((1, 2, 3))), free - 2 * z.detach())


def test_no_pull_decodes_once_and_takes_no_gradient(network_prior):
    asked = []

    class Counting(type(network_prior.codec)):
        def decode(self, z):
            asked.append(z.requires_grad)
            return super().decode(z)

    class Still(DPSSampler):
        def pull(self, z, *given):
            return torch.zeros_like(z)

    network_prior.codec = Counting()
    operator = Inpainting(torch.ones(2, 1, 8, 8, dtype=torch.bool))
    seen = Measurement.of(operator, torch.zeros(2, 1, 8, 8).double())
    z = torch.randn(1, 2, 1, 8, 8, generator=seeded(0)).double()

    def go(sampler):
        asked.clear()
        return refine(network_prior, seen, z, 300, sampler, generator=seeded(1))

    x = go(DPSSampler(5, zeta=0.0))
    assert asked == [False]
    still = go(Still(5, zeta=1.0))  # the same by way of the decoder
    assert asked == [True] * 4 + [False] and torch.equal(x, still)


@pytest.mark.parametrize("penalised", [False, True])
@pytest.mark.parametrize("fraction", [None, 0.5])
def test_a_share_of_the_pull_stays_where_it_is_given(fraction, penalised):
    z = torch.linspace(-1, 1, 12).double().reshape(2, 1, 1, 2, 3).requires_grad_()
    share = torch.tensor([1.0, 0.1, 0.5, 0.0, 1.0, 1.0]).double().reshape(1, 1, 2, 3)
    penalty = z.pow(2).sum((-3, -2, -1)) if penalised else None
    sampler = DPSSampler(zeta=0.3, limit=True, fraction=fraction)
    whole = sampler.pull(z, norm(3 * z - 1))
    part = sampler.pull(z, norm(3 * z - 1), 0.0, penalty, share)
    torch.testing.assert_close(part, share * whole - (2 * z.detach() if penalised else 0))


def test_hidden_pixels_keep_a_share_of_the_pull(network_prior):
    observed = (torch.arange(64).reshape(1, 1, 8, 8) % 3) == 0
    seen, prior = Measurement.of(Inpainting(observed), 0.5 * observed.double()), network_prior.conditioned([0])
    z, run = torch.linspace(-1, 1, 64).double().reshape(1, 1, 1, 8, 8), Run(prior, seen, 1)
    shifts = {}
    for share in (0.0, 0.25, 1.0):
        sampler = DPSSampler(10, 0.0, zeta=0.4, hidden_pull=share)
        shifts[share] = sampler.step(run, z, 500, 400)[0] - DPSSampler(10, 0.0, zeta=0.0).step(run, z, 500, 400)[0]
    assert (shifts[1.0][~observed.expand_as(z)] != 0).all()  # through the network
    torch.testing.assert_close(shifts[0.0], shifts[1.0] * observed)
    torch.testing.assert_close(shifts[0.25], shifts[1.0] * torch.where(observed, 1.0, 0.25).double())


def test_a_share_of_what_is_hidden_is_for_masks(gaussian):
    operator = LinearMap(lambda x: x[..., ::2], gaussian.image_shape, dtype=torch.float64)
    seen = Measurement.of(operator, torch.zeros(1, 1, 2, 2).double())
    with pytest.raises(ValueError, match="hidden_pull is of what a mask hides, and this is no inpainting"):
        DPSSampler(10, hidden_pull=0.5).settle(gaussian, seen)


def test_what_known_pixels_decide_is_looked_at_once_for_all_samples(network_prior, monkeypatch):
    observed, asked = (torch.arange(64).reshape(1, 1, 8, 8) % 3) == 0, []

    def share(prior, observed, z):
        asked.append(z.shape)
        return observed.to(z.dtype)

    monkeypatch.setattr("vipaint_pyro.samplers.known.seen_share", share)
    seen = Measurement.of(Inpainting(observed), 0.5 * observed.double())
    DPSSampler(3, hidden_pull=0.1, chunk=2)(network_prior.conditioned([0]), seen, 5, seeded(0))
    assert len(asked) == 1
