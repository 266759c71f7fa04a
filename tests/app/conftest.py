"""A tiny prior, pictures, and jobs that are stopped at a given moment."""

import numpy as np
import PIL.Image
import pytest
import torch
from diffusers import DDPMScheduler

from tests.conftest import tiny_unet
from vipaint_pyro import VIPaintPipeline
from vipaint_pyro.app.asked import Asked
from vipaint_pyro.app.jobs import Job
from vipaint_pyro.app.pictures import Picture

FEW = "timesteps=700,400 fit_steps=3 refinement_steps=4 num_chains=1"


def tiny_pipe(channels=1):
    pipe = VIPaintPipeline(tiny_unet(channels), DDPMScheduler(clip_sample=False))
    pipe.set_progress_bar_config(disable=True)
    return pipe


def picture_of(width, height, mode="L", seed=0):
    shape = (height, width) if mode == "L" else (height, width, len(mode))
    pixels = np.random.default_rng(seed).integers(0, 256, shape, np.uint8)
    return Picture("a.png", PIL.Image.fromarray(pixels))


def asked(**more):
    return Asked("tiny", **{"samples": 3, "more": FEW, **more})


class Until(Job):
    """Stopped once its view is such."""

    def __init__(self, when=lambda view: False):
        super().__init__(lambda job: None)
        self.when = when

    def show(self, **changes):
        super().show(**changes)
        if self.when(self.view):
            self.stop()


@pytest.fixture
def pipe():
    return tiny_pipe()


@pytest.fixture
def hidden():
    found = np.zeros((8, 8), bool)
    found[2:6, 1:4] = True
    return found


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)
