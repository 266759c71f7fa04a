"""A caller's network is only called: in evaluation mode, without gradients for its weights, and left as it was."""

import threading

import pyro
import pytest
import torch
from diffusers import DDPMScheduler
from pyro.infer import SVI, Trace_ELBO
from torch import nn

from tests.conftest import tiny_unet
from tests.pipelines.test_vipaint import quiet, run
from tests.priors.pretrained.tiny import autoencoder
from vipaint_pyro.guides import make_guide
from vipaint_pyro.inference import fit
from vipaint_pyro.measurements import Gaussian, Inpainting, Measurement
from vipaint_pyro.models import DiffusionModel
from vipaint_pyro.networks.class_embedder import ClassEmbedder
from vipaint_pyro.networks.frozen import frozen
from vipaint_pyro.pipelines.vipaint import VIPaintPipeline
from vipaint_pyro.priors.diffusion import DiffusionPrior
from vipaint_pyro.samplers.registry import make_sampler


def training(dropout=0.5, **options):
    """A network as someone trains it: dropout on, a part of it out of the gradient, a part evaluated."""
    unet = tiny_unet(dropout=dropout, **options).train()
    unet.conv_in.requires_grad_(False)
    unet.mid_block.eval()
    return unet


def state(network):
    return [m.training for m in network.modules()], [(p.requires_grad, p.grad) for p in network.parameters()]


def prior_of(unet, **options):
    return DiffusionPrior.from_components(unet, DDPMScheduler(clip_sample=False), **options)


def inpainting(prior):
    observed = torch.ones(1, 1, 8, 8, dtype=torch.bool)
    observed[..., 2:6] = False
    return Measurement(Inpainting(observed), Gaussian(0.1), torch.rand(1, 1, 8, 8, dtype=prior.dtype) * observed)


def model_and_guide(prior):
    measurement = inpainting(prior)
    model = DiffusionModel(prior, measurement.operator, (600, 300), measurement.likelihood)
    return model, make_guide("hierarchical", model, measurement.y), measurement.y


def by_denoising(prior):
    z = torch.randn(2, 1, *prior.latent_shape).requires_grad_()
    prior.denoise(z, 400).sum().backward()


def by_checkpointing(prior):
    by_denoising(prior.checkpointed())


def by_a_plain_loop(prior):
    model, guide, y = model_and_guide(prior)
    svi = SVI(model, guide, pyro.optim.Adam({"lr": 0.1}), Trace_ELBO())
    svi.step(y)


def by_a_plain_loop_in_a_block(prior):
    with prior.frozen():
        by_a_plain_loop(prior)


def by_a_fit(prior):
    model, guide, y = model_and_guide(prior)
    fit(model, guide, y, num_steps=2)


def by_a_sampler(prior):
    few = {"fit_steps": 2, "num_chains": 2, "num_levels": 2, "refinement_steps": 3}
    make_sampler("vipaint", **few)(prior, inpainting(prior), 1, torch.Generator().manual_seed(0))


def by_dps(prior):
    make_sampler("dps", num_steps=2)(prior, inpainting(prior), 1, torch.Generator().manual_seed(0))


WAYS = [
    by_denoising, by_checkpointing, by_a_plain_loop, by_a_plain_loop_in_a_block, by_a_fit, by_a_sampler, by_dps,
]  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
def test_every_way_leaves_the_network_as_it_was(way):
    unet = training()
    before = state(unet)
    way(prior_of(unet))
    assert state(unet) == before


def test_predictions_are_those_of_evaluation_mode():
    z = torch.randn(2, 1, 1, 8, 8)
    with torch.no_grad():
        expected = prior_of(tiny_unet(dropout=0.5)).denoise(z, 400)
        assert torch.equal(prior_of(tiny_unet(dropout=0.5).train()).denoise(z, 400), expected)


