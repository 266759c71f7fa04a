"""VIPaintPipeline as a diffusers pipeline: what diffusers' own common tests ask of one."""

import inspect
import re

import numpy as np
import PIL.Image
import PIL.ImageOps
import pyro
import pytest
import torch
from diffusers import DDPMPipeline, DDPMScheduler, DiffusionPipeline

from tests.conftest import tiny_unet
from vipaint_pyro.faults import NonFiniteError, Stopped
from vipaint_pyro.guides import HierarchicalGuide
from vipaint_pyro.measurements import Gaussian, Inpainting, Laplace, Nonlinear
from vipaint_pyro.pipelines.vipaint import VIPaintOutput, VIPaintPipeline

FEW = {"fit_steps": 2, "num_chains": 2, "num_levels": 2, "num_inference_steps": 3, "num_samples": 2}
MASK = np.zeros((8, 8), dtype=np.uint8)
MASK[2:7, 1:4] = 255


def picture(seed=0, channels=1):
    array = np.random.default_rng(seed).integers(0, 256, (8, 8, channels), dtype=np.uint8)
    return PIL.Image.fromarray(array[..., 0] if channels == 1 else array)


@pytest.fixture
def pipe():
    return quiet(
        VIPaintPipeline(
            tiny_unet(classes=5), DDPMScheduler(clip_sample=False), null_class=4, class_names=list("abcd")
        )
    )


def quiet(pipe):
    pipe.set_progress_bar_config(disable=True)
    return pipe


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def run(pipe, image=None, mask=MASK, generator=None, **options):
    return pipe(
        picture() if image is None else image,
        mask_image=mask,
        generator=generator or seeded(),
        **{"output_type": "pt", **FEW, **options},
    )


def test_is_a_diffusion_pipeline_with_the_usual_names(pipe):
    assert isinstance(pipe, DiffusionPipeline)
    names = set(inspect.signature(pipe.__call__).parameters)
    assert {
        "image", "mask_image", "num_inference_steps", "generator", "output_type", "return_dict",
        "callback_on_step_end", "callback_on_step_end_tensor_inputs",
    } <= names  # fmt: skip
    assert {name for name, part in pipe.components.items() if part is not None} == {"unet", "scheduler"}


def test_output_types_agree(pipe):
    pt = run(pipe).images
    array = run(pipe, output_type="np").images
    pil = run(pipe, output_type="pil").images
    assert pt.shape == (2, 1, 8, 8) and array.shape == (2, 8, 8, 1) and len(pil) == 2
    np.testing.assert_array_equal(pt.permute(0, 2, 3, 1).numpy(), array)
    np.testing.assert_array_equal((array[..., 0] * 255).round(), np.stack([np.asarray(p) for p in pil]))


def test_tuple_and_output_object(pipe):
    output = run(pipe)
    as_tuple = run(pipe, return_dict=False)
    assert isinstance(output, VIPaintOutput) and isinstance(as_tuple, tuple)
    assert torch.equal(output.images, as_tuple[0]) and torch.equal(output.images, output["images"])
    assert len(output.trace.losses) == 2


def test_observed_pixels_come_back_bit_for_bit(pipe):
    image = picture(3)
    output = run(pipe, image, output_type="pil")
    keep = MASK == 0
    for sample in output.images:
        np.testing.assert_array_equal(np.asarray(sample)[keep], np.asarray(image)[keep])
    raw = np.stack([np.asarray(p) for p in output.predictions])
    assert (raw[:, keep] != np.asarray(image)[keep]).any()
    np.testing.assert_array_equal(raw[0][~keep], np.asarray(output.images[0])[~keep])


def test_same_generator_same_bits_and_the_global_state_is_left(pipe):
    torch.manual_seed(11)
    before = torch.get_rng_state()
    first = run(pipe).images
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(99)
    assert torch.equal(run(pipe).images, first)
    assert not torch.equal(run(pipe, generator=seeded(1)).images, first)


def test_without_a_generator_the_global_seed_decides(pipe):
    results = []
    for _ in range(2):
        torch.manual_seed(4)
        results.append(pipe(picture(), MASK, output_type="pt", **FEW).images)
    assert torch.equal(*results)
    assert not torch.equal(pipe(picture(), MASK, output_type="pt", **FEW).images, results[0])


def test_a_batch_of_four_is_four_batches_of_one(pipe):
    masks = [np.roll(MASK, k, axis=1) for k in range(4)]
    images = [picture(k) for k in range(4)]
    labels = [0, None, 2, 3]
    together = run(pipe, images, masks, [seeded(k) for k in range(4)], class_labels=labels)
    for k in range(4):
        alone = run(pipe, images[k], masks[k], [seeded(k)], class_labels=labels[k])
        torch.testing.assert_close(together.images[2 * k : 2 * k + 2], alone.images, rtol=0, atol=1e-4)
        single = run(pipe, images[k], masks[k], seeded(k), class_labels=labels[k])
        torch.testing.assert_close(single.images, alone.images, rtol=0, atol=1e-4)


