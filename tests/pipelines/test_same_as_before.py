"""Fits and samples are those of before the code was moved into folders: numbers kept from then, in float64.

Those of a mixture (psis) are from when its draws came to be each image's own; a step under a mask pulled hidden latents
as much as known ones then, the paper's guide was that of pixels, too, guides began with holes in mid-grey, and
restorations were refined by DPS.
"""

from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from vipaint_pyro import VIPaintPipeline, make_operator
from vipaint_pyro.images import read_image
from vipaint_pyro.measurements.inpainting import Inpainting

BEFORE = load_file(Path(__file__).parent / "before.safetensors")
DEMO = Path(__file__).parents[2] / "vipaint_pyro" / "assets" / "demo"
FEW = {"num_samples": 2, "fit_steps": 4, "num_inference_steps": 6, "output_type": "pt", "check_kind": False}
LABELS = {"fashion-mnist": 5, "cartoon-faces": 3}
CASES = {
    "default": {},
    "psis": {"guide": "mixture", "correct": "psis", "num_particles": 4},
    "smc": {"correct": "smc", "num_particles": 8, "measurement_scale": 0.1},
    "mean-field": {"guide": "mean-field", "loss": "mean-field", "class_labels": None},
    "guided": {"guidance_scale": 2.0},
    "super-resolution": {"measurement_scale": 0.05, "class_labels": None, "refine": "dps"},
}
QUICK = {"fashion-mnist/default"}


@pytest.fixture(scope="module")
def pipes():
    return {}


def loaded(pipes, name):
    if name not in pipes:
        pipes[name] = VIPaintPipeline.from_pretrained(name, dtype=torch.float64)
        pipes[name].set_progress_bar_config(disable=True)
    return pipes[name]


def asked(name, case, pipe):
    """What the pipeline is called with."""
    shape = pipe.prior.image_shape
    if case == "super-resolution":
        small = (shape[0], shape[1] // 4, shape[2] // 4)
        y = torch.rand(small, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
        return {"image": y, "operator": make_operator(case, shape, scale=4)}
    image, mask = read_image(DEMO / "image.png"), read_image(DEMO / "mask.png")
    if name == "fashion-mnist":
        image, mask = image.convert("L").resize((28, 28)), Image.new("L", (28, 28))
        mask.paste(255, (0, 0, 14, 28))
    return {"image": image, "mask_image": mask}


@pytest.mark.filterwarnings("ignore:(importance weights|sequential Monte Carlo):RuntimeWarning")
@pytest.mark.filterwarnings("ignore::vipaint_pyro.kind.check.KindWarning")  # noise, or a face, given to garments
@pytest.mark.parametrize(
    "key",
    [
        pytest.param(key, marks=() if key in QUICK else pytest.mark.slow)
        for key in (f"{name}/{case}" for name in LABELS for case in CASES)
        if key in BEFORE
    ],
)
def test_the_same_fit_and_the_same_samples(pipes, key, monkeypatch):
    monkeypatch.setattr(Inpainting, "estimate", Inpainting.adjoint)
    name, case = key.split("/")
    pipe = loaded(pipes, name)
    settings = {"class_labels": LABELS[name], "guide": "hierarchical", **FEW, **CASES[case]}
    given = asked(name, case, pipe)
    if "mask_image" in given:
        settings["hidden_pull"] = 1.0
    out = pipe(**given, generator=torch.Generator().manual_seed(0), **settings)
    losses = torch.tensor(out.trace.losses, dtype=torch.float64)
    torch.testing.assert_close(losses, BEFORE[f"{key}/losses"], rtol=1e-9, atol=0)
    torch.testing.assert_close(out.samples.images.float(), BEFORE[key], rtol=0, atol=1e-5)
