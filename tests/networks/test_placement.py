"""Networks whose weights are kept elsewhere, or in another precision, than they compute in."""

import pytest
import torch
from diffusers import DDPMScheduler
from torch import nn

from tests.conftest import tiny_unet
from tests.pipelines.test_vipaint import quiet, run
from tests.priors.pretrained.tiny import FAMILIES, TEXT, autoencoder
from vipaint_pyro.networks.placement import device_of, dtype_of
from vipaint_pyro.pipelines.vipaint import VIPaintPipeline
from vipaint_pyro.priors.codecs import codec_for
from vipaint_pyro.priors.diffusion import DiffusionPrior

F8 = torch.float8_e4m3fn


def prior_of(unet):
    return DiffusionPrior.from_components(unet, DDPMScheduler(clip_sample=False))


def rounded(network, storage):
    """A twin whose weights are what layerwise casting stores, in float32 throughout."""
    cast = network.state_dict()
    twin = tiny_unet()
    twin.load_state_dict({k: v.float() for k, v in cast.items()})
    assert any(v.dtype == storage for v in cast.values())
    return twin


@pytest.mark.parametrize("storage", [F8, torch.bfloat16])
@pytest.mark.parametrize("checkpointing", [False, True])
def test_layerwise_casting_computes_with_the_stored_weights(storage, checkpointing):
    unet = tiny_unet()
    unet.enable_layerwise_casting(storage_dtype=storage, compute_dtype=torch.float32)
    cast, plain = (prior_of(u).checkpointed(checkpointing) for u in (unet, rounded(unet, storage)))
    assert cast.dtype == torch.float32 and cast.denoiser.condition_dtype == torch.float32
    z = torch.randn(3, 1, 1, 8, 8).requires_grad_()
    one, two = cast.denoise(z, 300), plain.denoise(z, 300)
    assert torch.equal(one, two)
    gradients = [torch.autograd.grad(v.pow(2).sum(), z)[0] for v in (one, two)]
    assert torch.equal(*gradients)


def test_a_pipeline_with_layerwise_casting_draws_what_its_stored_weights_say():
    unet = tiny_unet()
    unet.enable_layerwise_casting(storage_dtype=F8, compute_dtype=torch.float32)
    cast, plain = (
        quiet(VIPaintPipeline(u, DDPMScheduler(clip_sample=False))) for u in (unet, rounded(unet, F8))
    )
    assert torch.equal(run(cast).images, run(plain).images)
    assert all(p.requires_grad for p in unet.parameters())


def test_an_autoencoder_with_layerwise_casting():
    vae = autoencoder()
    vae.enable_layerwise_casting(storage_dtype=torch.bfloat16, compute_dtype=torch.float32)
    twin = autoencoder()
    twin.load_state_dict({k: v.float() for k, v in vae.state_dict().items()})
    x = (torch.rand(1, 3, 16, 16) * 2 - 1).requires_grad_()
    results = []
    for network in (vae, twin):
        codec = codec_for(network)
        y = codec.decode(codec.encode(x))
        results.append((y, *torch.autograd.grad(y.pow(2).sum(), x)))
    assert results[0][0].dtype == torch.float32
    for one, two in zip(*results):
        assert torch.equal(one, two)


@pytest.mark.parametrize("kind", ["leaf_level", "block_level"])
def test_group_offloading(kind):
    pytest.importorskip("accelerate")
    unet, options = tiny_unet(), {"num_blocks_per_group": 1} if kind == "block_level" else {}
    pipe = quiet(VIPaintPipeline(unet, DDPMScheduler(clip_sample=False)))
    plain = run(pipe).images
    cpu = torch.device("cpu")
    unet.enable_group_offload(onload_device=cpu, offload_device=cpu, offload_type=kind, **options)
    assert torch.equal(run(pipe).images, plain)
    assert pipe.prior.device == cpu


@pytest.mark.battery
@pytest.mark.parametrize("name", sorted({*FAMILIES} - {"dit"}))  # diffusers' own does not offer it
@pytest.mark.parametrize("kind", ["leaf_level", "block_level"])
def test_the_device_is_where_a_group_is_brought(name, kind):
    pytest.importorskip("transformers")
    pipe = FAMILIES[name]()
    network = pipe.components.get("unet") or pipe.transformer
    options = {"num_blocks_per_group": 1} if kind == "block_level" else {}
    cpu, cuda = torch.device("cpu"), torch.device("cuda")
    network.enable_group_offload(onload_device=cuda, offload_device=cpu, offload_type=kind, **options)
    assert device_of(network) == cuda and next(network.parameters()).device == cpu


@pytest.mark.battery
@pytest.mark.parametrize("name", sorted(FAMILIES))
def test_the_precision_of_every_family_under_layerwise_casting(name):
    pytest.importorskip("transformers")
    pipe = FAMILIES[name]()
    network = pipe.components.get("unet") or pipe.transformer
    network.enable_layerwise_casting(storage_dtype=F8, compute_dtype=torch.bfloat16)
    assert dtype_of(network) == torch.bfloat16 == network.dtype


