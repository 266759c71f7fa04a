"""DDNMSampler: its step written out, what it promises of A x, and what it refuses."""

import pytest
import torch
from diffusers import DDPMScheduler

from tests.conftest import tiny_unet
from tests.priors.pretrained.tiny import latent_kl
from tests.samplers.half_seen import OBSERVED, seeded
from vipaint_pyro import LinearMap
from vipaint_pyro.exact import GaussianPrior
from vipaint_pyro.measurements import Gaussian, Inpainting, Laplace, Measurement
from vipaint_pyro.measurements.blurs import GaussianBlur
from vipaint_pyro.measurements.grayscale import Grayscale
from vipaint_pyro.measurements.super_resolution import SuperResolution
from vipaint_pyro.priors.codecs import Codec
from vipaint_pyro.priors.diffusion import DiffusionPrior
from vipaint_pyro.priors.kernels import reverse_step
from vipaint_pyro.samplers import DDNMSampler, PiGDMSampler
from vipaint_pyro.samplers.run import Run


@pytest.mark.parametrize("sigma_y", [0.0, 1e-4, 0.05, 5.0])
@pytest.mark.parametrize("t, s", [(800, 700), (100, 40), (9, 0)])
def test_a_step_by_the_papers_equations(gaussian, sigma_y, t, s):
    # Eq. 17-19 with the letters of DDPM: a_t multiplies x_0, sigma_t is the step's own deviation.
    y = torch.where(OBSERVED, 0.8, 0.0).double()
    likelihood = Gaussian(sigma_y) if sigma_y else Measurement.of(Inpainting(OBSERVED), y).likelihood
    seen = Measurement(Inpainting(OBSERVED), likelihood, y)
    z = torch.linspace(-1, 1, 6).double().reshape(1, 1, 1, 2, 3)
    ours, z0 = DDNMSampler(10).step(Run(gaussian, seen, 1, seeded(5)), z, t, s)
    abar = (gaussian.schedule.alpha(torch.tensor([t, s])) ** 2).tolist()
    beta = 1 - abar[0] / abar[1]
    a_t = abar[1] ** 0.5 * beta / (1 - abar[0])
    sigma_t = ((1 - abar[1]) / (1 - abar[0]) * beta) ** 0.5
    lam = 1.0 if sigma_t >= a_t * sigma_y else sigma_t / (a_t * sigma_y)
    gamma = sigma_t**2 - (a_t * lam * sigma_y) ** 2
    x = gaussian.denoise(z, t)
    x = torch.where(OBSERVED, x - lam * (x - y), x)
    mean = a_t * x + (1 - beta) ** 0.5 * (1 - abar[1]) / (1 - abar[0]) * z
    noise = torch.randn(z.shape, generator=seeded(5), dtype=torch.float64)
    # In the hole A^+ y is 0: of the singular values there, which are 0, the step has all of its noise.
    variance = torch.where(OBSERVED, max(gamma, 0), sigma_t**2 * torch.ones_like(y))
    torch.testing.assert_close(ours, mean + variance**0.5 * noise, rtol=0, atol=1e-9)
    torch.testing.assert_close(z0, gaussian.denoise(z, t))


def operators():
    shape = (3, 8, 8)
    yield "mask", Inpainting(torch.rand(1, 1, 8, 8) < 0.5)
    yield "average", SuperResolution(shape, 2, "average")
    yield "bicubic", SuperResolution(shape, 2)
    yield "blur", GaussianBlur(shape, 3, 0.6)
    yield "grey", Grayscale(shape)
    yield "own", LinearMap(lambda x: x[..., ::2].cumsum(-1), shape, dtype=torch.float64)


