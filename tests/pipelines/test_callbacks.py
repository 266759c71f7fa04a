"""Callbacks in diffusers' ways: stopping a call, changing its guidance, its callback objects."""

import threading

import pytest
import torch
from diffusers import DDPMScheduler
from diffusers.callbacks import (
    IPAdapterScaleCutoffCallback,
    MultiPipelineCallbacks,
    PipelineCallback,
    SD3CFGCutoffCallback,
    SDCFGCutoffCallback,
    SDXLCFGCutoffCallback,
)

from tests.conftest import tiny_unet
from tests.pipelines.test_vipaint import MASK, picture, quiet, run, seeded
from tests.priors.pretrained import tiny
from vipaint_pyro.pipelines.vipaint import VIPaintPipeline
from vipaint_pyro.samplers.vipaint import weighed as weighing

LABELLED = {"class_labels": 1, "guidance_scale": 3.0}


@pytest.fixture
def pipe():
    return quiet(VIPaintPipeline(tiny_unet(classes=5), DDPMScheduler(clip_sample=False), null_class=4))


@pytest.fixture
def text():
    pytest.importorskip("transformers")
    return lambda name="stable_diffusion": quiet(VIPaintPipeline.from_pipe(getattr(tiny, name)()))


def prompted(pipe, image=None, **options):
    mask = torch.zeros(16, 16)
    mask[:8] = 1
    image = torch.rand(3, 16, 16, generator=torch.Generator().manual_seed(1)) if image is None else image
    few = {"timesteps": (600, 300), "fit_steps": 2, "num_inference_steps": 4, "num_chains": 2, "num_samples": 2}
    given = {"prompt": "a cat", "guidance_scale": 3.0, "generator": torch.Generator().manual_seed(2)}
    return pipe(image, mask, output_type="pt", **{**few, **given, **options})


class Seen:
    """Calls of the network's denoiser and steps, by a callback that does something at one of them."""

    def __init__(self, at, act):
        self.at, self.act, self.latents = at, act, []

    def __call__(self, pipe, step, t, kwargs):
        self.latents.append(kwargs["latents"].clone())
        if step == self.at:
            self.act(pipe)
        return kwargs


def stop(pipe):
    pipe._interrupt = True


@pytest.mark.parametrize("method", ["vipaint", "dps", "blended"])
def test_an_interrupted_call_decodes_the_latents_of_its_last_step(pipe, method):
    options = {"fit_steps": 2, "num_chains": 2, "num_levels": 2} if method == "vipaint" else {"method": method}
    seen, whole = Seen(1, stop), Seen(None, None)

    def go(callback):
        return pipe(
            picture(), torch.eye(8), num_samples=2, num_inference_steps=4, output_type="pt",
            generator=torch.Generator().manual_seed(0), callback_on_step_end=callback, **options,
        )  # fmt: skip

    output = go(seen)
    assert len(seen.latents) == 2 and pipe.interrupt and pipe.num_timesteps == 4
    assert torch.equal(output.samples.images, seen.latents[1])
    again = go(whole)  # the next call is not interrupted, and goes the same way
    assert len(whole.latents) == 4 and not pipe.interrupt
    assert torch.equal(whole.latents[1], seen.latents[1])
    assert not torch.equal(again.samples.images, output.samples.images)


def test_an_interrupted_fit_keeps_its_guide_and_refines_no_more(pipe):
    steps, refined = [], []

    def fitted(step, loss, terms):
        steps.append(step)
        pipe._interrupt = True

    output = run(
        pipe, fit_steps=5, fit_callback=fitted, callback_on_step_end=lambda p, i, t, k: refined.append(i) or k
    )
    assert steps == [0] and refined == [] and len(output.trace.losses) == 1
    assert output.images.shape == (2, 1, 8, 8) and output.guide is not None
    once = run(pipe, fit_steps=1).guide
    again = run(pipe, guide=output.guide, fit_steps=5).images
    assert torch.equal(again, run(pipe, guide=once, fit_steps=1).images)


def test_red_diff_and_smc_are_interrupted_too(pipe, monkeypatch):
    steps = []
    output = pipe(
        picture(), torch.eye(8), num_samples=1, num_inference_steps=5, method="red-diff", output_type="pt",
        fit_callback=lambda step, loss, terms: (steps.append(step), setattr(pipe, "_interrupt", step == 1)),
    )  # fmt: skip
    assert steps == [0, 1] and len(output.trace.losses) == 2
    seen, clouds, cloud = Seen(0, stop), [], weighing.run_smc
    monkeypatch.setattr(weighing, "run_smc", lambda *given, **more: clouds.append(cloud(*given, **more)) or clouds[-1])
    smc = run(pipe, correct="smc", num_particles=4, callback_on_step_end=seen)
    assert smc.samples.diagnostics == {} and len(seen.latents) == 1
    [images] = [particles.images for particles in clouds]
    # Two of the four as they were resampled, two apart: latents of the step it was stopped at.
    assert any(torch.equal(smc.samples.images, images[[k, k + 2]]) for k in (0, 1))
    assert all(any(torch.equal(image, z) for z in seen.latents[0]) for image in images)


