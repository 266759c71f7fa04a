"""E[z_0 | z_t] of every parameterisation, against diffusers' own schedulers."""

import pytest
import torch
from diffusers import (
    DDIMScheduler,
    DDPMScheduler,
    DPMSolverMultistepScheduler,
    EDMEulerScheduler,
    EulerDiscreteScheduler,
    ScoreSdeVeScheduler,
    UNet2DModel,
)

from tests.conftest import float64_tables, tiny_unet
from tests.priors.pretrained.tiny import autoencoder
from vipaint_pyro.priors.clipping import Dynamic
from vipaint_pyro.priors.denoisers import denoiser_for
from vipaint_pyro.priors.diffusion import DiffusionPrior
from vipaint_pyro.priors.guidance import GuidedDenoiser
from vipaint_pyro.priors.schedules import NoiseSchedule

Z = torch.randn(2, 1, 8, 8, generator=torch.Generator().manual_seed(7), dtype=torch.float64)


def own_prediction(scheduler, unet, t):
    """pred_original_sample of the scheduler's own step."""
    with torch.no_grad():
        return scheduler.step(unet(Z, t).sample, t, Z).pred_original_sample


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction", "sample"])
@pytest.mark.parametrize("betas", ["linear", "scaled_linear", "squaredcos_cap_v2"])
@pytest.mark.parametrize("t", [0, 400, 950])
@pytest.mark.parametrize("clip", [False, True])
def test_prediction_is_the_schedulers(prediction, betas, t, clip):
    scheduler = float64_tables(
        DDPMScheduler(prediction_type=prediction, beta_schedule=betas, clip_sample=clip, clip_sample_range=0.7)
    )
    unet = tiny_unet().double()
    prior = DiffusionPrior.from_components(unet, scheduler)
    torch.testing.assert_close(prior.denoise(Z, t), own_prediction(scheduler, unet, t), rtol=1e-6, atol=1e-7)


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of diffusers, with new numpy
@pytest.mark.parametrize("kind", [DDPMScheduler, DDIMScheduler, DPMSolverMultistepScheduler])
@pytest.mark.parametrize("t", [300, 900])
def test_dynamic_thresholding_is_the_schedulers(kind, t):
    """It takes the place of clipping, which these configs ask for, too."""
    options = {"thresholding": True, "dynamic_thresholding_ratio": 0.9, "sample_max_value": 1.7}
    scheduler = kind(**options) if kind is DPMSolverMultistepScheduler else kind(**options, clip_sample=True)
    unet, z = tiny_unet().double(), 3 * Z
    z0 = DiffusionPrior.from_components(unet, scheduler).denoise(z, t)
    with torch.no_grad():
        output = unet(z, t).sample
    scheduler.set_timesteps(1000)
    if kind is DPMSolverMultistepScheduler:
        scheduler._init_step_index(torch.tensor(t))
        expected = scheduler.convert_model_output(output, sample=z)
    else:
        expected = scheduler.step(output, t, z).pred_original_sample
    assert expected.abs().max() > 0.95  # so that it makes a difference
    assert (z0 - z / scheduler.alphas_cumprod[t] ** 0.5).abs().max() > 0.1
    torch.testing.assert_close(z0, expected.double(), rtol=1e-5, atol=1e-5)


def test_dynamic_thresholding_by_hand():
    # Four images of 11 entries: the quantile 0.9 of |z0| is the second largest, which lies in [1, 2].
    rows = torch.zeros(4, 11, dtype=torch.float64)
    for row, some in zip(rows, ([-3.0, -1.6, 0.8], [0.4, -0.8, 0.2], [5.0, 4.0, -1.0], [-1.5, 1.5, 0.3])):
        row[:3] = torch.tensor(some)
    expected = rows / torch.tensor([1.6, 1.0, 2.0, 1.5])[:, None].double()
    z0 = Dynamic(0.9, 2.0)(rows.reshape(4, 1, 1, 11)).reshape(4, 11)
    torch.testing.assert_close(z0, expected.clamp(-1, 1))


