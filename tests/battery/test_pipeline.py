"""The pipeline's call refuses every bad value of every parameter in one line, before its network is called."""

import math

import numpy as np
import PIL.Image
import pytest
import torch
from diffusers import DDPMScheduler

from tests.battery.common import HUGE, NOT_A_GENERATOR, NOT_A_NAME, NOT_A_NUMBER, NOT_WHOLE, World, named, wrongs
from tests.conftest import tiny_unet
from vipaint_pyro.pipelines.vipaint import VIPaintPipeline

MASK = np.zeros((8, 8), np.uint8)
MASK[2:6] = 255
IMAGE = np.full((8, 8), 100, np.uint8)
FEW = {"fit_steps": 2, "num_chains": 2, "num_inference_steps": 3, "num_samples": 2, "output_type": "pt"}
PICTURES = [
    None, 3, "image.png", {}, [], [None], np.zeros((0, 0)), np.zeros((9, 8)), np.full((8, 8), math.nan),
    np.full((8, 8), 7.0), np.zeros((8, 8), np.int64), np.zeros((8, 8), complex), torch.zeros(1, 9, 8),
    torch.full((1, 8, 8), math.nan), torch.zeros(3, 8, 8), torch.zeros(8), PIL.Image.new("I;16", (8, 8)),
    PIL.Image.new("L", (1, 1)), PIL.Image.new("RGBA", (8, 8), (1, 1, 1, 9)), torch.zeros(1, 8, 8, device="meta"),
    torch.zeros(1, 8, 8).to_sparse(), torch.zeros(1, 8, 8).cfloat(),
]  # fmt: skip
BAD = {
    "image": PICTURES,
    "mask_image": [*PICTURES, np.zeros((8, 8), np.uint8), np.full((8, 8), 255, np.uint8), "Alpha", "alpha"],
    "operator": [3, "deblur", lambda x: x, IMAGE], "class_labels": [9, -1, 1.5, "cow", [0, 1], {}, math.nan, True, []],
    "prompt": ["a cat", 3, ["a"]], "negative_prompt": ["a", 3], "prompt_embeds": [3, {}, {"a": 1}],
    "negative_prompt_embeds": [3, {"a": 1}], "guidance_scale": [*NOT_A_NUMBER, None, 3.0],
    "num_samples": [*NOT_WHOLE, None],
    "num_inference_steps": [*NOT_WHOLE, 5000], "generator": NOT_A_GENERATOR, "output_type": [*NOT_A_NAME, "latent"],
    "guide": [3, [], "hierarchicl", "", torch.nn.Linear(1, 1)], "method": [*NOT_A_NAME, "DPS"],
    "fit_callback": [3, "f", [], {}], "callback_on_step_end": [3, "f", [], {}],
    "callback_on_step_end_tensor_inputs": [3, ["x"], "latents2", [3], None], "num_step": [3], "zetta": [1.0],
    "beta": [*NOT_A_NUMBER, -1, 0, HUGE], "limit": ["no", 1], "num_chains": [1.5, "2", True],
    "hidden_pull": [-0.1, 1.5], "effort": [*[v for v in NOT_A_NAME if v is not None], "drft", "best"],
    "fit_patience": [*[v for v in NOT_WHOLE if v != 0], 1],
    "sweeps": [-1, 1.5, True, 3], "sweep_levels": [-1, 1.5, True, 2],
    "num_particles": [*[v for v in NOT_WHOLE if v != 0], 5], "own_cloud": ["no", 1, True],
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
@pytest.mark.filterwarnings("ignore")
def test_bad_values_are_refused(name, monkeypatch):
    network = tiny_unet(classes=5)
    pipe = VIPaintPipeline(network, DDPMScheduler(clip_sample=False), null_class=4, class_names=list("abcd"))
    pipe.set_progress_bar_config(disable=True)
    world, found = World(), {}

    def computes(*args, **kwargs):
        raise AssertionError("the network was called")

    monkeypatch.setattr(network, "forward", computes)
    for label, value in named(name, BAD[name]):
        if name == "num_inference_steps" and value is None:
            continue
        given = {"image": IMAGE, "mask_image": MASK, "generator": world.generator, **FEW, name: value}
        if name == "operator":
            del given["mask_image"]
        if wrong := wrongs(lambda given=given: pipe(**given), world):
            found[label] = wrong
    assert not found