@pytest.mark.battery
@pytest.mark.parametrize("weight", [0.0, 1.0, 5.0])
def test_the_guidance_may_change_on_the_way(pipe, weight):
    def go(act, **options):
        seen = Seen(1, act)
        run(pipe, num_inference_steps=4, callback_on_step_end=seen, **{**LABELLED, **options})
        return seen.latents

    usual = go(lambda p: None)
    changed = go(lambda p: setattr(p, "_guidance_scale", weight))
    assert pipe.guidance_scale == weight and pipe.do_classifier_free_guidance == (weight == 5)
    assert torch.equal(changed[1], usual[1]) and not torch.equal(changed[2], usual[2])
    # From there on it is a step under the other weight: as if the walk had begun with it at those latents.
    put = []

    def replaced(p, step, t, kwargs):
        put.append(kwargs["latents"].clone())
        return {"latents": usual[1]} if step == 1 else {}

    guide = run(pipe, num_inference_steps=4, **LABELLED).guide
    other = {**LABELLED, "guidance_scale": weight}
    pipe(  # a guide itself is drawn from under its own weight alone, a program that calls it under any
        picture(), MASK, guide=lambda y=None: guide(y), generator=seeded(), num_inference_steps=4, num_samples=2,
        output_type="pt", callback_on_step_end=replaced, **other,
    )  # fmt: skip
    again = []

    def changing(p, step, t, kwargs):
        again.append(kwargs["latents"].clone())
        p._guidance_scale = weight if step >= 1 else 3.0
        return {"latents": usual[1]} if step == 1 else {}

    run(pipe, guide=guide, num_inference_steps=4, callback_on_step_end=changing, **LABELLED)
    torch.testing.assert_close(again[2], put[2], rtol=0, atol=1e-5)
    torch.testing.assert_close(again[3], put[3], rtol=0, atol=1e-5)


def test_a_change_in_the_refinement_leaves_the_guide_as_it_was_fitted(pipe):
    output = run(pipe, callback_on_step_end=Seen(0, lambda p: setattr(p, "_guidance_scale", 0.0)), **LABELLED)
    usual = run(pipe, **LABELLED)
    first, second = (run(pipe, guide=o.guide, **LABELLED).images for o in (output, usual))
    assert torch.equal(first, second)


def test_the_guidance_may_change_in_the_fit(pipe):
    def change(step, loss, terms):
        pipe._guidance_scale = 6.0

    usual, changed = run(pipe, **LABELLED).trace.losses, run(pipe, fit_callback=change, **LABELLED).trace.losses
    assert changed[0] == usual[0] and changed[1] != usual[1]


@pytest.mark.parametrize("weight, words", [(2.0, "conditioned without guidance"), (float("nan"), "finite weight")])
def test_what_guidance_cannot_become(pipe, weight, words):
    with pytest.raises(ValueError, match=words):
        run(pipe, class_labels=1, callback_on_step_end=Seen(0, lambda p: setattr(p, "_guidance_scale", weight)))


def test_two_threads_keep_their_own_guidance(pipe):
    expected = {w: run(pipe, class_labels=1, guidance_scale=w).images for w in (1.0, 3.0)}
    found = {}

    def work(w):
        found[w] = run(pipe, class_labels=1, guidance_scale=w).images

    threads = [threading.Thread(target=work, args=(w,)) for w in expected]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(torch.equal(found[w], expected[w]) for w in expected)


def test_a_network_that_takes_the_scale_follows_too(text):
    pipe = text("flux")
    seen, usual = Seen(0, lambda p: setattr(p, "_guidance_scale", 9.0)), Seen(None, None)
    prompted(pipe, callback_on_step_end=seen)
    prompted(pipe, callback_on_step_end=usual)
    assert torch.equal(seen.latents[0], usual.latents[0]) and not torch.equal(seen.latents[1], usual.latents[1])
    assert not pipe.do_classifier_free_guidance and pipe.guidance_scale == 3.0


CUTOFFS = {
    "stable_diffusion": SDCFGCutoffCallback,
    "stable_diffusion_xl": SDXLCFGCutoffCallback,
    "stable_diffusion_3": SD3CFGCutoffCallback,
}


@pytest.mark.battery
@pytest.mark.parametrize("name", CUTOFFS)
def test_the_cutoffs_of_diffusers_leave_the_conditional_model(text, name):
    pipe = text(name)
    cutoff = CUTOFFS[name](cutoff_step_ratio=None, cutoff_step_index=1)
    watched = Seen(None, None)

    class Watch(PipelineCallback):
        tensor_inputs = ["latents"]

        def callback_fn(self, p, step, t, kwargs):
            watched(p, step, t, kwargs)
            return kwargs

    prompted(pipe, callback_on_step_end=MultiPipelineCallbacks([cutoff, Watch(1.0)]))
    assert pipe.guidance_scale == 1 and not pipe.do_classifier_free_guidance
    by_hand = Seen(1, lambda p: setattr(p, "_guidance_scale", 1.0))
    prompted(pipe, callback_on_step_end=by_hand)
    assert len(watched.latents) == 4
    for theirs, ours in zip(watched.latents, by_hand.latents):
        torch.testing.assert_close(theirs, ours, rtol=0, atol=1e-5)


