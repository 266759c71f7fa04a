"""Every family: saved by diffusers, loaded by our API, compared with diffusers' own scheduler and pipeline."""

import json

import diffusers
import pytest
import torch

from tests.conftest import tiny_unet
from tests.priors.pretrained.tiny import FAMILIES, TEXT, autoencoder, flux, latent_kl, stable_diffusion
from vipaint_pyro.pipelines.vipaint import VIPaintPipeline
from vipaint_pyro.priors.diffusion import DiffusionPrior

pytest.importorskip("transformers")
pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
EXACT = {"atol": 1e-5, "rtol": 1e-5}
SHORT = {"timesteps": (600, 300), "fit_steps": 2, "refinement_steps": 3, "num_chains": 2}


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """Each family's folder, written once, and the pipeline that wrote it."""
    made = {}

    def get(name):
        if name not in made:
            folder = tmp_path_factory.mktemp(name)
            pipe = FAMILIES[name]()
            pipe.save_pretrained(folder)
            if name == "dit":  # as on the hub; DiTPipeline itself does not write it back
                index = json.loads((folder / "model_index.json").read_text())
                index["id2label"] = {str(k): f"thing {k}, object" for k in range(1000)}
                (folder / "model_index.json").write_text(json.dumps(index))
            pipe.set_progress_bar_config(disable=True)
            made[name] = pipe, folder
        return made[name]

    return get


def load(folder, **options) -> VIPaintPipeline:
    pipe = VIPaintPipeline.from_pretrained(folder, **options)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def given(name):
    """What a call of this family is given beside the image."""
    return {"prompt": "a cat"} if name in TEXT else {"class_labels": 1} if name in ("dit", "edm") else {}


def network_of(pipe):
    return getattr(pipe, "unet", None) or pipe.transformer


def direct(name, pipe, z, time):
    """The network's own output as its diffusers pipeline calls it, written out here once more."""
    network, labels = network_of(pipe), torch.tensor([1] * len(z))
    n = len(z)
    if name in ("pixel", "latent_kl", "latent_vq"):
        return network(z, time).sample
    if name == "edm":
        return network(z, time, class_labels=labels).sample
    if name == "dit":
        return network(z, timestep=time.expand(n), class_labels=labels).sample[:, :4]
    if name == "stable_diffusion":
        states, _ = pipe.encode_prompt("a cat", "cpu", n, False)
        return network(z, time, encoder_hidden_states=states).sample
    if name == "stable_diffusion_xl":
        states, _, pooled, _ = pipe.encode_prompt(
            "a cat", device="cpu", num_images_per_prompt=n, do_classifier_free_guidance=False
        )
        ids = torch.tensor([[16.0, 16, 0, 0, 16, 16]]).expand(n, -1)
        return network(z, time, states, added_cond_kwargs={"text_embeds": pooled, "time_ids": ids}).sample
    if name == "stable_diffusion_3":
        states, _, pooled, _ = pipe.encode_prompt(
            "a cat", None, None, device="cpu", num_images_per_prompt=n, do_classifier_free_guidance=False
        )
        return network(z, timestep=time.expand(n), encoder_hidden_states=states, pooled_projections=pooled).sample
    states, pooled, ids = pipe.encode_prompt("a cat", device="cpu", num_images_per_prompt=n)
    packed = pipe._pack_latents(z, n, 4, 8, 8)
    places = pipe._prepare_latent_image_ids(n, 4, 4, z.device, z.dtype)
    out = network(
        hidden_states=packed, timestep=time.expand(n) / 1000, guidance=torch.ones(n), pooled_projections=pooled,
        encoder_hidden_states=states, txt_ids=ids, img_ids=places,
    ).sample  # fmt: skip
    return pipe._unpack_latents(out, 16, 16, 2)


