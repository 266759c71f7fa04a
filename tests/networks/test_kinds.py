"""Networks compiled, derived and wrapped: the same numbers as the plain ones, or an error that names the class."""

import pytest
import torch
from diffusers import DDPMScheduler, EDMEulerScheduler, FlowMatchEulerDiscreteScheduler, UNet2DModel
from torch import nn

from tests.conftest import tiny_unet
from tests.pipelines.test_vipaint import quiet, run
from tests.priors.pretrained.tiny import FAMILIES, TEXT, autoencoder, vq
from vipaint_pyro.networks.kinds import kind_of, unwrapped
from vipaint_pyro.pipelines.vipaint import VIPaintPipeline
from vipaint_pyro.priors.codecs import codec_for
from vipaint_pyro.priors.diffusion import DiffusionPrior
from vipaint_pyro.priors.schedules import NoiseSchedule

pytestmark = pytest.mark.filterwarnings(
    "ignore::FutureWarning", "ignore::DeprecationWarning", "ignore:The .grad attribute of a Tensor"
)


class Around(nn.Module):
    """A module around a network, which shows the network's config."""

    config = property(lambda self: self.network.config)

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, *args, **kwargs):
        return self.network(*args, **kwargs)


class AroundAutoencoder(Around):
    def encode(self, x):
        return self.network.encode(x)

    def decode(self, z):
        return self.network.decode(z)


def derived(network):
    """The same network as an object of a class of the user's own."""
    network.__class__ = type("MyNetwork", (type(network),), {})
    return network


def compiled(network):
    return torch.compile(network, backend="eager")


def compiled_in_place(network):
    network.compile(backend="eager")
    return network


WAYS = {
    "compiled": compiled,
    "compiled in place": compiled_in_place,
    "derived": derived,
    "parallel": nn.DataParallel,
    "around": Around,
    "compiled around derived": lambda network: compiled(Around(derived(network))),
}


@pytest.fixture(autouse=True)
def forget_compiled():
    yield
    torch._dynamo.reset()


def parts(name):
    pipe = FAMILIES[name]()
    names = ("unet", "transformer", "vae", "vqvae", "scheduler")
    return {k: v for k, v in pipe.components.items() if k in names and v is not None}


#: A pipeline calls its network with many shapes, each of which is compiled on its own.
LONG = [pytest.param(way, marks=pytest.mark.slow) if way.startswith("compiled") else way for way in WAYS]


@pytest.mark.battery
@pytest.mark.parametrize("way", LONG)
def test_the_pipeline_draws_what_the_plain_network_draws(way):
    def drawn(wrap):
        return run(quiet(VIPaintPipeline(wrap(tiny_unet()), DDPMScheduler(clip_sample=False)))).images

    assert torch.equal(drawn(WAYS[way]), drawn(lambda network: network))


@pytest.mark.slow
def test_a_network_compiled_in_its_place_of_a_pipeline():
    pipe = quiet(VIPaintPipeline(tiny_unet(), DDPMScheduler(clip_sample=False)))
    plain = run(pipe).images
    pipe.unet = compiled(pipe.unet)
    assert torch.equal(run(pipe).images, plain)


@pytest.mark.battery
@pytest.mark.parametrize("name, way", [
    pytest.param(name, way, marks=[pytest.mark.slow] if way == "compiled" and name not in ("pixel", "dit") else [])
    for name in sorted(FAMILIES) for way in ("compiled", "derived", "parallel", "around")
])  # fmt: skip
def test_every_family_is_called_as_its_own(name, way):
    pytest.importorskip("transformers")
    given = parts(name)
    place = "unet" if "unet" in given else "transformer"
    plain = DiffusionPrior.from_components(**given)

    def predicted(prior):
        torch.manual_seed(0)
        if name in TEXT:
            count = 3
            config = given[place].config
            pooled = config.get("pooled_projection_dim", None)
            shapes = {"encoder_hidden_states": (count, 5, width(config)), "pooled_projections": (count, pooled)}
            shapes |= {"text_embeds": (count, 8), "time_ids": (count, 6)}
            prior = prior.prompted({k: torch.randn(*shapes[k]) for k in prior.needs})
        elif prior.num_classes is not None:
            prior = prior.conditioned(1)
        return prior.denoise(torch.randn(3, *prior.latent_shape), 400)

    def width(config):
        return config.get("cross_attention_dim", None) or config.joint_attention_dim

    with torch.no_grad():
        expected = predicted(plain)
        wrapped = DiffusionPrior.from_components(**{**given, place: WAYS[way](given[place])})
        assert wrapped.needs == plain.needs and wrapped.latent_shape == plain.latent_shape
        assert wrapped.num_classes == plain.num_classes
        torch.testing.assert_close(predicted(wrapped), expected)


@pytest.mark.battery
@pytest.mark.parametrize("make", [autoencoder, vq])
@pytest.mark.parametrize("wrap", [compiled, derived, nn.DataParallel, AroundAutoencoder, Around])
def test_autoencoders(make, wrap):
    x = torch.rand(1, 3, 16, 16) * 2 - 1
    plain = codec_for(make())
    codec = codec_for(wrap(make()))
    assert type(codec) is type(plain)
    with torch.no_grad():
        torch.testing.assert_close(codec.decode(codec.encode(x)), plain.decode(plain.encode(x)))


def test_schedulers_of_derived_classes():
    for scheduler in (FlowMatchEulerDiscreteScheduler(), EDMEulerScheduler()):
        mine = type("MyScheduler", (type(scheduler),), {})()
        assert torch.equal(NoiseSchedule.from_scheduler(mine)._sigma, NoiseSchedule.from_scheduler(scheduler)._sigma)
        denoiser = DiffusionPrior.from_components(tiny_unet(), mine).denoiser
        assert type(denoiser) is type(DiffusionPrior.from_components(tiny_unet(), scheduler).denoiser)


@pytest.mark.parametrize("network", [nn.Conv2d(1, 1, 1), nn.DataParallel(nn.Conv2d(1, 1, 1)), "unet"])
def test_what_has_no_config_is_named(network):
    with pytest.raises(TypeError, match=f"the network is a {type(network).__name__}, which has no config.*UNet2DModel"):
        DiffusionPrior.from_components(network, DDPMScheduler())


def test_the_pipeline_names_it_too():
    pipe = VIPaintPipeline(nn.Sequential(tiny_unet()), DDPMScheduler())
    with pytest.raises(TypeError, match="the network is a Sequential, which has no config"):
        _ = pipe.prior


@pytest.mark.parametrize("wrap", [compiled, Around, nn.DataParallel])
def test_a_network_that_is_not_known_is_named_by_its_own_class(wrap):
    from diffusers import UNet1DModel

    network = UNet1DModel(block_out_channels=(8,), down_block_types=("DownBlock1D",), up_block_types=("UpBlock1D",))
    with pytest.raises(ValueError, match="the class UNet1DModel cannot be called here; known are UNet2DModel"):
        DiffusionPrior.from_components(wrap(network), DDPMScheduler())


def test_what_is_unwrapped():
    network = tiny_unet()
    assert unwrapped(compiled(nn.DataParallel(Around(network)))) is network
    assert kind_of(derived(tiny_unet()), ("UNet2DModel",)) == "UNet2DModel"
    assert isinstance(unwrapped(derived(tiny_unet())), UNet2DModel)