class Mover:
    """A hook as accelerate has them: the weights hold other numbers between the calls."""

    execution_device = None

    def __init__(self, network):
        self.kept = {k: p.data for k, p in network.named_parameters()}
        network.register_forward_pre_hook(lambda module, _: self.put(module, self.kept))
        network.register_forward_hook(lambda module, *_: self.away(module))
        self.away(network)
        network._hf_hook = self

    @staticmethod
    def put(network, values):
        for name, p in network.named_parameters():
            p.data = values[name]

    def away(self, network):
        self.put(network, {k: torch.full_like(v, torch.nan) for k, v in self.kept.items()})


@pytest.mark.parametrize("checkpointing", [False, True])
def test_a_backward_pass_finds_the_weights_of_its_call(checkpointing):
    z = torch.randn(3, 1, 1, 8, 8).requires_grad_()

    def results(unet):
        prior = prior_of(unet).checkpointed(checkpointing)
        z0 = prior.denoise(prior.denoise(z, 600), 300)
        return z0, *torch.autograd.grad(z0.pow(2).sum(), z)

    expected, unet = results(tiny_unet()), tiny_unet()
    Mover(unet)
    for one, two in zip(results(unet), expected):
        assert torch.equal(one, two)


class Hook:
    def __init__(self, execution_device):
        self.execution_device = execution_device


@pytest.mark.parametrize("device, expected", [("meta", "meta"), (0, "cuda:0"), (torch.device("cuda", 1), "cuda:1")])
def test_the_device_is_where_accelerate_brings_a_network(device, expected):
    whole, layers = tiny_unet(), tiny_unet()
    whole._hf_hook = Hook(device)
    layers._hf_hook = Hook(None)  # sequential offloading: the layers have their own
    layers.conv_in._hf_hook = Hook(device)
    for network in (whole, layers, nn.DataParallel(whole), torch.compile(layers, backend="eager")):
        assert device_of(network) == torch.device(expected)


@pytest.mark.battery
@pytest.mark.parametrize("name", [
    pytest.param(name, marks=[pytest.mark.slow] if name in ("stable_diffusion_xl", "flux") else [])
    for name in ("pixel", "latent_kl", "latent_vq", *TEXT)
])  # fmt: skip
@pytest.mark.parametrize("whole", [True, False])
def test_a_pipeline_with_offloading(name, whole):
    accelerate = pytest.importorskip("accelerate")
    pytest.importorskip("transformers")

    def drawn(offloaded):
        theirs = FAMILIES[name]()
        pipe = quiet(VIPaintPipeline.from_pipe(theirs))
        if offloaded and whole:
            pipe.enable_model_cpu_offload(device="cpu")
        elif offloaded:  # as enable_sequential_cpu_offload does, which says "cpu:0", where accelerate makes no weights
            for part in pipe.components.values():
                if isinstance(part, nn.Module):
                    accelerate.cpu_offload(part, torch.device("cpu"), offload_buffers=len(part._parameters) > 0)
            assert next(pipe.unet.parameters() if pipe.unet else pipe.transformer.parameters()).device.type == "meta"
        channels, height, width = pipe.prior.image_shape
        image = torch.rand(channels, height, width, generator=torch.Generator().manual_seed(1))
        mask = torch.zeros(height, width)
        mask[2:7, 1:4] = 1
        given = {"prompt": "a cat"} if name in TEXT else {}
        return run(pipe, image, mask, timesteps=(600, 300), **given).images

    if name == "latent_vq" and not whole:
        with pytest.raises(ValueError, match="a VQModel reads its codebook without a call"):
            drawn(True)
        return
    found, expected = drawn(True), drawn(False)
    if whole and name in TEXT:
        # accelerate copies what it is given to "cpu:0", and the numbers of a prompt, which are one block for all images
        # (stride 0), become one each: a product of matrices may then add up in another order. (6e-7 at the most.)
        assert (found - expected).abs().max() < 5e-6
    else:
        assert torch.equal(found, expected)


def test_inside_a_block_no_call_walks_over_the_modules(monkeypatch):
    """Outside of runs a walk finds out what casts the weights; in a run that is known already."""
    unet, walks = tiny_unet(), []
    walk = nn.Module.modules
    with prior_of(unet).frozen():
        monkeypatch.setattr(nn.Module, "modules", lambda self: walks.append(self) or walk(self))
        assert dtype_of(unet) == torch.float32 and not walks
        unet.double()
        walks.clear()
        assert dtype_of(unet) == torch.float64 and not walks
    assert dtype_of(unet) == torch.float64 and walks


def test_a_cast_network_is_known_as_one_inside_a_block_too():
    unet = tiny_unet()
    unet.enable_layerwise_casting(storage_dtype=F8, compute_dtype=torch.bfloat16)
    with prior_of(unet).frozen():
        assert dtype_of(unet) == torch.bfloat16