def test_a_scheduler_of_continuous_times_is_refused_by_name():
    scheduler = EulerDiscreteScheduler(timestep_type="continuous", sigma_min=0.002, sigma_max=700.0)
    with pytest.raises(ValueError, match="EulerDiscreteScheduler with timestep_type='continuous'.*not known here"):
        DiffusionPrior.from_components(tiny_unet(), scheduler)


def test_clipping_lets_the_gradient_through():
    unet = tiny_unet().double()
    scheduler = DDPMScheduler(clip_sample=True, clip_sample_range=0.01)
    clipped = DiffusionPrior.from_components(unet, scheduler)
    free = DiffusionPrior.from_components(unet, DDPMScheduler(clip_sample=False))
    gradients = []
    for prior in (clipped, free):
        z = Z.clone().requires_grad_()
        gradients.append(torch.autograd.grad(prior.denoise(z, 300).sum(), z)[0])
    assert clipped.denoise(Z, 300).abs().max() <= 0.01 + 1e-12
    torch.testing.assert_close(*gradients)


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction"])
def test_edm_prediction_is_the_schedulers(prediction):
    scheduler = EDMEulerScheduler(prediction_type=prediction)
    unet = tiny_unet().double()
    prior = DiffusionPrior.from_components(unet, scheduler)
    scheduler.set_timesteps(1000)
    for index in (100, 600, 990):
        sigma, time = scheduler.sigmas[index].double(), scheduler.timesteps[index]
        scheduler._step_index = None
        with torch.no_grad():
            out = unet(scheduler.scale_model_input(Z, time), time.double()).sample
        own = scheduler.step(out, time, Z).pred_original_sample
        t = 999 - index
        torch.testing.assert_close(prior.schedule.sigma(t), sigma, rtol=1e-5, atol=0)
        torch.testing.assert_close(prior.denoise(Z, t), own, rtol=1e-4, atol=1e-4 * float(sigma))


