"""The pipeline looks first whether a picture is of its prior's kind: in a few counted calls; nothing else changes."""

import pytest
import torch
from diffusers import DDPMScheduler

from tests.conftest import tiny_unet
from vipaint_pyro.kind.check import CALLS, KindWarning
from vipaint_pyro.kind.measuring import measured_range
from vipaint_pyro.kind.range import FILE
from vipaint_pyro.pipelines.vipaint import VIPaintPipeline

FEW = {"fit_steps": 2, "refinement_steps": 2, "num_samples": 2, "output_type": "pt", "timesteps": (700, 300)}


def smooth(number):
    generator = torch.Generator().manual_seed(0)
    return torch.nn.functional.interpolate(torch.rand(number, 1, 2, 2, generator=generator), (8, 8), mode="bilinear")


@pytest.fixture
def folder(tmp_path):
    """A tiny prior whose own pictures are smooth."""
    pipe = VIPaintPipeline(tiny_unet(classes=3), DDPMScheduler(clip_sample=False), null_class=2)
    pipe.kind = measured_range(pipe.prior, 2 * smooth(160) - 1, {"of": "smooth pictures"})
    pipe.save_pretrained(tmp_path / "prior")
    return tmp_path / "prior"


@pytest.fixture
def mask():
    mask = torch.zeros(1, 8, 8)
    mask[:, 2:6, 1:4] = 1
    return mask


def call(pipe, image, mask, **more):
    pipe.set_progress_bar_config(disable=True)
    return pipe(image, mask, generator=torch.Generator().manual_seed(0), **FEW, **more)


def test_own_pictures_pass_and_others_are_warned_of(folder, mask):
    pipe = VIPaintPipeline.from_pretrained(folder)
    own = call(pipe, smooth(161)[160], mask, class_labels=1)
    assert own.kind[0].of_kind is True and own.samples.calls["kind"] == CALLS
    rough = torch.rand(1, 8, 8, generator=torch.Generator().manual_seed(1)).round()
    with pytest.warns(KindWarning, match="does not look like those the prior was trained on"):
        other = call(pipe, rough, mask)
    assert other.kind[0].of_kind is False
    silent = call(pipe, rough, mask, check_kind=False)  # a warning would be an error
    assert silent.kind is None and "kind" not in silent.samples.calls
    assert torch.equal(silent.images, other.images)
    again = call(pipe, rough, mask, guide=silent.guide)  # nothing is fitted
    assert again.kind is None


def test_a_range_stays_with_its_folder_and_goes_with_its_weights(folder, mask, tmp_path):
    pipe = VIPaintPipeline.from_pretrained(folder)
    pipe.save_pretrained(tmp_path / "copy")
    assert (tmp_path / "copy" / FILE).read_bytes() == (folder / FILE).read_bytes()
    assert VIPaintPipeline.from_pretrained(folder, unet=tiny_unet(classes=3)).kind is None
    (folder / FILE).unlink()
    plain = call(VIPaintPipeline.from_pretrained(folder), smooth(1)[0], mask)
    assert plain.kind[0].of_kind is None and "kind" not in plain.samples.calls


@pytest.mark.parametrize("name", ["fashion-mnist", "photo-patches", "cartoon-faces"])
def test_built_in_priors_have_one(name):
    known = VIPaintPipeline.from_pretrained(name).kind
    assert known.about["pictures"] == 500 and 1 < known.limit < 1.5


def test_a_pipeline_of_the_same_parts_knows_it_too(folder):
    pipe = VIPaintPipeline.from_pretrained(folder)
    assert VIPaintPipeline.from_pipe(pipe).kind is pipe.kind is not None
    assert VIPaintPipeline.from_pipe(pipe, scheduler=DDPMScheduler(clip_sample=False, beta_end=0.03)).kind is None