def test_labels_by_name(pipe):
    assert torch.equal(run(pipe, class_labels="C").images, run(pipe, class_labels=2).images)


def test_labels_and_guidance_change_the_result(pipe):
    results = [
        run(pipe, class_labels=c, guidance_scale=w).images for c, w in ((None, 1), (1, 1), (2, 1), (1, 3))
    ]
    for i, a in enumerate(results):
        for b in results[:i]:
            assert not torch.equal(a, b)


def test_save_and_load_give_the_same_images(pipe, tmp_path):
    pipe.save_pretrained(tmp_path)
    loaded = quiet(VIPaintPipeline.from_pretrained(tmp_path))
    assert torch.equal(run(loaded, class_labels=2).images, run(pipe, class_labels=2).images)
    assert list(loaded.config.class_names) == list("abcd")
    assert not list(tmp_path.rglob("*.bin"))


def test_variants(pipe, tmp_path):
    pipe.save_pretrained(tmp_path, variant="fp16")
    loaded = quiet(VIPaintPipeline.from_pretrained(tmp_path, variant="fp16"))
    assert torch.equal(run(loaded).images, run(pipe).images)


def test_from_pipe_and_components_share_the_network(pipe):
    other = DDPMPipeline(tiny_unet(), DDPMScheduler(clip_sample=False))
    mine = quiet(VIPaintPipeline.from_pipe(other))
    assert mine.unet is other.unet
    assert run(mine).images.shape == (2, 1, 8, 8)
    again = quiet(VIPaintPipeline(**pipe.components, null_class=4))
    assert torch.equal(run(again, class_labels=1).images, run(pipe, class_labels=1).images)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
def test_dtypes(pipe, dtype):
    output = run(pipe.to(dtype))
    assert pipe.unet.dtype == dtype
    assert output.samples.images.dtype == torch.promote_types(dtype, torch.float32)
    assert all(p.dtype == output.samples.images.dtype for p in output.guide.parameters())
    assert torch.isfinite(output.predictions).all() and output.predictions.std() > 0.05


def test_attention_slicing_changes_nothing(pipe):
    exact = run(pipe).images
    pipe.enable_attention_slicing(slice_size=1)
    torch.testing.assert_close(run(pipe).images, exact, rtol=0, atol=1e-4)
    pipe.disable_attention_slicing()


def test_callbacks_see_every_step_and_may_change_the_latents(pipe):
    seen, fitted = [], []

    def callback(p, step, timestep, kwargs):
        assert p is pipe
        seen.append((step, timestep, tuple(kwargs["latents"].shape)))
        if step == p.num_timesteps - 1:
            kwargs["latents"] = torch.zeros_like(kwargs["latents"])
        return kwargs

    output = run(
        pipe,
        callback_on_step_end=callback,
        callback_on_step_end_tensor_inputs=["latents"],
        fit_callback=lambda step, loss, terms: fitted.append(step),
    )
    assert [s[0] for s in seen] == [0, 1, 2] and all(s[2] == (2, 1, 1, 8, 8) for s in seen)
    assert seen[0][1] > seen[1][1] > seen[2][1]
    assert fitted == [0, 1]
    assert (output.predictions == 0.5).all()  # 0 in [-1, 1]
    with pytest.raises(ValueError, match="callbacks can have"):
        run(pipe, callback_on_step_end_tensor_inputs=["prompt"])


def test_a_fitted_guide_can_be_drawn_from_again(pipe):
    first = run(pipe)
    with pytest.raises(ValueError, match=r"fitted to 1 image at timesteps .* here are 1 at \(500, 100\)"):
        run(pipe, guide=first.guide, timesteps=(500, 100))
    with pytest.raises(ValueError, match="fitted to another mask"):
        run(pipe, mask=255 - MASK, guide=first.guide)
    with pytest.raises(ValueError, match="fitted to another y, of another picture"):
        run(pipe, image=PIL.ImageOps.invert(picture()), guide=first.guide)
    again = run(pipe, guide=first.guide, num_samples=5)
    assert again.images.shape[0] == 5 and again.trace is None
    assert "fit" not in again.samples.calls


def test_labels_for_a_prior_without_classes():
    plain = quiet(VIPaintPipeline(tiny_unet(), DDPMScheduler(clip_sample=False)))
    with pytest.raises(ValueError, match="takes no class labels"):
        run(plain, class_labels=1)


