"""Codecs against the autoencoders they wrap, and the straight-through gradient against the decoder's own."""

import pytest
import torch
from diffusers import AutoencoderTiny

from tests.priors.pretrained.tiny import autoencoder, vq
from vipaint_pyro.priors.codecs import IdentityCodec, KLCodec, VQCodec, codec_for, latent_mask

X = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 2 - 1


def test_kl_is_the_posterior_mean_shifted_and_scaled():
    network = autoencoder(scale=0.7, shift_factor=0.2).double()
    codec = codec_for(network)
    assert isinstance(codec, KLCodec) and codec.factor == 2 and codec.channels == 3
    posterior = network.encode(X).latent_dist
    assert (posterior.std > 0.01).all()  # a draw would not pass
    torch.testing.assert_close(codec.encode(X), 0.7 * (posterior.mean - 0.2))
    torch.testing.assert_close(codec.decode(codec.encode(X)), network.decode(posterior.mean).sample)


def test_channels_with_a_mean_and_a_spread_of_their_own_are_those_of_sdxls_pipeline():
    mean, std = [-1.6, 1.1, 2.8, 0.3], [8.4, 3.0, 0.5, 1.7]
    network = autoencoder(scale=0.5, latents_mean=mean, latents_std=std).double()
    codec, posterior = codec_for(network), network.encode(X).latent_dist.mean
    m, s = (torch.tensor(v, dtype=torch.float64).view(1, 4, 1, 1) for v in (mean, std))
    z = codec.encode(X)
    torch.testing.assert_close(z, (posterior - m) * 0.5 / s)
    # StableDiffusionXLPipeline.__call__: latents * latents_std / scaling_factor + latents_mean, then decoded.
    torch.testing.assert_close(codec.decode(z), network.decode(z * s / 0.5 + m).sample)
    torch.testing.assert_close(codec.decode(z), network.decode(posterior).sample)


@pytest.mark.parametrize(
    "config, words",
    [
        ({"latents_mean": [0.0] * 4}, "one of latents_mean and latents_std"),
        ({"latents_mean": [0.0] * 3, "latents_std": [1.0] * 3}, "for each of 4 channels"),
        ({"latents_mean": [0.0] * 4, "latents_std": [1.0, 0.0, 1.0, 1.0]}, "a positive one"),
        ({"latents_mean": [0.0] * 4, "latents_std": [1.0] * 4, "shift_factor": 0.1}, "not known which is meant"),
    ],
)
def test_a_scale_that_is_not_known_is_refused(config, words):
    with pytest.raises(ValueError, match=words):
        codec_for(autoencoder(**config))


def test_the_gradient_passes_the_decoder():
    network = autoencoder().double()
    codec = codec_for(network)
    z = codec.encode(X).requires_grad_()
    (got,) = torch.autograd.grad(codec.decode(z).pow(2).sum(), z)
    latent = (z.detach() / 0.6).requires_grad_()
    (inner,) = torch.autograd.grad(network.decode(latent).sample.pow(2).sum(), latent)
    torch.testing.assert_close(got, inner / 0.6)
    assert all(p.grad is None for p in network.parameters())


def test_vq_encodes_unquantised_and_decodes_the_nearest_code():
    network = vq(scale=0.5).double()
    torch.nn.init.normal_(network.quantize.embedding.weight)
    codec = codec_for(network)
    assert isinstance(codec, VQCodec)
    z = codec.encode(X)
    latents = network.encode(X).latents
    torch.testing.assert_close(z, 0.5 * latents)
    table = network.quantize.embedding.weight
    flat = latents.permute(0, 2, 3, 1).reshape(-1, 3)
    nearest = table[torch.cdist(flat, table).argmin(1)].reshape(2, 8, 8, 3).permute(0, 3, 1, 2)
    assert (nearest - latents).abs().max() > 0.05
    expected = network.decoder(network.post_quant_conv(nearest))
    torch.testing.assert_close(codec.decode(z), expected)


def test_vq_passes_the_gradient_straight_through():
    network = vq(scale=0.5).double()
    torch.nn.init.normal_(network.quantize.embedding.weight)
    codec = codec_for(network)
    z = codec.encode(X).requires_grad_()
    (got,) = torch.autograd.grad(codec.decode(z).pow(2).sum(), z)
    code = network.quantize(z.detach() / 0.5)[0].requires_grad_()
    (inner,) = torch.autograd.grad(network.decoder(network.post_quant_conv(code)).pow(2).sum(), code)
    torch.testing.assert_close(got, inner / 0.5)
    assert got.abs().max() > 0


def test_precision_follows_the_latent_and_half_precision_is_lifted_where_asked():
    network = autoencoder(force_upcast=True).half()
    before = {k: v.clone() for k, v in network.state_dict().items()}
    codec = codec_for(network)
    assert network.dtype == torch.float32
    assert codec.decode(torch.zeros(1, 4, 8, 8, dtype=torch.float64)).dtype == torch.float64
    plain = autoencoder(force_upcast=False).to(torch.bfloat16)
    assert codec_for(plain).encode(X.float()).dtype == torch.float32 and plain.dtype == torch.bfloat16
    assert all(torch.equal(v, before[k]) for k, v in network.half().state_dict().items())


def test_slices_and_tiles_of_the_autoencoder_are_kept():
    network = autoencoder()
    codec, z = codec_for(network), torch.randn(3, 4, 8, 8)
    whole = codec.decode(z)
    network.enable_slicing()
    seen = []
    network.decoder.register_forward_hook(lambda module, inputs, output: seen.append(len(inputs[0])))
    torch.testing.assert_close(codec.decode(z), whole)
    assert seen == [1, 1, 1]


def test_none_and_unknown():
    codec = codec_for(None)
    assert isinstance(codec, IdentityCodec) and codec.encode(X) is X and codec.decode(X) is X
    with pytest.raises(ValueError, match="AutoencoderTiny is not known.*AutoencoderKL and VQModel"):
        codec_for(AutoencoderTiny())


def test_a_latent_pixel_is_known_where_all_of_its_patch_is():
    observed = torch.ones(1, 1, 8, 8, dtype=torch.bool)
    observed[..., 3, 5] = False
    known = latent_mask(observed, 4)
    assert known.tolist() == [[[[True, False], [True, True]]]]
    assert latent_mask(observed, 1).equal(observed)
    colour = observed.repeat(1, 3, 1, 1)
    colour[:, 1, 7, 0] = False
    assert latent_mask(colour, 4).tolist() == [[[[True, False], [False, True]]]]
