"""PSLDSampler with a linear codec, where its objective and gradient are written out; and on a real autoencoder."""

import pytest
import torch

from tests.priors.pretrained.tiny import latent_kl
from tests.samplers.half_seen import OBSERVED, seeded
from vipaint_pyro.measurements import Inpainting, Measurement
from vipaint_pyro.priors.codecs import IdentityCodec
from vipaint_pyro.priors.diffusion import DiffusionPrior
from vipaint_pyro.priors.kernels import reverse_step
from vipaint_pyro.samplers import PSLDSampler
from vipaint_pyro.samplers.run import Run


def norm(x):
    return x.square().sum((-3, -2, -1), keepdim=True).sqrt()


@pytest.mark.parametrize("eta", [0.0, 1.0])
def test_a_step_written_out(latent, eta):
    t, s, omega, gamma = 600, 400, 0.3, 0.7
    y = torch.where(OBSERVED, 0.8, 0.0).double()
    seen = Measurement.of(Inpainting(OBSERVED), y)
    z = torch.linspace(-1, 1, 12).double().reshape(2, 1, 1, 2, 3)
    ours, z0 = PSLDSampler(10, eta, omega=omega, gamma=gamma).step(Run(latent, seen, 2, seeded(5)), z, t, s)

    alpha, sigma = float(latent.schedule.alpha(t)), float(latent.schedule.sigma(t))
    k = alpha * latent.std**2 / (alpha**2 * latent.std**2 + sigma**2)  # d z0_hat / d z
    hat, m = latent.denoise(z, t), OBSERVED.double()
    away = m * (y - (3 * hat - 1))
    # Seen: z0 - y / 2. Hidden: z0 - (3 z0 - 1) / 2.
    glue = hat - (m * y + (1 - m) * (3 * hat - 1)) / 2
    slope = omega * away / norm(away) * -3 + gamma * glue / norm(glue) * (1 - 1.5 * (1 - m))
    c_0, c_t, std = (float(c) for c in reverse_step(latent.schedule, t, s, eta))
    noise = std * torch.randn(z.shape, generator=seeded(5), dtype=torch.float64) if eta else 0
    torch.testing.assert_close(ours, c_0 * hat + c_t * z + noise - k * slope, rtol=0, atol=1e-10)
    torch.testing.assert_close(z0, hat)


def test_a_code_of_the_true_picture_is_at_rest(latent):
    # Where encoder and decoder are inverse and y is explained, neither norm is left.
    latent.codec.encode = lambda x: (x + 1) / 3
    y = torch.where(OBSERVED, 0.8, 0.0).double()
    z0 = torch.full((1, 1, 1, 2, 3), (0.8 + 1) / 3).double()
    objective = PSLDSampler(10).objective(Run(latent, Measurement.of(Inpainting(OBSERVED), y), 1), z0)
    torch.testing.assert_close(objective, torch.zeros(1, 1).double(), rtol=0, atol=1e-7)


def test_on_an_autoencoder_it_lowers_its_objective_and_counts():
    pipe = latent_kl()
    prior = DiffusionPrior.from_components(pipe.unet.double(), pipe.scheduler, vqvae=pipe.vqvae.double())
    observed = torch.rand(2, 1, 16, 16, generator=seeded(1)) < 0.5
    seen = Measurement.of(Inpainting(observed), torch.where(observed, torch.rand(2, 3, 16, 16).double(), 0))
    samples = PSLDSampler(4)(prior, seen, 3, seeded(0))
    assert samples.calls == {"refinement": 12} and samples.backward == {"refinement": 9}
    run = Run(prior, seen, 3, seeded(0))
    z = run.terminal()
    # A short step down the objective lowers it.
    before = PSLDSampler(4).objective(run, prior.denoise(z, 300))
    pulled, _ = PSLDSampler(4, omega=1e-4, gamma=1e-4).step(run, z, 300, 299)
    plain, _ = PSLDSampler(4, omega=0, gamma=0).step(run, z, 300, 299)
    after = PSLDSampler(4).objective(run, prior.denoise(z + pulled - plain, 300))
    assert (after < before).all()


def test_it_is_for_latent_priors(latent):
    latent.codec = IdentityCodec()
    with pytest.raises(ValueError, match="it is for latent priors; for pixel priors take dps"):
        PSLDSampler(4).settle(latent, Measurement.of(Inpainting(OBSERVED), torch.zeros(1, 1, 2, 3)))