def test_embeddings_may_be_replaced(text):
    pipe = text()
    other, _ = pipe.encode_prompt("an owl")

    def replace(p, step, t, kwargs):
        embeds = kwargs["prompt_embeds"]
        assert embeds.shape[0] == 2
        return {"prompt_embeds": torch.cat([embeds[:1], other["encoder_hidden_states"]])}

    usual, replaced = [
        prompted(pipe, callback_on_step_end=c, callback_on_step_end_tensor_inputs=["prompt_embeds"]).images
        for c in (lambda p, step, t, kwargs: kwargs, replace)
    ]
    assert torch.equal(usual, prompted(pipe).images) and not torch.equal(usual, replaced)


class NeedsMuch(PipelineCallback):
    tensor_inputs = ["negative_pooled"]


REFUSED = [
    ({"callback_on_step_end": SDCFGCutoffCallback(1.0)}, ValueError, "SDCFGCutoffCallback asks for prompt_embeds"),
    ({"callback_on_step_end": NeedsMuch(1.0)}, ValueError, "NeedsMuch asks for negative_pooled, but callbacks"),
    (
        {"callback_on_step_end": MultiPipelineCallbacks([SDXLCFGCutoffCallback(1.0)])},
        ValueError, "SDXLCFGCutoffCallback asks for prompt_embeds, add_text_embeds, add_time_ids",
    ),
    ({"callback_on_step_end": IPAdapterScaleCutoffCallback(1.0)}, ValueError, "has none"),
    ({"callback_on_step_end": MultiPipelineCallbacks([len])}, TypeError, "a plain function has no tensor_inputs"),
    ({"callback_on_step_end_tensor_inputs": "latents"}, TypeError, "is a list of names"),
    ({"callback_on_step_end_tensor_inputs": ["prompt"]}, ValueError, "asks for prompt, but callbacks can have latents"),
]  # fmt: skip


@pytest.mark.parametrize("options, error, words", REFUSED)
def test_what_no_callback_can_have_is_said_before_any_computing(pipe, options, error, words):
    def no_network(*args, **kwargs):
        raise AssertionError("the network was called")

    pipe.unet.forward = no_network
    with pytest.raises(error, match=words):
        run(pipe, **LABELLED, **options)


def test_a_cutoff_needs_guidance_and_one_prompt(text):
    pipe = text()
    cutoff = SDCFGCutoffCallback(cutoff_step_ratio=0.5)
    with pytest.raises(ValueError, match="SDCFGCutoffCallback asks for prompt_embeds"):
        prompted(pipe, guidance_scale=1.0, callback_on_step_end=cutoff)
    with pytest.raises(ValueError, match="keeps the last prompt alone"):
        prompted(pipe, torch.rand(2, 3, 16, 16), prompt=["a cat", "an owl"], callback_on_step_end=cutoff)


@pytest.mark.battery
@pytest.mark.parametrize("what", ["guidance", "prompt"])
def test_what_changes_in_a_chunk_of_samples_is_as_it_was_for_the_next(pipe, text, what):
    def weaker(p, step, t, kwargs):
        if step == 1:
            p._guidance_scale = 0.0
        return {}

    def other(p, step, t, kwargs):
        return {"prompt_embeds": 0 * kwargs["prompt_embeds"]} if step == 1 else {}

    asked = ["latents", "prompt_embeds"]
    words = None if what == "guidance" else text()

    def images(chunk):
        if what == "guidance":
            options = {**LABELLED, "num_inference_steps": 4, "generator": torch.Generator().manual_seed(2)}
            return run(pipe, callback_on_step_end=weaker, num_samples=2, chunk=chunk, **options).samples.images
        inputs = {"callback_on_step_end_tensor_inputs": asked, "chunk": chunk}
        return prompted(words, callback_on_step_end=other, **inputs).samples.images

    torch.testing.assert_close(images(1), images(2), rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    "answer, error, words",
    [
        (3, ValueError, "gives a dict of what it replaces, of latents, or None, not 3"),
        (torch.ones(2), ValueError, "gives a dict of what it replaces"),
        ({"latent": torch.ones(2)}, ValueError, "of latents, or None, not latent"),
        ({"latents": 3}, TypeError, "latents of callback_on_step_end is a tensor"),
        ({"latents": torch.ones(2)}, ValueError, r"latents of callback_on_step_end are of shape \(.*not \(2,\)"),
    ],
)
def test_answers_that_cannot_be_are_not_left_aside(pipe, answer, error, words):
    with pytest.raises(error, match=words):
        run(pipe, callback_on_step_end=lambda *_: answer)