def test_a_guide_that_draws_from_pyro_leaves_the_global_state_too(pipe):
    guide = run(pipe).guide

    def restless(y=None):
        torch.rand(3)
        return guide(y)

    def drawn():
        return pipe(
            picture(), mask_image=MASK, generator=seeded(), guide=restless, num_samples=2, num_inference_steps=3,
            output_type="pt",
        ).images  # fmt: skip

    before = torch.get_rng_state()
    first = drawn()
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(drawn(), first)


def test_colour(pipe):
    colour = quiet(VIPaintPipeline(tiny_unet(channels=3), DDPMScheduler(clip_sample=False)))
    assert run(colour, picture(channels=3)).images.shape == (2, 3, 8, 8)


def test_progress_bars(pipe, capsys):
    pipe.set_progress_bar_config(disable=False)
    run(pipe)
    err = capsys.readouterr().err
    assert "fit" in err and "refine" in err and "3/3" in err


def test_calls_are_counted(pipe):
    samples = run(pipe, timesteps=(700, 500, 300)).samples
    assert samples.calls == {"fit": 2 * 2 * (2 + 3), "refinement": 2 * (2 + 3)}


def test_every_level_is_shown(pipe):
    samples = run(pipe, timesteps=(700, 500, 300)).samples
    assert list(samples.levels) == [700, 500, 300]
    assert samples.levels[500].shape == (2, 1, 1, 8, 8)


BAD = [
    ({"output_type": "latent"}, ValueError, "output_type"),
    ({"num_samples": 0}, ValueError, "num_samples"),
    ({"num_inference_steps": 0}, ValueError, "at least 1"),
    ({"fit_steps": 0}, ValueError, "at least 1"),
    ({"num_chains": 0}, ValueError, "at least 1"),
    ({"num_levels": 0}, ValueError, "at least 1"),
    ({"timesteps": (400, 500)}, ValueError, "must fall"),
    ({"timesteps": (1000,)}, ValueError, "must lie in"),
    ({"beta": -1.0}, ValueError, "beta is a finite number, above 0, but is -1.0"),
    ({"eta": 0.0}, ValueError, "eta is a finite number, above 0 and at most 1, but is 0.0"),
    ({"noise_scale": 0.0}, ValueError, "noise_scale is a finite number, above 0, but is 0.0"),
    ({"zeta": -0.5}, ValueError, "zeta"),
    ({"loss": "elbo"}, ValueError, "loss is one of"),
    ({"class_labels": 9}, ValueError, "unknown class label"),
    ({"class_labels": 1.5}, ValueError, "unknown class label 1.5"),
    ({"class_labels": "boot"}, ValueError, "or one of a, b, c, d"),
    ({"num_samples": 2.5}, ValueError, "whole number"),
    ({"class_labels": 1, "guidance_scale": float("nan")}, ValueError, "finite weight"),
    ({"class_labels": 1, "guidance_scale": -1.0}, ValueError, "finite weight"),
    ({"num_inference_steps": 900}, ValueError, "at most"),
    ({"class_labels": [0, 1]}, ValueError, "2 class labels for 1 image"),
    ({"strength": 0.5}, TypeError, "strength is of other pipelines of diffusers: samples begin at noise"),
    ({"num_images_per_prompt": 2}, TypeError, "num_samples says how many samples of each image are drawn"),
    ({"callback": print}, TypeError, "callback_on_step_end is called after each step"),
    ({"height": 8}, TypeError, "images are of the prior's own size here"),
    ({"refinement_steps": 5}, TypeError, "give one"),
    ({"generator": 0}, TypeError, "manual_seed"),
    ({"generator": [seeded(), seeded()]}, ValueError, "2 generators for 1 image"),
    ({"mask": np.ones((8, 8))}, ValueError, "white everywhere"),
    ({"mask": np.zeros((8, 8))}, ValueError, "black everywhere"),
    ({"mask": np.zeros((8, 9))}, ValueError, "mask is 9x8"),
    ({"image": picture(channels=3)}, ValueError, "in colour"),
    ({"image": np.zeros((4, 4))}, ValueError, "takes 8x8"),
    ({"guide": "fitted"}, ValueError, "no guide is called"),
    ({"guide": "red-diff"}, ValueError, "a method of its own, without levels: ask for method='red-diff'"),
    ({"guide": int}, ValueError, "builtins:int is no guide: give a subclass of vipaint_pyro.guides.Guide"),
    ({"guide": "no.such:Guide"}, ValueError, "there is no module no.such, neither installed, nor on PYTHONPATH"),
    ({"guide": HierarchicalGuide, "guide_settings": {"gama": 1}}, ValueError, "Did you mean 'gamma'"),
    ({"guide": "hierarchical", "guide_settings": {"gamma": "low"}}, ValueError, "gamma is a finite number or none, "),
    ({"likelihood": 0.1}, TypeError, "a likelihood is one of vipaint_pyro.measurements, or a function of A x as"),
    ({"guide": "mixture", "guide_name": "flow"}, TypeError, "guide and guide_name are the same"),
    ({"method": "dsp"}, ValueError, "no method is called 'dsp'. Did you mean 'dps'"),
    ({"perceptual_weights": "a.safetensors"}, ValueError, "perceptual_weights is of LPIPS, which has no weight here"),
    ({"num_samples": True}, ValueError, "num_samples is a whole number of at least 1, but is True"),
    ({"guidance_scale": "3"}, ValueError, "guidance_scale is a finite weight of at least 0, but is '3'"),
    ({"timesteps": "900,500"}, ValueError, "timesteps is a list of whole times"),
    ({"timesteps": 5}, ValueError, "timesteps is a list of whole times"),
    ({"fit_callback": 5}, TypeError, "fit_callback is a function that is called after each step, not 5"),
    ({"callback_on_step_end": 5}, TypeError, "callback_on_step_end is a function"),
    ({"mask": None, "operator": Inpainting(torch.ones(1, 1, 4, 4) > 0)}, ValueError, "images of shape (1, 4, 4), but"),
]


