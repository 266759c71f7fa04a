"""``vipaint priors NAME``: what a prior is, against what its folder was made of and diffusers' own tables."""

import json

import pytest
from diffusers import DDPMScheduler, FlowMatchEulerDiscreteScheduler, UNet2DModel

from tests.cli.calls import vipaint
from vipaint_pyro.pipelines import VIPaintPipeline
from vipaint_pyro.samplers.vipaint.levels import RATIOS

KEYS = {
    "name", "summary", "labels", "image_shape", "latent_shape", "latent", "classes", "unlabelled", "text", "network",
    "predicts", "parameters", "precision", "times", "noise_levels", "timesteps", "kind_known", "weights",
}  # fmt: skip


def facts(name):
    done = vipaint("priors", name, "--json")
    assert done.exit_code == 0, done.output
    (said,) = json.loads(done.stdout, parse_constant=pytest.fail)["priors"]
    assert said.keys() == KEYS
    return said


def test_a_folder(here):
    said = facts("prior")
    unet = UNet2DModel.from_pretrained(here / "prior" / "unet")
    scheduler = DDPMScheduler()
    assert said["image_shape"] == said["latent_shape"] == [1, 8, 8] and not said["latent"] and not said["text"]
    assert (said["labels"], said["classes"], said["unlabelled"]) == (["cat", "dog"], 2, True)
    assert (said["network"], said["predicts"], said["precision"]) == ("UNet2DModel", "epsilon", "float32")
    assert said["parameters"] == unet.num_parameters() and said["times"] == 1000 and not said["kind_known"]
    ratios = ((1 - scheduler.alphas_cumprod.double()) / scheduler.alphas_cumprod.double()).sqrt()
    assert said["noise_levels"] == pytest.approx([float(ratios[0]), float(ratios[-1])], rel=1e-5)
    nearest = {str(k): [int((ratios.log() - x.log()).abs().argmin()) for x in ratios.new_tensor(own)]
               for k, own in RATIOS.items()}  # fmt: skip
    assert said["timesteps"] == nearest


def test_its_lines(here):
    said = vipaint("priors", "prior").stdout.splitlines()
    assert said[:2] == ["prior: UNet2DModel", "  images                8x8 grey, (C, H, W) = (1, 8, 8)"]
    assert "  told                  one of 2 labels, or none" in said and said[-1] == "  --label               cat, dog"
    assert "  pictures of its kind  unknown" in said


def test_the_built_in_ones():
    faces, garments = facts("cartoon-faces"), facts("fashion-mnist")
    assert (faces["image_shape"], faces["latent_shape"], faces["latent"]) == ([3, 64, 64], [4, 16, 16], True)
    assert faces["kind_known"] and garments["kind_known"] and garments["labels"][9] == "ankle boot"
    assert garments["weights"] != faces["weights"] and "clothes" in garments["summary"]


def test_prompts_of_all_noise(here):
    """Nothing is left of the image at a flow's last time: null, for JSON has no infinity."""
    pytest.importorskip("transformers")
    from tests.priors.pretrained.tiny import stable_diffusion_3

    stable_diffusion_3().save_pretrained("flow")
    said, lines = facts("flow"), vipaint("priors", "flow").stdout
    sigmas = FlowMatchEulerDiscreteScheduler.from_pretrained("flow", subfolder="scheduler").sigmas
    assert said["text"] and said["classes"] is None and said["latent"] and said["predicts"] == "flow"
    assert float(sigmas[0]) == 1 and said["noise_levels"][1] is None
    assert "a prompt (--prompt)" in lines and "to all noise" in lines


def test_a_prior_that_takes_nothing_and_one_that_needs_a_label(here):
    from tests.conftest import tiny_unet

    for name, classes in (("plain", None), ("labelled", 3)):
        VIPaintPipeline(tiny_unet(classes=classes), DDPMScheduler(clip_sample=False)).save_pretrained(name)
    assert "it takes neither labels nor prompts" in vipaint("priors", "plain").stdout
    assert facts("plain")["unlabelled"] and not facts("labelled")["unlabelled"]
    assert "one of 3 labels, which each picture needs" in vipaint("priors", "labelled").stdout


def test_levels_that_a_schedule_has_no_room_for_are_left_out(here):
    scheduler = DDPMScheduler(num_train_timesteps=3, clip_sample=False)
    VIPaintPipeline(UNet2DModel.from_pretrained(here / "prior" / "unet"), scheduler).save_pretrained("short")
    assert facts("short")["timesteps"].keys() == {"1", "2"}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("nosuch",), "unknown prior 'nosuch'"),
        (("prior", "--for", "image.png"), "NAMES are described, not ranked"),
        (("prior", "--prior", "prior"), "NAMES are described, not ranked"),
    ],
)
def test_refused(here, given, said):
    done = vipaint("priors", *given)
    assert done.exit_code and said in done.stderr and done.stderr.count("Error") == 1 and not done.stdout
