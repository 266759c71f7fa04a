"""CompVis' latent diffusion models, converted and loaded, against the original architecture on the same weights."""

import json

import pytest
import torch
from diffusers import AutoencoderKL, DDIMScheduler, LDMPipeline, UNet2DConditionModel, VQModel

from tests.convert.common import close, noise, randomise
from tests.convert.tiny_ldm import CHURCHES, IMAGENET, churches_original, imagenet_original, state_of
from vipaint_pyro.convert import convert_ldm
from vipaint_pyro.networks.class_embedder import ClassEmbedder
from vipaint_pyro.networks.openai_unet import OpenAIUNet2DModel

T = torch.tensor([3, 640])


@pytest.fixture
def churches(tmp_path):
    state = state_of(*churches_original()) | {"scale_factor": torch.tensor(0.22765929)}
    torch.save({"state_dict": state, "global_step": 3}, tmp_path / "churches.ckpt")
    return convert_ldm(tmp_path / "churches.ckpt", tmp_path / "prior", "churches-kl-f8", **CHURCHES)


@pytest.fixture
def imagenet(tmp_path):
    torch.save({"state_dict": state_of(*imagenet_original())}, tmp_path / "cin.ckpt")
    return convert_ldm(tmp_path / "cin.ckpt", tmp_path / "prior", "imagenet-vq-f4", **IMAGENET)


def load(kind, folder):
    return kind.from_pretrained(folder, use_safetensors=True, low_cpu_mem_usage=False).eval()


@torch.no_grad()
def test_churches_unet(churches):
    z = noise(2, 4, 8, 8)
    close(load(OpenAIUNet2DModel, churches / "unet")(z, T).sample, churches_original()[0](z, T))


@torch.no_grad()
def test_churches_autoencoder(churches):
    vae, original = load(AutoencoderKL, churches / "vqvae"), churches_original()[1]
    x, z = noise(2, 3, 16, 16), noise(2, 4, 8, 8)
    posterior, (mean, log_variance) = vae.encode(x).latent_dist, original.moments(x)
    close(posterior.mean, mean)
    close(posterior.logvar, log_variance)
    close(vae.decode(z).sample, original.decode(z))
    assert vae.config.scaling_factor == pytest.approx(0.22765929)


@torch.no_grad()
def test_imagenet_unet_and_class_embedder(imagenet):
    unet, embedder = load(UNet2DConditionModel, imagenet / "unet"), load(ClassEmbedder, imagenet / "class_embedder")
    original, _, table = imagenet_original()
    z, labels = noise(2, 3, 8, 8), torch.tensor([7, 1000])
    context = embedder(labels)
    assert context.shape == (2, 1, 24)
    expected = original(z, T, table(labels)[:, None])
    close(unet(z, T, encoder_hidden_states=context).sample, expected)
    # The class is heard: with another one the output differs by more than the tolerance.
    other = unet(z, T, encoder_hidden_states=embedder(labels.flip(0))).sample
    assert (other - expected).abs().mean() > 1e-2


@torch.no_grad()
def test_imagenet_autoencoder_quantises_when_it_decodes(imagenet):
    vae, original = load(VQModel, imagenet / "vqvae"), imagenet_original()[1]
    x, z = noise(2, 3, 16, 16), noise(2, 3, 8, 8)
    close(vae.encode(x).latents, original.encode(x))
    close(vae.decode(z).sample, original.decode(z))
    assert vae.config.scaling_factor == 1.0
    assert len(torch.unique(vae.quantize(z)[2][2])) > 10


def test_churches_folder_is_a_diffusers_pipeline(churches):
    scheduler = DDIMScheduler.from_pretrained(churches / "scheduler")
    # Rombach et al.: linear in the square root of beta; the last alpha bar by hand.
    root = torch.linspace(0.0015**0.5, 0.0155**0.5, 1000, dtype=torch.float64)
    assert scheduler.alphas_cumprod[-1].item() == pytest.approx((1 - root**2).prod().item(), rel=1e-4)
    assert not scheduler.config.clip_sample and scheduler.config.prediction_type == "epsilon"
    pipe = LDMPipeline.from_pretrained(churches, use_safetensors=True, low_cpu_mem_usage=False)
    assert type(pipe.unet) is OpenAIUNet2DModel and pipe.unet.mid_block.attentions[0].heads == 8
    pipe.set_progress_bar_config(disable=True)
    images = pipe(num_inference_steps=2, output_type="np").images
    assert images.shape == (1, 16, 16, 3) and images.std() > 0


def test_imagenet_folder(imagenet):
    index = json.loads((imagenet / "model_index.json").read_text())
    assert index["null_class"] == 1000
    assert index["class_embedder"] == ["vipaint_pyro.networks.class_embedder", "ClassEmbedder"]
    assert index["unet"] == ["diffusers", "UNet2DConditionModel"] and index["vqvae"] == ["diffusers", "VQModel"]
    scheduler = DDIMScheduler.from_pretrained(imagenet / "scheduler")
    assert scheduler.betas[0].item() == pytest.approx(0.0015) and scheduler.betas[-1].item() == pytest.approx(0.0195)


@torch.no_grad()
def test_the_running_averages_are_what_churches_samples_with(tmp_path):
    unet, autoencoder = churches_original()
    plain = state_of(randomise(churches_original()[0], seed=9), autoencoder)
    averages = {"model_ema.diffusion_model" + k.replace(".", ""): v for k, v in unet.state_dict().items()}
    averages |= {"model_ema.decay": torch.tensor(0.9999), "model_ema.num_updates": torch.tensor(5)}
    torch.save({"state_dict": plain | averages | {"scale_factor": torch.tensor(0.2)}}, tmp_path / "ema.ckpt")
    folder = convert_ldm(tmp_path / "ema.ckpt", tmp_path / "prior", "churches-kl-f8", **CHURCHES)
    z = noise(2, 4, 8, 8)
    close(load(OpenAIUNet2DModel, folder / "unet")(z, T).sample, unet(z, T))