@pytest.mark.parametrize("options, error, words", BAD)
def test_what_cannot_be_is_said_before_any_computing(pipe, options, error, words):
    def no_network(*args, **kwargs):
        raise AssertionError("the network was called")

    pipe.unet.forward = no_network
    options = dict(options)
    with pytest.raises(error, match=re.escape(words)):
        pipe(
            **{
                "image": picture(),
                "mask_image": options.pop("mask", MASK),
                "generator": seeded(),
                **FEW,
                **options,
            }
        )


@pytest.mark.parametrize("trouble, kind", [(KeyboardInterrupt, Stopped), (float("nan"), NonFiniteError)])
def test_what_was_finished_is_the_errors_output(pipe, trouble, kind):
    """Samples one at a time, and something in the third: the first two come as they would have come."""
    options = {"num_inference_steps": 2, "num_samples": 4, "chunk": 1}
    whole, told = run(pipe, **options), []

    def on_step(pipe, step, t, given):
        told.append(step)
        if len(told) == 5 and trouble is KeyboardInterrupt:
            raise trouble
        return {"latents": given["latents"] * (trouble if len(told) == 5 else 1)}

    with pytest.raises(kind) as caught:
        run(pipe, callback_on_step_end=on_step, **options)
    kept = caught.value.output
    assert torch.equal(torch.as_tensor(kept.images), torch.as_tensor(whole.images)[:2])
    assert len(kept.predictions) == 2 and told == [0, 1, 0, 1, 0]


def test_where_pyros_parameters_are_local_to_modules_the_numbers_are_the_same(pipe):
    results = []
    for local in (False, True):
        pyro.clear_param_store()
        with pyro.settings.context(module_local_params=local):
            made = run(pipe)
            again = run(pipe, guide=made.guide)
            results.append((made.images, again.images))
            assert pyro.settings.get("module_local_params") is local
        assert not list(pyro.get_param_store().keys())
    for one, two in zip(*results, strict=True):
        assert torch.equal(one, two)


def test_a_class_and_its_settings_are_the_guide(pipe):
    by_class = run(pipe, guide=HierarchicalGuide, guide_settings={"gamma": 0.5})
    by_name = run(pipe, guide="hierarchical", guide_settings={"gamma": "0.5"})
    assert type(by_class.guide) is HierarchicalGuide and torch.equal(by_class.images, by_name.images)
    assert not torch.equal(by_class.images, run(pipe, guide="hierarchical").images)
    with pytest.raises(ValueError, match="guide_settings: it is of a guide .* this one was fitted by {'gamma': 0.5}"):
        run(pipe, guide=by_class.guide, guide_settings={"gamma": 0.6})


def test_a_likelihood_is_that_of_the_measurement(pipe):
    """A Laplace one is fitted under, a Gaussian is the noise that the refinement stops at."""
    wide = run(pipe, likelihood=Laplace(2.0), guide="hierarchical")
    assert torch.equal(wide.images, run(pipe, noise_scale=2.0, guide="hierarchical", fraction=1.0).images)
    noisy = run(pipe, likelihood=Gaussian(0.2), guide="hierarchical")
    assert torch.equal(noisy.images, run(pipe, measurement_scale=0.2, guide="hierarchical").images)
    by_function = run(pipe, likelihood=lambda loc: pyro.distributions.Laplace(loc, 2.0), guide="hierarchical")
    assert by_function.images.shape == wide.images.shape
    photons = Nonlinear(lambda x: x + 1.5, pyro.distributions.Poisson, pipe.prior.image_shape)
    with pytest.raises(ValueError, match="this operator has a likelihood of its own: leave likelihood out"):
        pipe(torch.ones(1, 8, 8), operator=photons, likelihood=Gaussian(0.1))