@pytest.mark.parametrize("name", FAMILIES)
def test_noise_levels_and_predictions_are_the_schedulers(saved, name):
    pipe, folder = saved(name)
    mine = load(folder)
    prior = mine.conditioned(2, **given(name))
    x = torch.randn(2, *prior.latent_shape, generator=torch.Generator().manual_seed(3))
    scheduler = pipe.scheduler
    with torch.no_grad():
        if isinstance(scheduler, diffusers.FlowMatchEulerDiscreteScheduler):
            dynamic = {"mu": 0.5 + 0.65 * (16 - 256) / 3840} if name == "flux" else {}
            scheduler.set_timesteps(sigmas=[0.8, 0.3], **dynamic)
            t = [799, 299]  # the times at which our table has those sigmas
            torch.testing.assert_close(prior.schedule.sigma(t), scheduler.sigmas[:2].double(), **EXACT)
            torch.testing.assert_close(prior.schedule.alpha(t), 1 - scheduler.sigmas[:2].double(), **EXACT)
            v = direct(name, pipe, x, scheduler.timesteps[0])
            moved = scheduler.step(v, scheduler.timesteps[0], x).prev_sample
            # z_s = z_t + (sigma_s - sigma_t) v and z_0 = z_t - sigma_t v.
            expected = x + scheduler.sigmas[0] * (moved - x) / (scheduler.sigmas[0] - scheduler.sigmas[1])
            time = t[0]
        elif name == "edm":
            scheduler.set_timesteps(1000)
            time = 600
            sigma = scheduler.sigmas[999 - time]
            torch.testing.assert_close(prior.schedule.sigma(time), sigma.double(), **EXACT)
            assert prior.schedule.alpha(time) == 1
            x = x * sigma
            moment = scheduler.timesteps[999 - time]
            out = direct(name, pipe, scheduler.scale_model_input(x, moment), moment)
            expected = scheduler.step(out, moment, x).pred_original_sample
        else:
            time = 500
            abar = scheduler.alphas_cumprod[time].double()
            torch.testing.assert_close(prior.schedule.alpha(time), abar.sqrt(), **EXACT)
            torch.testing.assert_close(prior.schedule.sigma(time), (1 - abar).sqrt(), **EXACT)
            # DDIM's step, since those of PNDM and Euler do not say what they predict.
            plain = diffusers.DDIMScheduler.from_config(scheduler.config, clip_sample=False)
            plain.set_timesteps(1000)
            expected = plain.step(direct(name, pipe, x, torch.tensor(time)), time, x).pred_original_sample
        got = prior.denoise(x, time)
    torch.testing.assert_close(got, expected, atol=1e-5 * expected.abs().max().item(), rtol=1e-5)


@pytest.mark.parametrize("guidance", [1.0, 3.0])
@pytest.mark.parametrize("name", ["stable_diffusion", "stable_diffusion_xl", "stable_diffusion_3", "flux"])
def test_one_step_of_the_diffusers_pipeline_is_our_prediction(saved, name, guidance):
    # One step from t to the clean image gives E[z_0 | z_t], prompts and guidance included.
    pipe, folder = saved(name)
    texts = {"prompt": ["a cat", "two owls"]}
    if guidance != 1 and name != "flux":
        texts["negative_prompt"] = ["rain", "fog"]
    z = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(4))
    options = {"guidance_scale": guidance, "output_type": "latent", "height": 16, "width": 16}
    if name in ("stable_diffusion", "stable_diffusion_xl"):
        # A DDPM step from a time that is the only one leads to the clean image.
        ddpm = diffusers.DDPMScheduler.from_config(pipe.scheduler.config, clip_sample=False)
        other = type(pipe)(**{**pipe.components, "scheduler": ddpm})
        other.set_progress_bar_config(disable=True)
        expected, t = other(**texts, latents=z, timesteps=[500], **options).images, 500
    else:
        start = pipe._pack_latents(z, 2, 4, 8, 8) if name == "flux" else z
        expected, t = pipe(**texts, latents=start, num_inference_steps=1, sigmas=[0.6], **options).images, 599
        if name == "flux":
            expected = pipe._unpack_latents(expected, 16, 16, 2)
    prior = load(folder).conditioned(2, **texts, guidance_scale=guidance)
    with torch.no_grad():
        torch.testing.assert_close(prior.denoise(z, t), expected, atol=2e-5, rtol=1e-4)