def test_ve_score_network_removes_the_noise_it_is_told_of():
    unet = UNet2DModel(
        sample_size=8, in_channels=1, out_channels=1, block_out_channels=(4, 8), layers_per_block=1,
        norm_num_groups=4, down_block_types=("DownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "UpBlock2D"), time_embedding_type="fourier",
    ).double().eval()  # fmt: skip
    scheduler = ScoreSdeVeScheduler(num_train_timesteps=100, sigma_max=50)
    prior = DiffusionPrior.from_components(unet, scheduler)
    t = 60
    sigma, inner = scheduler.discrete_sigmas[t].double(), (Z + 1) / 2  # its images lie in [0, 1]
    with torch.no_grad():
        score = unet(inner, sigma.expand(2)).sample
    torch.testing.assert_close(prior.denoise(Z, t), 2 * (inner + sigma**2 * score) - 1, rtol=1e-5, atol=1e-5)


def white(z, sigma, condition):
    """The score of pictures in [0, 1] that are independent pixels of N(1/2, .04)."""
    return (0.5 - z) / (0.04 + sigma.reshape(-1, 1, 1, 1) ** 2)


def test_a_ve_network_of_diffusers_knows_images_in_0_1(monkeypatch):
    # What its own pipeline shows as black, 0, is -1 here, and as likely under the prior.
    from vipaint_pyro.exact import GaussianPrior

    scheduler, unet = ScoreSdeVeScheduler(num_train_timesteps=100, sigma_max=50), tiny_unet().double()
    prior = DiffusionPrior.from_components(unet, scheduler)
    monkeypatch.setattr(prior.denoiser, "output", white)
    one = torch.ones(1, 8, 8, dtype=torch.float64)
    exact = GaussianPrior(0 * one, 0.4 * one, prior.schedule)
    for t in (0, 30, 99):
        torch.testing.assert_close(prior.denoise(Z, t), exact.denoise(Z, t), rtol=1e-9, atol=1e-9)
    latent = DiffusionPrior.from_components(tiny_unet(4), scheduler, vae=autoencoder())  # of latents nothing is said
    assert latent.schedule.terminal_std == 50
    assert prior.schedule.terminal_std == 100 and float(prior.schedule.sigma(0)) == pytest.approx(0.02)


def test_guidance_is_the_formula(network_prior):
    labels = [2, None]
    base = network_prior.conditioned(labels).denoise(Z, 500)
    null = network_prior.conditioned([None, None]).denoise(Z, 500)
    guided = network_prior.conditioned(labels, guidance_scale=2.5).denoise(Z, 500)
    torch.testing.assert_close(guided, null + 2.5 * (base - null))
    torch.testing.assert_close(network_prior.conditioned(labels, 0.0).denoise(Z, 500), null)
    assert isinstance(network_prior.conditioned(labels, 2.0).denoiser, GuidedDenoiser)


def test_a_guided_prior_can_be_given_other_labels(network_prior):
    """Its guidance is that of the first labels: others come without, or with their own."""
    guided = network_prior.conditioned([2, 1], guidance_scale=3.0)
    plain = network_prior.conditioned(None).denoise(Z, 500)
    torch.testing.assert_close(guided.conditioned(None).denoise(Z, 500), plain, rtol=0, atol=0)
    other = network_prior.conditioned([0, 1], guidance_scale=2.0).denoise(Z, 500)
    torch.testing.assert_close(guided.conditioned([0, 1], 2.0).denoise(Z, 500), other, rtol=0, atol=0)


@pytest.mark.parametrize("weight, asked", [(0.0, 2), (0.5, 4), (1.0, 2), (3.0, 4)])
def test_guidance_asks_twice_only_where_it_has_to(network_prior, weight, asked):
    seen = []
    network_prior.denoiser.network.register_forward_pre_hook(lambda module, given: seen.append(len(given[0])))
    network_prior.conditioned([2, 1], weight).denoise(Z, 500)
    assert seen == [asked]


@pytest.mark.parametrize("weight", [0.0, 1.0, 2.0, 4.0])
def test_guidance_comes_before_clipping_as_in_a_pipeline_of_diffusers(weight):
    unet = tiny_unet(classes=5).double()
    scheduler = float64_tables(DDPMScheduler(clip_sample=True, clip_sample_range=0.3))
    prior = DiffusionPrior.from_components(unet, scheduler, null_class=4).conditioned([1, 2], weight)
    with torch.no_grad():
        null, given = (unet(Z, 500, class_labels=torch.tensor(c)).sample for c in ([4, 4], [1, 2]))
    own = scheduler.step(null + weight * (given - null), 500, Z).pred_original_sample
    assert (own.abs() > 0.299).any()
    torch.testing.assert_close(prior.denoise(Z, 500), own, rtol=1e-6, atol=1e-7)
    given_y = torch.stack([3 * Z, -Z])  # what y made of predictions is clipped alike, guided or not
    torch.testing.assert_close(prior.clipped(given_y), given_y.clamp(-0.3, 0.3), rtol=0, atol=1e-15)


def test_one_label_is_one_for_any_number_of_images():
    prior = DiffusionPrior.from_components(
        tiny_unet(classes=3).double(), DDPMScheduler(clip_sample=False), class_names=["cat", "dog", "owl"]
    )
    expected = prior.conditioned([1, 1]).denoise(Z, 500)
    for label in (1, "dog", torch.tensor([1, 1])):
        torch.testing.assert_close(prior.conditioned(label).denoise(Z, 500), expected)
    with pytest.raises(ValueError, match="unknown class label 'dodo'"):
        prior.conditioned("dodo")


def test_labels_go_to_their_images(network_prior):
    z = Z[:1].expand(3, 2, 1, 8, 8)  # three samples of two images, all alike
    both = network_prior.conditioned([0, 3]).denoise(z, 400)
    for i, label in enumerate((0, 3)):
        alone = network_prior.conditioned([label]).denoise(Z[:1], 400)[0]
        for s in range(3):
            torch.testing.assert_close(both[s, i], alone)
    assert not torch.allclose(both[:, 0], both[:, 1])


def test_times_go_to_their_levels(network_prior):
    prior = network_prior.conditioned([1, 2])
    z = torch.randn(3, 2, 1, 8, 8).double()
    t = torch.tensor([[100], [500], [900]])
    mixed = prior.denoise(z, t)
    for k, time in enumerate((100, 500, 900)):
        torch.testing.assert_close(mixed[k], prior.denoise(z[k], time))


@pytest.mark.parametrize("half", [torch.float16, torch.bfloat16])
def test_a_half_precision_network_works_on_float32_latents(half):
    prior = DiffusionPrior.from_components(tiny_unet().to(half), DDPMScheduler(clip_sample=False))
    assert prior.dtype == torch.float32
    full = DiffusionPrior.from_components(tiny_unet(), DDPMScheduler(clip_sample=False))
    ours, exact = prior.denoise(Z.float(), 200), full.denoise(Z.float(), 200)
    assert ours.dtype == torch.float32 and (ours - exact).abs().max() < 0.05


@pytest.mark.parametrize(
    "labels, scale, words",
    [
        ([7], 1.0, "unknown class label 7"),
        ([-1], 1.0, "unknown class label -1"),
        ([5], 1.0, "unknown class label 5"),
        ([1], float("inf"), "guidance_scale is a finite weight of at least 0, but is inf"),
        ([1], float("nan"), "guidance_scale is a finite weight of at least 0, but is nan"),
        ([1], -0.5, "guidance_scale is a finite weight of at least 0, but is -0.5"),
        ([None, 4], 2.0, "needs a class label to guide towards"),
    ],
)
def test_labels_that_are_not_known(network_prior, labels, scale, words):
    with pytest.raises(ValueError, match=words):
        network_prior.conditioned(labels, scale)


def test_networks_without_a_null_class():
    prior = DiffusionPrior.from_components(tiny_unet(classes=3), DDPMScheduler(clip_sample=False))
    with pytest.raises(ValueError, match="no null class, so each image needs a label 0 ... 2"):
        prior.conditioned([None])
    with pytest.raises(ValueError, match="guidance needs a network with a null class"):
        prior.conditioned([0], guidance_scale=2.0)
    unconditional = DiffusionPrior.from_components(tiny_unet(), DDPMScheduler(clip_sample=False))
    with pytest.raises(ValueError, match="unconditional: it takes no class labels"):
        unconditional.conditioned([0])


def test_zero_signal_and_epsilon_do_not_go_together():
    scheduler = DDPMScheduler(rescale_betas_zero_snr=True, clip_sample=False)
    with pytest.raises(ValueError, match="zero signal"):
        denoiser_for(tiny_unet(), scheduler, NoiseSchedule.from_scheduler(scheduler))


def test_components_that_are_no_prior():
    scheduler = DDPMScheduler(clip_sample=False)
    with pytest.raises(ValueError, match="no denoiser"):
        unet = UNet2DModel(
            sample_size=8, in_channels=2, out_channels=1, block_out_channels=(4, 8), norm_num_groups=4,
            down_block_types=("DownBlock2D",) * 2, up_block_types=("UpBlock2D",) * 2,
        )  # fmt: skip
        DiffusionPrior.from_components(unet, scheduler)
    with pytest.raises(ValueError, match="no sample_size"):
        DiffusionPrior.from_components(tiny_unet(size=None), scheduler)
    with pytest.raises(ValueError, match="none of the network's"):
        DiffusionPrior.from_components(tiny_unet(classes=3), scheduler, null_class=3)
