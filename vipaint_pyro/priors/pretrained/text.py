"""From prompts to what a text-conditional network takes, by diffusers' own pipelines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack

import torch
from torch import Tensor, nn

from vipaint_pyro.networks.calls import Condition
from vipaint_pyro.networks.frozen import frozen
from vipaint_pyro.networks.kinds import kind_of
from vipaint_pyro.networks.placement import device_of

__all__ = ["TEXT_COMPONENTS", "encode"]

#: What a text-conditional pipeline has for its prompts.
TEXT_COMPONENTS = tuple(f"{kind}{n}" for n in ("", "_2", "_3") for kind in ("text_encoder", "tokenizer"))

Parts = Mapping[str, object]


def encode(
    network: nn.Module,
    parts: Parts,
    prompt: Sequence[str],
    negative_prompt: Sequence[str] | None,
    image_size: tuple[int, int],
    force_zeros_for_empty_prompt: bool = True,
) -> tuple[Condition, Condition | None]:
    """Prompts, and negative prompts where they are asked for, by the names of the network's inputs.

    Args:
        network: a text-conditional network.
        parts: the :data:`TEXT_COMPONENTS` that there are.
        prompt: N texts.
        negative_prompt: N texts; None leaves them out.
        image_size: (height, width), which Stable Diffusion XL is told.
        force_zeros_for_empty_prompt: of Stable Diffusion XL's pipeline: zeros for an empty negative prompt.

    Raises:
        ValueError: where the encoders are missing, or for the negative prompt of a network that takes none.
        ImportError: without the extra ``text``.
    """
    if parts.get("text_encoder") is None or parts.get("tokenizer") is None:
        raise ValueError(
            "the text encoders are not loaded (or were freed), so a prompt cannot be read: give prompt_embeds, "
            "or load the pipeline with its text_encoder and tokenizer"
        )
    kind = _KINDS[kind_of(network, _KINDS)]
    if kind is _stable_diffusion and parts.get("text_encoder_2") is not None:
        kind = _stable_diffusion_xl
    with torch.no_grad(), ExitStack() as stack:
        for name in TEXT_COMPONENTS:
            if isinstance(parts.get(name), nn.Module):
                stack.enter_context(frozen(parts[name]))
        return kind(parts, list(prompt), negative_prompt, image_size, force_zeros_for_empty_prompt)


def _pipeline(name: str, parts: Parts, components: Sequence[str], **options):
    """One of diffusers' pipelines with its encoders alone: it may rewrite other parts' configs."""
    import diffusers

    try:
        kind = getattr(diffusers, name)
        given = {c: parts.get(c) for c in components}
        empty = ("vae", "unet", "transformer", "scheduler", "safety_checker", "feature_extractor")
        known = kind._get_signature_keys(kind)[0]
        return kind(**given, **{c: None for c in empty if c in known}, **options)
    except ImportError as error:
        raise ImportError("reading prompts needs the extra 'text': pip install 'vipaint-pyro[text]'") from error


def _stable_diffusion(parts, prompt, negative, image_size, force_zeros):
    pipe = _pipeline("StableDiffusionPipeline", parts, TEXT_COMPONENTS[:2], requires_safety_checker=False)
    device = device_of(parts["text_encoder"])
    given, null = pipe.encode_prompt(prompt, device, 1, negative is not None, negative)
    return {"encoder_hidden_states": given}, None if negative is None else {"encoder_hidden_states": null}


def _stable_diffusion_xl(parts, prompt, negative, image_size, force_zeros):
    pipe = _pipeline(
        "StableDiffusionXLPipeline", parts, TEXT_COMPONENTS[:4], force_zeros_for_empty_prompt=force_zeros
    )
    if negative is not None and not any(negative):
        negative_texts = None  # what force_zeros_for_empty_prompt asks about
    else:
        negative_texts = negative
    device = device_of(parts["text_encoder"])
    given, null, pooled, null_pooled = pipe.encode_prompt(
        prompt, device=device, do_classifier_free_guidance=negative is not None, negative_prompt=negative_texts
    )
    # The whole picture, uncropped: original size, corner of the crop, target size (arXiv:2307.01952, section 2.2).
    time_ids = torch.tensor([[*image_size, 0, 0, *image_size]], dtype=given.dtype, device=device)
    time_ids = time_ids.expand(len(prompt), -1)

    def named(states: Tensor, pooled: Tensor) -> Condition:
        return {"encoder_hidden_states": states, "text_embeds": pooled, "time_ids": time_ids}

    return named(given, pooled), None if negative is None else named(null, null_pooled)


def _stable_diffusion_3(parts, prompt, negative, image_size, force_zeros):
    pipe = _pipeline("StableDiffusion3Pipeline", parts, TEXT_COMPONENTS)
    if parts.get("text_encoder_3") is None:
        pipe.register_modules(transformer=parts["transformer"])  # the width of the zeros that stand for T5's
    given, null, pooled, null_pooled = pipe.encode_prompt(
        prompt, None, None, device=device_of(parts["text_encoder"]),
        do_classifier_free_guidance=negative is not None, negative_prompt=negative,
    )  # fmt: skip

    def named(states: Tensor, pooled: Tensor) -> Condition:
        return {"encoder_hidden_states": states, "pooled_projections": pooled}

    return named(given, pooled), None if negative is None else named(null, null_pooled)


def _flux(parts, prompt, negative, image_size, force_zeros):
    pipe = _pipeline("FluxPipeline", parts, TEXT_COMPONENTS[:4])

    def named(texts: Sequence[str]) -> Condition:
        states, pooled, _ = pipe.encode_prompt(list(texts), device=device_of(parts["text_encoder"]))
        return {"encoder_hidden_states": states, "pooled_projections": pooled}

    return named(prompt), None if negative is None else named(negative)


_KINDS = {
    "UNet2DConditionModel": _stable_diffusion,
    "SD3Transformer2DModel": _stable_diffusion_3,
    "FluxTransformer2DModel": _flux,
}