def test_a_guided_dit_is_its_diffusers_pipeline(saved):
    pipe, folder = saved("dit")
    scheduler = diffusers.DDIMScheduler(beta_end=0.004, timestep_spacing="trailing", clip_sample=False)
    other = diffusers.DiTPipeline(pipe.transformer, pipe.vae, scheduler)
    other.set_progress_bar_config(disable=True)
    seed = torch.Generator().manual_seed(5)
    expected = other([2, 0], guidance_scale=2.5, generator=seed, num_inference_steps=1, output_type="pt").images
    prior = load(folder, scheduler=scheduler).conditioned(2, class_labels=["thing 2", "Thing 0"], guidance_scale=2.5)
    z = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(5))
    with torch.no_grad():
        x = prior.decode(prior.denoise(z, 999))
    torch.testing.assert_close((x / 2 + 0.5).clamp(0, 1), expected, **EXACT)
    assert 0.05 < expected.std()


@pytest.mark.battery
@pytest.mark.parametrize("name", FAMILIES)
def test_the_whole_of_vipaint(saved, name):
    _, folder = saved(name)
    pipe = load(folder)
    shape = pipe.prior.image_shape
    image = torch.rand(2, *shape, generator=torch.Generator().manual_seed(0))
    mask = torch.zeros(1, *shape[1:])
    mask[..., shape[2] // 2 :] = 1
    seeds = [torch.Generator().manual_seed(k) for k in (7, 8)]
    output = pipe(image, mask, **given(name), num_samples=3, generator=seeds, output_type="pt", **SHORT)
    assert output.images.shape == (6, *shape) and torch.isfinite(output.predictions).all()
    kept = (1 - mask).bool().expand(shape)
    assert torch.equal(output.images[4][kept], image[1][kept])
    assert output.images[0][~kept].ne(output.images[1][~kept]).float().mean() > 0.3
    assert all(value == value for value in output.trace.losses)
    # An image alone, with its own generator, comes out as beside another.
    alone = pipe(image[1:], mask, **given(name), num_samples=3, generator=[seeds[1].manual_seed(8)],
                 output_type="pt", **SHORT)  # fmt: skip
    torch.testing.assert_close(alone.predictions, output.predictions[3:], atol=2e-3, rtol=1e-2)


@pytest.mark.parametrize("name", ["latent_vq", "stable_diffusion", "dit"])
def test_what_is_saved_by_us_is_loaded_by_us_and_by_the_prior(saved, tmp_path, name):
    _, folder = saved(name)
    pipe = load(folder)
    pipe.save_pretrained(tmp_path)
    again, prior = load(tmp_path), DiffusionPrior.from_pretrained(tmp_path)
    expected = pipe.conditioned(1, **given(name))
    z = torch.randn(1, *expected.latent_shape)
    torch.testing.assert_close(again.conditioned(1, **given(name)).denoise(z, 400), expected.denoise(z, 400))
    x = torch.rand(1, *prior.image_shape)
    torch.testing.assert_close(prior.encode(x), expected.encode(x))
    torch.testing.assert_close(prior.decode(z), expected.decode(z))
    assert prior.needs == expected.needs and prior.null_class == expected.null_class


def test_precomputed_embeddings_are_the_prompt_and_the_encoders_can_go(saved):
    _, folder = saved("stable_diffusion_3")
    pipe = load(folder)
    z = torch.randn(1, 4, 8, 8)
    by_text = pipe.conditioned(1, prompt="an owl", negative_prompt="fog", guidance_scale=2.0)
    prompt, negative = pipe.encode_prompt("an owl", "fog")
    pipe.free_text_encoders()
    assert pipe.text_encoder is None and pipe.text_encoder_2 is None
    by_tensor = pipe.conditioned(1, prompt_embeds=prompt, negative_prompt_embeds=negative, guidance_scale=2.0)
    torch.testing.assert_close(by_tensor.denoise(z, 700), by_text.denoise(z, 700))
    with pytest.raises(ValueError, match="give prompt_embeds"):
        pipe.conditioned(1, prompt="an owl")


def test_the_call_can_free_the_encoders(saved):
    _, folder = saved("stable_diffusion")
    pipe = load(folder)
    image, mask = torch.rand(3, 16, 16), torch.zeros(16, 16)
    mask[:8] = 1
    pipe(image, mask, prompt="a cat", free_text_encoders=True, num_samples=1, output_type="pt", **SHORT)
    assert pipe.text_encoder is None


def test_a_network_that_takes_the_guidance_scale(saved):
    _, folder = saved("flux")
    pipe = load(folder)
    z = torch.randn(1, 4, 8, 8)
    one, four = (pipe.conditioned(1, prompt="a cat", guidance_scale=w).denoise(z, 700) for w in (1.0, 4.0))
    assert (one - four).abs().max() > 1e-5
    with pytest.raises(ValueError, match="no negative prompt"):
        pipe.conditioned(1, prompt="a cat", negative_prompt="fog", guidance_scale=4.0)


def test_flux_without_an_embedded_scale_takes_negative_prompts(tmp_path):
    flux(guidance_embeds=False).save_pretrained(tmp_path)
    pipe = load(tmp_path)
    z = torch.randn(1, 4, 8, 8)
    given, null = (pipe.conditioned(1, prompt=text).denoise(z, 700) for text in ("a cat", "fog"))
    guided = pipe.conditioned(1, prompt="a cat", negative_prompt="fog", guidance_scale=3.0).denoise(z, 700)
    torch.testing.assert_close(guided, null + 3 * (given - null), atol=1e-5, rtol=1e-5)


def test_other_sizes(saved):
    _, folder = saved("stable_diffusion")
    pipe = load(folder, image_size=(24, 32))
    assert pipe.prior.image_shape == (3, 24, 32) and pipe.prior.latent_shape == (4, 12, 16)
    with pytest.raises(ValueError, match="multiples of 2"):
        load(folder, image_size=15).prior  # noqa: B018


WRONG = [
    ("latent_kl", {"prompt": "a cat"}, "takes no text"),
    ("latent_kl", {"class_labels": 1}, "unconditional"),
    ("dit", {"class_labels": 1001}, "unknown class label 1001: known are 0 ... 999$"),
    ("dit", {"class_labels": "cow"}, "unknown class label 'cow': give a number 0 ... 999, or a name"),
    ("edm", {}, "each image needs a label"),
    ("edm", {"class_labels": 1, "guidance_scale": 2.0}, "needs a network with a null class"),
    ("stable_diffusion", {"class_labels": 1}, "conditioned on text"),
    ("stable_diffusion", {"prompt": "a cat", "negative_prompt": "fog"}, "nothing without guidance"),
    ("stable_diffusion", {"prompt": ["a", "b", "c"]}, "3 prompts for 2 images"),
    ("stable_diffusion", {"prompt": 3}, "a text or a list of texts"),
    ("stable_diffusion", {"prompt": "a", "prompt_embeds": {}}, "the same thing"),
    ("stable_diffusion", {"prompt_embeds": {"states": torch.ones(1, 2)}}, "the network takes encoder_hidden_states"),
    ("stable_diffusion", {"prompt_embeds": ({}, None), "guidance_scale": 2.0}, "given, negative = pipe.encode_prompt"),
    ("stable_diffusion", {"prompt_embeds": torch.ones(1, 2, 3)}, "prompt_embeds is a dict of tensors named enc"),
    (
        "stable_diffusion",
        {"prompt": ["a", "b"], "negative_prompt": ["c"], "guidance_scale": 2.0},
        "1 negative prompt for 2 prompts",
    ),
]


@pytest.mark.parametrize("name, call, words", WRONG)
def test_what_a_family_does_not_take(saved, name, call, words):
    _, folder = saved(name)
    pipe = load(folder)
    image = torch.rand(2, *pipe.prior.image_shape)
    mask = torch.zeros(image.shape[2:])
    mask[:4] = 1
    with pytest.raises((ValueError, TypeError), match=words):
        pipe(image, mask, num_samples=1, **call, **SHORT)


def test_an_unprompted_prior_says_so(saved):
    _, folder = saved("stable_diffusion")
    prior = DiffusionPrior.from_pretrained(folder)
    with pytest.raises(ValueError, match="give a prompt first"):
        prior.denoise(torch.randn(1, 4, 8, 8), 3)
    with pytest.raises(ValueError, match="takes no text"):
        DiffusionPrior.from_components(latent_kl().unet, latent_kl().scheduler).prompted({})


def test_from_pipe_takes_the_components_of_a_diffusers_pipeline():
    other = stable_diffusion()
    pipe = VIPaintPipeline.from_pipe(other)
    assert pipe.unet is other.unet and pipe.vae is other.vae and pipe.text_encoder is other.text_encoder


@pytest.mark.parametrize("name", ["pixel", "latent_vq", "dit", "stable_diffusion"])
def test_the_prior_of_a_loaded_pipeline_is_its_folders(saved, name):
    other, folder = saved(name)
    prior, loaded = DiffusionPrior.from_pipe(other), DiffusionPrior.from_pretrained(folder)
    assert prior.denoiser.network is network_of(other) and prior.image_shape == loaded.image_shape
    assert (prior.num_classes, prior.null_class, prior.needs) == (loaded.num_classes, loaded.null_class, loaded.needs)
    if prior.needs:
        given = {"encoder_hidden_states": torch.ones(1, 12, 8)}
        prior, loaded = prior.prompted(given), loaded.prompted(given)
    z = torch.randn(2, 1, *prior.latent_shape)
    assert torch.equal(prior.denoise(z, 300), loaded.denoise(z, 300))
    assert torch.equal(prior.decode(z), loaded.decode(z))


def test_the_prior_of_our_pipeline_has_its_labels():
    unet = tiny_unet(classes=5)
    ours = VIPaintPipeline(unet, diffusers.DDPMScheduler(clip_sample=False), null_class=4, class_names=list("abcd"))
    prior = DiffusionPrior.from_pipe(ours)
    assert (prior.num_classes, prior.null_class, prior.class_names) == (4, 4, tuple("abcd"))
    assert DiffusionPrior.from_pipe(ours, null_class=None, class_names=None).num_classes == 5


class Steered(diffusers.DiffusionPipeline):
    _optional_components = ["scheduler", "unet", "controlnet"]

    def __init__(self, scheduler=None, unet=None, controlnet=None):
        super().__init__()
        self.register_modules(scheduler=scheduler, unet=unet, controlnet=controlnet)


def test_what_has_no_prior_is_refused():
    scheduler, unet = diffusers.DDPMScheduler(clip_sample=False), tiny_unet()
    for pipe, options, error, words in (
        ("cartoon-faces", {}, TypeError, "pipe is a loaded diffusers pipeline, .* not 'cartoon-faces'"),
        (unet, {}, TypeError, "pipe is a loaded diffusers pipeline"),
        (Steered(scheduler, unet=unet, controlnet=tiny_unet()), {}, ValueError, r"has a controlnet \(UNet2DModel\)"),
        (Steered(scheduler), {}, ValueError, "Steered has neither unet nor transformer"),
        (Steered(scheduler, unet=autoencoder()), {}, ValueError, "the unet of this Steered is a AutoencoderKL"),
        (Steered(None, unet=unet), {}, TypeError, "scheduler is one of diffusers"),
        (Steered(scheduler, unet=unet), {"variant": "fp16"}, TypeError, "from_pipe has no option 'variant'"),
    ):
        with pytest.raises(error, match=words) as raised:
            DiffusionPrior.from_pipe(pipe, **options)
        assert "\n" not in str(raised.value)