@pytest.mark.parametrize("name, operator", [pytest.param(n, o, id=n) for n, o in operators()])
def test_what_was_measured_is_measured_again(name, operator):
    # Without noise A x = y, whatever the network says.
    prior = DiffusionPrior.from_components(tiny_unet(3).double(), DDPMScheduler(clip_sample=False))
    y = operator(torch.rand(1, 3, 8, 8).double() * 2 - 1)
    samples = DDNMSampler(5)(prior, Measurement.of(operator, y), 2, seeded(0))
    torch.testing.assert_close(operator(samples.images), y.expand(2, *y.shape), rtol=0, atol=1e-8)
    assert samples.calls == {"refinement": 10} and samples.backward == {"refinement": 0}


def test_time_travel_is_counted(gaussian):
    seen = Measurement.of(Inpainting(OBSERVED), torch.zeros(1, 1, 2, 3))
    assert DDNMSampler(6, jump_length=2, jump_n_sample=2)(gaussian, seen, 1, seeded(0)).calls == {"refinement": 10}


def test_noise_is_taken_where_the_pseudo_inverse_leaves_it_as_it_is(network_prior):
    # An average over blocks is undone by copies; bicubic weights overlap, and their inverse colours the noise.
    prior, y, noise = network_prior.conditioned([0]), torch.full((1, 1, 4, 4), 0.3).double(), Gaussian(2.0)
    average, bicubic = (SuperResolution((1, 8, 8), 2, method) for method in ("average", "bicubic"))
    seen = Measurement(average, noise, y)
    assert DDNMSampler(3).settle(prior, seen).prepared(prior, seen)[1] is seen
    c_0, c_t, std = reverse_step(prior.schedule, 300, 200)
    lam, z = std / (c_0 * 2.0), torch.linspace(-1, 1, 64).double().reshape(1, 1, 1, 8, 8)
    assert 0.1 < lam < 0.9  # the noise of y is all that the step has: none is drawn besides
    ours, z0 = DDNMSampler(3).step(Run(prior, seen, 1), z, 300, 200)
    copies = (torch.nn.functional.avg_pool2d(z0[0], 2) - y).repeat_interleave(2, -1).repeat_interleave(2, -2)
    torch.testing.assert_close(ours, c_0 * (z0 - lam * copies) + c_t * z, rtol=0, atol=1e-9)
    with pytest.raises(ValueError, match="ddnm takes Gaussian noise of masks, and of super"):
        DDNMSampler(3).settle(prior, Measurement(bicubic, noise, y))
    DDNMSampler(3).settle(prior, Measurement.of(bicubic, y))  # without noise there is nothing to colour


