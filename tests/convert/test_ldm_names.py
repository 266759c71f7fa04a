"""The names and shapes of latent diffusion's checkpoints at full size, and second opinions on the conversion."""

import pytest
import torch
from diffusers.loaders.single_file_utils import convert_ldm_unet_checkpoint, convert_ldm_vae_checkpoint

from tests.convert.common import close, noise, randomise
from tests.convert.ldm_autoencoder import KL, VQ
from tests.convert.ldm_unet import UNet
from tests.convert.tiny_ldm import IMAGENET, churches_original, imagenet_original, state_of
from vipaint_pyro.convert.checkpoint import collect
from vipaint_pyro.convert.compvis import ldm_networks


def originals(kind):
    """By the released configs lsun_churches-ldm-kl-8.yaml and cin256-v2.yaml."""
    if kind == "churches-kl-f8":
        levels = [(192, True), (384, True), (384, True), (768, True), (768, False)]
        unet = UNet(4, levels, 2, heads=8, scale_shift=True, resblock_updown=True)
        return unet, KL((128, 256, 512, 512), 2, 4)
    levels = [(192, False), (384, True), (576, True), (960, True)]
    return UNet(3, levels, 2, heads=1, context=512), VQ((128, 256, 512), 2, 3, 8192), torch.nn.Embedding(1001, 512)


# Millions of parameters. 400 is that of LDM-4 on ImageNet in Rombach et al. (arXiv:2112.10752), table 3. Churches'
# released file has 2.7 GB in float32: twice its UNet (plain and averaged), and the autoencoder.
@pytest.mark.parametrize(
    ("kind", "unet", "autoencoder"), [("churches-kl-f8", 294, 83), ("imagenet-vq-f4", 400, 55)]
)  # fmt: skip
def test_names_and_shapes_at_full_size(kind, unet, autoencoder):
    with torch.device("meta"):
        state = state_of(*originals(kind))
    networks, sources = ldm_networks(kind)
    weights = collect(networks, sources, state, "checkpoint", groups=8 if unet == 294 else 1)
    for part, network in networks.items():
        assert {k: v.shape for k, v in weights[part].items()} == {k: v.shape for k, v in network.state_dict().items()}
    counts = [sum(v.numel() for v in weights[part].values()) // 10**6 for part in ("unet", "vqvae")]
    assert counts == [unet, autoencoder]


def test_every_tensor_is_used_once():
    for kind in ("churches-kl-f8", "imagenet-vq-f4"):
        for part in ldm_networks(kind)[1].values():
            used = [(source.name, source.part) for source in part.values()]
            assert len(used) == len(set(used))


@torch.no_grad()
def test_the_reference_agrees_with_azulas_network():
    adm = pytest.importorskip("azula.plugins.adm")
    reference = churches_original()[0]
    model = adm.make_model(
        learn_var=False, image_channels=4, image_size=8, num_channels=32, channel_mult=(1, 2, 2), num_res_blocks=1,
        attention_resolutions=(8, 4), num_heads=8, use_scale_shift_norm=True, resblock_updown=True,
    ).backbone.eval()  # fmt: skip
    model.load_state_dict(reference.state_dict())
    z, t = noise(2, 4, 8, 8), torch.tensor([3, 640])
    close(model(z, t), reference(z, t))


def test_diffusers_own_conversions_agree():
    # They know the UNet with cross-attention and the autoencoders, less the codebook; not churches' UNet.
    networks, sources = ldm_networks("imagenet-vq-f4", **IMAGENET)
    state = state_of(*imagenet_original())
    given = collect(networks, sources, state, "checkpoint")
    unet = convert_ldm_unet_checkpoint(state, networks["unet"].config)
    assert unet.keys() == given["unet"].keys()
    assert all(torch.equal(unet[k], v) for k, v in given["unet"].items())
    vae = convert_ldm_vae_checkpoint(state, networks["vqvae"].config)
    assert given["vqvae"].keys() - vae.keys() == {"quantize.embedding.weight"}
    assert all(torch.equal(given["vqvae"][k], v) for k, v in vae.items())


def test_random_originals_differ_in_every_tensor():
    # Else a swap of two tensors of one shape would go unseen.
    for module in (*churches_original(), *imagenet_original()):
        tensors = [p for p in module.parameters() if p.numel() > 1]
        sums = {round(float(p.double().sum()), 12) for p in tensors}
        assert len(sums) == len(tensors)
    assert randomise(torch.nn.Linear(3, 3)).bias.abs().min() > 0
