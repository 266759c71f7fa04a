"""A folder to run commands in."""

from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from diffusers import DDPMScheduler
from matplotlib.figure import Figure

from tests.conftest import tiny_unet
from vipaint_pyro.pipelines.vipaint import VIPaintPipeline

DRAWN = Figure.savefig


def blank(figure, file, format="png", **options):
    """A white picture of the figure's size; matplotlib would take half of a run's time for what a test does not see."""
    if format != "png":
        return DRAWN(figure, file, format=format, **options)
    width, height = figure.get_size_inches() * options.get("dpi", figure.dpi)
    PIL.Image.new("L", (round(width), round(height)), 255).save(file, format)


@pytest.fixture(autouse=True)
def figures(request, monkeypatch):
    """Figures are made, but left white, save in tests that are of them: those have the mark drawn."""
    if request.node.get_closest_marker("drawn") is None:
        monkeypatch.setattr(Figure, "savefig", blank)


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