def test_the_noise_of_every_block_is_its_own(network_prior):
    prior, average = network_prior.conditioned([0]), SuperResolution((1, 8, 8), 2, "average")
    sigma = torch.linspace(0.01, 2, 16).double().reshape(1, 1, 4, 4)
    seen = Measurement(average, Gaussian(sigma), torch.full((1, 1, 4, 4), 0.3).double())
    z = torch.linspace(-1, 1, 64).double().reshape(1, 1, 1, 8, 8)
    ours, _ = DDNMSampler(3).step(Run(prior, seen, 1, seeded(2)), z, 300, 200)
    for entry in (0, 5, 15):  # as where all blocks have this one's
        one = Measurement(average, Gaussian(float(sigma.flatten()[entry])), seen.y)
        alike, _ = DDNMSampler(3).step(Run(prior, one, 1, seeded(2)), z, 300, 200)
        row, column = 2 * (entry // 4), 2 * (entry % 4)
        block = (..., slice(row, row + 2), slice(column, column + 2))
        torch.testing.assert_close(ours[block], alike[block], rtol=0, atol=1e-9)


@pytest.mark.parametrize("sampler, near", [(DDNMSampler(4), 0.03), (PiGDMSampler(40), 0.15)], ids=["ddnm", "pigdm"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_blur_that_hides_more_than_rounding_shows_is_not_undone(schedule, sampler, near, dtype):
    # Its smallest singular values are 1e-18 of its largest: the rounding of y, to bytes too, became 1e24 of an image.
    blur = GaussianBlur((1, 28, 28), 61, 3.0)
    flat = torch.full((1, 28, 28), 0.4, dtype=dtype)
    prior = GaussianPrior(0 * flat, flat, schedule, kernel="gaussian")
    y = blur(torch.rand(1, 1, 28, 28, generator=seeded(0)).to(dtype) * 2 - 1)
    y = ((y + 1) / 2 * 255).round() / 255 * 2 - 1
    x = sampler(prior, Measurement.of(blur, y), 2, seeded(1)).images
    assert (blur(x) - y).abs().max() < near and x.abs().max() < 4


def test_what_it_cannot_do(gaussian):
    blur = GaussianBlur((1, 2, 3), 3, 1.0)
    for seen in (
        Measurement(blur, Gaussian(0.1), torch.zeros(1, 1, 2, 3)),
        Measurement(Inpainting(OBSERVED), Laplace(1.0), torch.zeros(1, 1, 2, 3)),
    ):
        with pytest.raises(ValueError, match="ddnm takes Gaussian noise of masks, and of super"):
            DDNMSampler(4).settle(gaussian, seen)
    seen = Measurement.of(Inpainting(OBSERVED), torch.zeros(1, 1, 2, 3))
    DDNMSampler(4, jump_length=4).settle(gaussian, seen)
    with pytest.raises(ValueError, match="steps than num_steps = 4, but is 4: give more num_steps"):
        DDNMSampler(4, jump_length=4, jump_n_sample=2).settle(gaussian, seen)
    pipe = latent_kl()
    prior = DiffusionPrior.from_components(pipe.unet, pipe.scheduler, vqvae=pipe.vqvae)
    mask, y = Inpainting(torch.ones(1, 1, 16, 16, dtype=torch.bool)), torch.zeros(1, 3, 16, 16)
    DDNMSampler(4).settle(prior, Measurement.of(mask, y))
    average = SuperResolution((3, 16, 16), 2, "average")
    for seen in (Measurement(mask, Gaussian(0.1), y), Measurement.of(average, torch.zeros(1, 3, 8, 8))):
        with pytest.raises(ValueError, match="of a latent prior it is for masks and y without noise; take dps"):
            DDNMSampler(4).settle(prior, seen)
    with pytest.raises(ValueError, match="of a latent prior it is for masks and y without noise; take dps"):
        DDNMSampler(4, measurement_scale=0.1).settle(prior, Measurement.of(mask, y))


class Leaking(Codec):
    """Each latent is half of its own entry and of the next one's; the encoder halves the picture."""

    def decode(self, z):
        return z + z.roll(1, -1)

    def encode(self, x):
        return x / 2


def test_through_a_codec_what_is_seen_is_put_in_the_decoded_picture(gaussian):
    # A latent is seen by its own entry and by that on its right; it follows by the share of the two that is seen.
    y = torch.where(OBSERVED, 0.8, 0.0).double()
    seen = Measurement.of(Inpainting(OBSERVED), y)
    prior = DiffusionPrior(gaussian.schedule, gaussian.denoiser, gaussian.latent_shape, Leaking())
    z = torch.linspace(-1, 1, 12).double().reshape(2, 1, 1, 2, 3)
    run = Run(prior, seen, 2, seeded(5))
    ours, z0 = DDNMSampler(10).step(run, z, 100, 40)
    share = run.known.share
    both = (OBSERVED.double() + OBSERVED.double().roll(-1, -1)) / 2
    assert (share[both == 0] == 0).all() and (share[both == 1] == 1).all() and (share[both == 0.5] < 0.9).all()
    x = gaussian.denoise(z, 100)
    placed = torch.where(OBSERVED, y, x + x.roll(1, -1)) / 2
    c_0, c_t, std = reverse_step(prior.schedule, 100, 40)
    noise = Run(prior, seen, 2, seeded(5)).normal(z)
    mean = c_0 * ((1 - share) * x + share * placed) + c_t * z
    torch.testing.assert_close(ours, mean + std * noise, rtol=0, atol=1e-9)
    torch.testing.assert_close(z0, x)
