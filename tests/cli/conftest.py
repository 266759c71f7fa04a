"""A folder to run commands in."""

import numpy as np
import PIL.Image
import pytest
from diffusers import DDPMScheduler

from tests.conftest import tiny_unet
from vipaint_pyro.pipelines.vipaint import VIPaintPipeline


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with a tiny prior, an image and a mask that fit it."""
    monkeypatch.chdir(tmp_path)
    pipe = VIPaintPipeline(
        tiny_unet(classes=3), DDPMScheduler(clip_sample=False), null_class=2, class_names=["cat", "dog"]
    )
    pipe.save_pretrained("prior")
    rng = np.random.default_rng(0)
    PIL.Image.fromarray(rng.integers(0, 256, (8, 8), dtype=np.uint8)).save("image.png")
    mask = np.zeros((8, 8), np.uint8)
    mask[2:6, 1:4] = 255
    PIL.Image.fromarray(mask).save("mask.png")
    return tmp_path
