"""RePaint against diffusers' whole pipeline of that name: its visits, and its picture, with the same noise.

The walk with its scheduler's single steps is in :mod:`tests.samplers.test_repaint`.
"""

import pytest
import torch
from diffusers import DDPMScheduler, RePaintPipeline, RePaintScheduler
from diffusers.utils import logging

from tests.conftest import float64_tables, tiny_unet
from tests.samplers.against.walks import OBSERVED
from vipaint_pyro.measurements import Inpainting, Measurement
from vipaint_pyro.priors.diffusion import DiffusionPrior
from vipaint_pyro.priors.schedules import CLEAN
from vipaint_pyro.samplers import RePaintSampler


class Late(RePaintSampler):
    """RePaint as diffusers' pipeline walks: it goes up after the step *from* a listed time, the last time from x."""

    def visits(self, prior, start):
        return [start, *(t - 1 for t in super().visits(prior, start)[:-1])]

    def step(self, run, z, t, s):
        moved = super().step(run, z, t, s)
        if s == CLEAN:
            run.normal(z)  # which the scheduler draws there too, and does not use
        return moved


@pytest.mark.parametrize(
    "steps, length, repeats", [(250, 10, 10), (250, 10, 1), (250, 5, 7), (100, 3, 2), (50, 20, 4), (20, 1, 3)]
)
def test_the_visits_are_those_of_diffusers(steps, length, repeats):
    # Theirs are 0, k, 2k ..., ours end at the last time of the schedule; the clean image is left out of theirs.
    scheduler = RePaintScheduler()
    scheduler.set_timesteps(steps, length, repeats)
    prior = DiffusionPrior.from_components(tiny_unet(), DDPMScheduler(clip_sample=False))
    sampler = RePaintSampler(steps, jump_length=length, jump_n_sample=repeats)
    ours = sampler.visits(prior, prior.schedule.last)
    size = 1000 // steps
    assert ours[-1] == CLEAN and [t - (size - 1) for t in ours[:-1]] == scheduler.timesteps.tolist()
    calls = sum(b < a for a, b in zip(ours, ours[1:]))
    assert (calls == 2410) == ((steps, length, repeats) == (250, 10, 10))


@pytest.mark.filterwarnings("ignore:The preprocess method is deprecated:FutureWarning")
@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("length, repeats", [(1, 1), (1, 2), (4, 2)])
def test_the_picture_is_that_of_the_pipeline(eta, length, repeats):
    # On a schedule of as many times as steps, where going up is one step of the forward process on both sides.
    logging.set_verbosity_error()  # the pipeline is kept by diffusers, but no longer maintained
    unet, betas = tiny_unet().double(), torch.linspace(0.01, 0.2, 12, dtype=torch.float32).double()
    scheduler = float64_tables(RePaintScheduler(12, trained_betas=betas.numpy(), clip_sample=False))
    pipe = RePaintPipeline(unet, scheduler)
    pipe.set_progress_bar_config(disable=True)
    levels = float64_tables(DDPMScheduler(12, trained_betas=betas.numpy(), clip_sample=False))
    prior = DiffusionPrior.from_components(unet, levels)
    y = torch.where(OBSERVED, torch.linspace(-1, 1, 64, dtype=torch.float64).reshape(1, 1, 8, 8), 0)
    expected = pipe(
        y, OBSERVED.double(), num_inference_steps=12, eta=eta, jump_length=length, jump_n_sample=repeats,
        generator=torch.Generator().manual_seed(4), output_type="np",
    ).images  # fmt: skip
    sampler = Late(12, eta=eta, jump_length=length, jump_n_sample=repeats)
    if repeats == 1:
        assert sampler.visits(prior, 11) == RePaintSampler(12, jump_n_sample=1).visits(prior, 11)
    seen = Measurement.of(Inpainting(OBSERVED), y)
    ours = sampler(prior, seen, 1, torch.Generator().manual_seed(4)).images[0]
    shown = (ours / 2 + 0.5).clamp(0, 1).permute(0, 2, 3, 1)
    torch.testing.assert_close(shown, torch.from_numpy(expected), rtol=0, atol=1e-8)
    assert (shown > 0).logical_and(shown < 1).double().mean() > 0.3
