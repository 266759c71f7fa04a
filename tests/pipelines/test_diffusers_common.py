"""What diffusers asks of every pipeline of its own, asked of this one."""

import inspect
import json

import numpy as np
import pytest
import torch
from diffusers import DDPMScheduler, DiffusionPipeline

from tests.conftest import tiny_unet
from tests.priors.pretrained import tiny
from vipaint_pyro.pipelines.vipaint import VIPaintPipeline

pytestmark = [
    pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning"),
    pytest.mark.battery,
]
FAMILIES = ["labelled", "latent_kl", "stable_diffusion"]


def make(name: str) -> VIPaintPipeline:
    if name == "labelled":
        pipe = VIPaintPipeline(
            tiny_unet(3, classes=5), DDPMScheduler(clip_sample=False), null_class=4, class_names=list("abcd")
        )
    else:
        if name in tiny.TEXT:
            pytest.importorskip("transformers")
        pipe = VIPaintPipeline.from_pipe(tiny.FAMILIES[name]())
    pipe.set_progress_bar_config(disable=True)
    return pipe


def inputs(name: str, count: int = 1, seed: int = 0) -> dict:
    """A call of few steps."""
    side = 8 if name == "labelled" else 16
    generator = torch.Generator().manual_seed(5)
    mask = torch.zeros(side, side)
    mask[: side // 2] = 1
    conditions = {"labelled": {"class_labels": 1}, "stable_diffusion": {"prompt": "a cat"}}
    return {
        "image": list(torch.rand(count, 3, side, side, generator=generator)),
        "mask_image": mask,
        "generator": [torch.Generator().manual_seed(seed + n) for n in range(count)],
        "num_samples": 2, "num_inference_steps": 3, "fit_steps": 2, "num_chains": 2, "timesteps": (600, 300),
        "output_type": "np", **conditions.get(name, {}),
    }  # fmt: skip


def images(pipe, name, **options):
    return pipe(**{**inputs(name), **options}).images


@pytest.fixture(params=FAMILIES)
def name(request):
    return request.param


@pytest.fixture
def pipe(name):
    return make(name)


def test_the_usual_arguments_are_there(pipe):
    optional = {"num_inference_steps", "generator", "output_type", "return_dict", "callback_on_step_end",
                "callback_on_step_end_tensor_inputs", "image", "mask_image", "guidance_scale"}  # fmt: skip
    assert optional <= set(inspect.signature(pipe.__call__).parameters)


def test_saved_and_loaded_it_gives_the_same(pipe, name, tmp_path):
    pipe.save_pretrained(tmp_path)
    loaded = VIPaintPipeline.from_pretrained(tmp_path)
    loaded.set_progress_bar_config(disable=True)
    np.testing.assert_array_equal(images(loaded, name), images(pipe, name))
    again = tmp_path / "again"
    loaded.save_pretrained(again)
    theirs, ours = (json.loads((folder / "model_index.json").read_text()) for folder in (again, tmp_path))
    public = [{k: v for k, v in index.items() if not k.startswith("_")} for index in (theirs, ours)]
    assert public[0] == public[1] and theirs["_class_name"] == "VIPaintPipeline"


def test_components_that_are_none_stay_none(pipe, tmp_path):
    left = [part for part in ("text_encoder", "tokenizer") if pipe.components[part] is not None]
    pipe.register_modules(**{part: None for part in left})
    pipe.save_pretrained(tmp_path)
    loaded = VIPaintPipeline.from_pretrained(tmp_path)
    absent = {part for part, value in pipe.components.items() if value is None}
    assert {part for part, value in loaded.components.items() if value is None} == absent >= set(left)
    assert absent <= set(VIPaintPipeline._optional_components)


def test_one_of_a_batch_is_the_one_alone(pipe, name):
    together = inputs(name, 3)
    conditions = {"class_labels": [1, 0, 2]} if name == "labelled" else {}
    if name == "stable_diffusion":
        conditions = {"prompt": ["a cat", "an owl", "fog"]}
    batch = pipe(**{**together, **conditions}).predictions
    for n in range(3):
        one = inputs(name, 3)
        alone = {key: value[n] for key, value in conditions.items()}
        out = pipe(**{**one, **alone, "image": one["image"][n], "generator": one["generator"][n]}).predictions
        np.testing.assert_allclose(out, batch[2 * n : 2 * n + 2], rtol=0, atol=2e-3)


@pytest.mark.parametrize("count, samples", [(1, 1), (1, 3), (2, 2)])
def test_there_are_as_many_as_were_asked_for(pipe, name, count, samples):
    out = pipe(**{**inputs(name, count), "num_samples": samples})
    assert len(out.images) == len(out.predictions) == count * samples


def test_a_dict_and_a_tuple_hold_the_same(pipe, name):
    output, flat = (pipe(**inputs(name), return_dict=r) for r in (True, False))
    assert isinstance(flat, tuple) and len(flat) == 6 == len(output.__dataclass_fields__)
    np.testing.assert_array_equal(output.images, flat[0])
    np.testing.assert_array_equal(output[1], flat[1])
    np.testing.assert_array_equal(output["images"], output.to_tuple()[0])


def test_output_types_are_one_picture(pipe, name):
    array, tensor, pil = (images(pipe, name, output_type=kind) for kind in ("np", "pt", "pil"))
    np.testing.assert_array_equal(array, tensor.permute(0, 2, 3, 1).numpy())
    np.testing.assert_array_equal((array * 255).round().astype(np.uint8), np.stack([np.asarray(p) for p in pil]))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_near_and_finite(pipe, name, dtype):
    expected = images(pipe, name)
    pipe.to(dtype)
    parts = [part for part in pipe.components.values() if isinstance(part, torch.nn.Module)]
    assert {p.dtype for part in parts for p in part.parameters()} == {dtype}
    assert pipe.dtype == dtype
    found = images(pipe, name)
    assert found.dtype == np.float32 and np.abs(found - expected).mean() < 0.002


def test_dtype_by_component(pipe, tmp_path):
    pipe.save_pretrained(tmp_path)
    one = VIPaintPipeline.from_pretrained(tmp_path, dtype=torch.float16)
    assert one.unet.dtype == torch.float16


def test_where_it_is(pipe):
    pipe.to("cpu")
    parts = [part for part in pipe.components.values() if isinstance(part, torch.nn.Module)]
    assert pipe.device == torch.device("cpu") == {p.device for part in parts for p in part.parameters()}.pop()


def test_callbacks_see_what_they_ask_for_and_no_more(pipe, name):
    given = []

    def callback(p, step, t, kwargs):
        given.append(set(kwargs))
        return kwargs

    plain = images(pipe, name)
    for asked in ([], ["latents"]):
        found = images(pipe, name, callback_on_step_end=callback, callback_on_step_end_tensor_inputs=asked)
        np.testing.assert_array_equal(found, plain)
    assert given == [set()] * 3 + [{"latents"}] * 3
    assert "latents" in pipe._callback_tensor_inputs and pipe.num_timesteps == 3

    def zeroed(p, step, t, kwargs):
        return {"latents": torch.zeros_like(kwargs["latents"])} if step == p.num_timesteps - 1 else kwargs

    first = pipe(**inputs(name), callback_on_step_end=zeroed).samples.images
    assert (first - first[:1]).abs().max() == 0


def test_a_callback_may_raise_the_guidance_at_every_step():
    name = "labelled"
    pipe, seen = make(name), []

    def raised(p, step, t, kwargs):
        seen.append(p.guidance_scale)
        p._guidance_scale += 1.0
        return kwargs

    images(pipe, name, guidance_scale=2.0, callback_on_step_end=raised)
    assert seen == [2.0, 3.0, 4.0] and pipe.guidance_scale == 5.0
    images(pipe, name, guidance_scale=2.0)
    assert pipe.guidance_scale == 2.0


def test_components_make_the_pipeline_again(pipe, name):
    config = {k: v for k, v in pipe.config.items() if k in ("null_class", "class_names")}
    names = {n for n in inspect.signature(VIPaintPipeline.__init__).parameters if n != "self"}
    assert set(pipe.components) <= names and set(pipe.components) == set(pipe._optional_components)
    again = VIPaintPipeline(**pipe.components, **config)
    again.set_progress_bar_config(disable=True)
    np.testing.assert_array_equal(images(again, name), images(pipe, name))


def test_from_pipe_shares_every_part_and_changes_neither(pipe, name):
    before = images(pipe, name)
    other = VIPaintPipeline.from_pipe(pipe)
    other.set_progress_bar_config(disable=True)
    assert all(other.components[part] is value for part, value in pipe.components.items())
    np.testing.assert_array_equal(images(other, name), before)
    np.testing.assert_array_equal(images(pipe, name), before)


def test_a_prompt_is_encoded_in_isolation():
    name = "stable_diffusion"
    pipe = make(name)
    texts = {part: pipe.components[part] for part in ("text_encoder", "tokenizer")}
    given, null = VIPaintPipeline(**texts).encode_prompt("a cat", "fog")
    painter = VIPaintPipeline(**{**pipe.components, **{part: None for part in texts}})
    painter.set_progress_bar_config(disable=True)
    embedded = {"prompt": None, "prompt_embeds": given, "negative_prompt_embeds": null, "guidance_scale": 3.0}
    written = {"prompt": "a cat", "negative_prompt": "fog", "guidance_scale": 3.0}
    np.testing.assert_array_equal(images(painter, name, **embedded), images(pipe, name, **written))


def test_progress_bars_are_configured(capsys):
    name = "labelled"
    pipe = make(name)
    images(pipe, name)
    assert capsys.readouterr().err == ""
    pipe.set_progress_bar_config(disable=False, ascii=True)
    images(pipe, name)
    shown = capsys.readouterr().err
    assert "3/3" in shown and "2/2" in shown


def test_a_bar_says_that_the_fit_has_settled(capsys):
    name = "labelled"
    pipe = make(name)
    pipe.set_progress_bar_config(disable=False, ascii=True)
    images(pipe, name, fit_steps=40, fit_patience=1, generator=torch.Generator().manual_seed(0))
    shown = capsys.readouterr().err
    assert "nats/dim, settled" in shown and "fit: 100%" in shown and "40/40" not in shown


def test_it_says_what_it_is(pipe):
    text = repr(pipe)
    assert text.startswith("VIPaintPipeline") and '"_class_name": "VIPaintPipeline"' in text
    assert isinstance(pipe, DiffusionPipeline)
