"""The noise levels that VIPaint takes where no timesteps are given."""

import pytest

from tests.priors.pretrained.tiny import latent_kl
from vipaint_pyro import DiffusionPrior
from vipaint_pyro.samplers import timesteps_for


@pytest.mark.parametrize(
    "levels, pixels, latents",
    [(1, (1.8,), (1.8,)), (2, (3.1, 1.0), (3.1, 1.0)), (4, (3.1, 2.0, 1.4, 1.0), (20.0, 7.0, 2.5, 1.2))],
)
def test_they_have_these_ratios_of_noise_to_signal(gaussian, levels, pixels, latents):
    pipe = latent_kl()
    latent = DiffusionPrior.from_components(pipe.unet, pipe.scheduler, vqvae=pipe.vqvae)
    for prior, ratios in ((gaussian, pixels), (latent, latents)):
        schedule = prior.schedule
        times = timesteps_for(prior, levels)
        assert times == tuple(schedule.time_of_ratio(r) for r in ratios)
        for t, ratio in zip(times, ratios):
            assert float(schedule.sigma(t) / schedule.alpha(t)) == pytest.approx(ratio, rel=0.03)


def test_another_number_of_levels_needs_its_timesteps(gaussian):
    for levels in (0, 3, 5):
        with pytest.raises(ValueError, match=rf"known for K = \[1, 2, 4\], not {levels}: give the timesteps"):
            timesteps_for(gaussian, levels)
