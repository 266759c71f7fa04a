"""The EDM network of consistency models, against azula's copy of OpenAI's network on the same weights."""

import json

import pytest
import torch
from diffusers import EDMEulerScheduler

from tests.convert.common import close, noise, randomise
from vipaint_pyro.convert import convert_adm
from vipaint_pyro.convert.adm import adm_unet
from vipaint_pyro.convert.checkpoint import collect
from vipaint_pyro.convert.names import unet_sources
from vipaint_pyro.networks.openai_unet import OpenAIUNet2DModel

adm = pytest.importorskip("azula.plugins.adm")

TINY = {
    "sample_size": 16,
    "layers_per_block": 2,
    "block_out_channels": (32, 64, 128),
    "down_block_types": ("ResnetDownsampleBlock2D", "AttnDownBlock2D", "AttnDownBlock2D"),
    "up_block_types": ("AttnUpBlock2D", "AttnUpBlock2D", "ResnetUpsampleBlock2D"),
    "num_class_embeds": 5,
}


def original(size=64, width=192, mult=(1, 2, 3, 4), layers=3, attention=(32, 16, 8), head=64, classes=1000):
    """With azula's new order of attention: consistency models' (three, heads, width), unlike ADM's own."""
    return adm.make_model(
        learn_var=False,
        image_size=size,
        num_channels=width,
        channel_mult=mult,
        num_res_blocks=layers,
        attention_resolutions=attention,
        num_head_channels=head,
        num_classes=classes,
        use_scale_shift_norm=True,
        resblock_updown=True,
        use_new_attention_order=True,
    ).backbone


def tiny_original():
    return randomise(original(16, 32, (1, 2, 4), 2, (8, 4), 64, 5))


@pytest.fixture
def checkpoint(tmp_path):
    model = tiny_original()
    # The released file stores the attention's convolutions with two axes, azula's network has one.
    state = {k: v[..., None] if v.ndim == 3 else v for k, v in model.state_dict().items()}
    torch.save(state, tmp_path / "edm.pt")
    return tmp_path / "edm.pt"


def load(folder):
    return (
        OpenAIUNet2DModel.from_pretrained(folder / "unet", use_safetensors=True, low_cpu_mem_usage=False).eval(),
        EDMEulerScheduler.from_pretrained(folder / "scheduler"),
    )


@torch.no_grad()
@pytest.mark.parametrize("sigma", [0.002, 0.7, 80.0])
def test_denoised_images_are_the_originals(checkpoint, tmp_path, sigma):
    folder = convert_adm(checkpoint, tmp_path / "prior", unet=TINY)
    unet, scheduler = load(folder)
    x, labels = noise(2, 3, 16, 16) * (0.25 + sigma**2) ** 0.5, torch.tensor([0, 4])
    # KarrasDenoiser of the consistency models' code: its time is 1000 ln(sigma) / 4.
    levels = torch.tensor([sigma, sigma])
    c_skip, c_out, c_in = 0.25 / (sigma**2 + 0.25), 0.5 * sigma / (sigma**2 + 0.25) ** 0.5, (sigma**2 + 0.25) ** -0.5
    output = tiny_original()(c_in * x, 1000 * 0.25 * levels.log(), y=labels)
    time = scheduler.precondition_noise(levels)
    given = unet(scheduler.precondition_inputs(x, sigma), time, class_labels=labels).sample
    close(given, output)
    torch.testing.assert_close(
        scheduler.precondition_outputs(x, given, sigma), c_skip * x + c_out * output, rtol=1e-4, atol=1e-4
    )


def test_the_folder(checkpoint, tmp_path):
    folder = convert_adm(checkpoint, tmp_path / "new" / "prior", unet=TINY)
    assert {p.name for p in folder.iterdir()} == {"unet", "scheduler", "model_index.json"}
    assert {p.name for p in folder.parent.iterdir()} == {"prior"}
    index = json.loads((folder / "model_index.json").read_text())
    assert index["unet"] == ["vipaint_pyro.networks.openai_unet", "OpenAIUNet2DModel"]
    assert index["scheduler"] == ["diffusers", "EDMEulerScheduler"]
    assert index["null_class"] is None
    unet, scheduler = load(folder)
    assert unet.config.num_class_embeds == 5 and unet.config.timestep_scale == 1000
    sigma = scheduler.sigmas[:-1]
    assert sigma.max() == 80 and sigma.min().item() == pytest.approx(0.002) and scheduler.config.sigma_data == 0.5


def test_names_and_shapes_at_full_size():
    with torch.device("meta"):
        model = original()
    unet = adm_unet("edm-imagenet64")
    weights = collect({"unet": unet}, {"unet": unet_sources(unet)}, model.state_dict(), "checkpoint")["unet"]
    assert {k: v.shape for k, v in weights.items()} == {k: v.shape for k, v in unet.state_dict().items()}
    # Dhariwal and Nichol (arXiv:2105.05233) give 296M for ImageNet at 64x64.
    assert round(sum(v.numel() for v in weights.values()) / 1e6) == 296


def test_another_network_is_refused(checkpoint, tmp_path):
    with pytest.raises(ValueError, match=r"no edm-imagenet64 checkpoint.*missing \(.*input_blocks"):
        convert_adm(checkpoint, tmp_path / "prior")
    assert not (tmp_path / "prior").exists()
    with pytest.raises(ValueError, match="unknown kind 'edm' of checkpoint; known are edm-imagenet64"):
        convert_adm(checkpoint, tmp_path / "prior", "edm")