@pytest.mark.parametrize("checkpointing", [False, True])
def test_gradients_are_those_of_evaluation_mode(checkpointing):
    z = torch.randn(2, 1, 1, 8, 8).requires_grad_()

    def gradient(unet):
        return torch.autograd.grad(prior_of(unet).checkpointed(checkpointing).denoise(z, 400).pow(2).sum(), z)[0]

    assert torch.equal(gradient(tiny_unet(dropout=0.5).train()), gradient(tiny_unet(dropout=0.5)))


def test_reading_the_prior_of_a_pipeline_changes_nothing():
    pipe = quiet(VIPaintPipeline(training(), DDPMScheduler(clip_sample=False)))
    before = state(pipe.unet)
    assert pipe.prior is not None and state(pipe.unet) == before


class Stop(BaseException):
    """As KeyboardInterrupt is."""


@pytest.mark.parametrize("error", [None, ValueError, Stop, KeyboardInterrupt])
def test_a_call_of_the_pipeline_changes_nothing_however_it_ends(error):
    pipe = quiet(VIPaintPipeline(training(), DDPMScheduler(clip_sample=False)))
    before, seen = state(pipe.unet), []

    def callback(*_):
        seen.append((pipe.unet.training, any(p.requires_grad for p in pipe.unet.parameters())))
        if error is not None:
            raise error

    if error is None:
        run(pipe, fit_callback=callback)
    else:
        with pytest.raises(error):
            run(pipe, fit_callback=callback)
    assert seen[0] == (False, False) and state(pipe.unet) == before


def test_an_autoencoder_and_a_class_embedder_too():
    from tests.priors.pretrained.tiny import conditional_unet

    vae, unet = autoencoder().train(), conditional_unet(cross_attention_dim=8).train()
    embedder = ClassEmbedder(3, 8).train()
    embedder.embedding.weight.requires_grad_(False)
    before = [state(n) for n in (vae, unet, embedder)]
    prior = prior_of(unet, vae=vae, class_embedder=embedder).conditioned(1)
    z = torch.randn(1, *prior.latent_shape).requires_grad_()
    prior.encode(prior.decode(prior.denoise(z, 500))).sum().backward()
    assert z.grad is not None and [state(n) for n in (vae, unet, embedder)] == before


def test_blocks_of_several_threads_end_with_the_last():
    network, inside, leave = nn.Sequential(nn.Linear(2, 2), nn.Dropout()).train(), threading.Event(), threading.Event()

    def hold():
        with frozen(network):
            inside.set()
            leave.wait(10)

    thread = threading.Thread(target=hold)
    thread.start()
    inside.wait(10)
    with frozen(network):
        pass
    assert not network.training and not network[0].weight.requires_grad
    leave.set()
    thread.join()
    assert network.training and network[1].training and network[0].weight.requires_grad


def test_a_network_that_cannot_be_frozen_is_left_as_it_was():
    class Stubborn(nn.Linear):
        def train(self, mode=True):
            if not mode:
                raise RuntimeError("always trained")
            return super().train(mode)

    network = nn.Sequential(nn.Linear(2, 2), Stubborn(2, 2))
    with pytest.raises(RuntimeError, match="always trained"), frozen(network):
        pass
    assert state(network) == ([True] * 3, [(True, None)] * 4)
    with pytest.raises(RuntimeError, match="always trained"), frozen(network):
        pass


def test_a_block_inside_another_looks_at_no_module(monkeypatch):
    unet, walks = training(), []
    walk = nn.Module.modules
    with prior_of(unet).frozen():
        monkeypatch.setattr(nn.Module, "modules", lambda self: walks.append(self) or walk(self))
        with frozen(unet):
            pass
        assert not walks


def test_a_run_walks_over_the_modules_once_not_once_a_call(monkeypatch):
    """What looking at every module costs does not grow with the number of calls."""
    unet, looks = training(), []
    from vipaint_pyro.networks import frozen as module

    made = module._Hold.__init__
    monkeypatch.setattr(module._Hold, "__init__", lambda self, n: looks.append(n) or made(self, n))
    by_a_sampler(prior_of(unet))
    assert looks == [unet]
