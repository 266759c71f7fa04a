"""A folder to run commands in."""

from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from diffusers import DDPMScheduler

from tests.blank import unless_drawn
from tests.conftest import tiny_unet
from vipaint_pyro.pipelines.vipaint import VIPaintPipeline


@pytest.fixture(autouse=True)
def figures(request, monkeypatch):
    unless_drawn(request, monkeypatch)


def furnish(folder: Path) -> None:
    """A tiny prior, an image and a mask that fit it."""
    pipe = VIPaintPipeline(
        tiny_unet(classes=3), DDPMScheduler(clip_sample=False), null_class=2, class_names=["cat", "dog"]
    )
    pipe.save_pretrained(folder / "prior")
    rng = np.random.default_rng(0)
    PIL.Image.fromarray(rng.integers(0, 256, (8, 8), dtype=np.uint8)).save(folder / "image.png")
    mask = np.zeros((8, 8), np.uint8)
    mask[2:6, 1:4] = 255
    PIL.Image.fromarray(mask).save(folder / "mask.png")


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with a tiny prior, an image and a mask that fit it."""
    monkeypatch.chdir(tmp_path)
    furnish(tmp_path)
    return tmp_path
