"""From prompts to what a text-conditional network takes, by diffusers' own pipelines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Any

import torch
from torch import Tensor, nn

from vipaint_pyro.networks.calls import Condition
from vipaint_pyro.networks.frozen import frozen
from vipaint_pyro.networks.kinds import kind_of
from vipaint_pyro.networks.placement import device_of
from vipaint_pyro.priors.pretrained.index import TEXT_COMPONENTS
from vipaint_pyro.wording import counted, shown

__all__ = ["checked_prompts", "encode", "sized"]

Parts = Mapping[str, object]


def checked_prompts(
    prompt: str | Sequence[str], negative_prompt: str | Sequence[str] | None
) -> tuple[list[str], list[str] | None]:
    """Both as lists of N texts; ValueError where they are no texts, or of other numbers."""
    prompts = _texts("prompt", prompt)
    if negative_prompt is None:
        return prompts, None
    negatives = _texts("negative_prompt", negative_prompt)
    if isinstance(negative_prompt, str):
        negatives *= len(prompts)
    if len(negatives) != len(prompts):
        given = counted(len(negatives), "negative prompt"), counted(len(prompts), "prompt")
        raise ValueError(f"{given[0]} for {given[1]}: give one, or one for each")
    return prompts, negatives


def _texts(name: str, given: object) -> list[str]:
    """One text or several as a list; ValueError where they are none."""
    texts = [given] if isinstance(given, str) else given
    if not isinstance(texts, (list, tuple)) or not texts or not all(isinstance(text, str) for text in texts):
        raise ValueError(f"{name} is a text or a list of texts, not {shown(given)}")
    return list(texts)


def encode(
    network: nn.Module | None,
    parts: Parts,
    prompt: Sequence[str],
    negative_prompt: Sequence[str] | None,
    image_size: tuple[int, int] | None,
    force_zeros_for_empty_prompt: bool = True,
) -> tuple[Condition, Condition | None]:
    """Prompts, and negative prompts where they are asked for, by the names of the network's inputs.

    Args:
        network: a text-conditional network; without one the encoders say which kind they are for.
        parts: the :data:`TEXT_COMPONENTS` that there are.
        prompt: N texts.
        negative_prompt: N texts; None leaves them out.
        image_size: (height, width), which Stable Diffusion XL is told; None leaves that to :func:`sized`.
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
    kind = _kind_of(parts) if network is None else _KINDS[kind_of(network, _KINDS) or ""]
    if kind is _stable_diffusion and parts.get("text_encoder_2") is not None:
        kind = _stable_diffusion_xl
    with torch.no_grad(), ExitStack() as stack:
        for name in TEXT_COMPONENTS:
            part = parts.get(name)
            if isinstance(part, nn.Module):
                stack.enter_context(frozen(part))
        return kind(parts, list(prompt), negative_prompt, image_size, force_zeros_for_empty_prompt)


def _kind_of(parts: Parts) -> Any:
    """Whose encoders these are: Flux reads with T5 second, Stable Diffusion 3 with a projection first."""
    first, second = (type(parts.get(name)).__name__ for name in ("text_encoder", "text_encoder_2"))
    if second.startswith("T5"):
        return _flux
    if parts.get("text_encoder_3") is not None or "WithProjection" in first:
        return _stable_diffusion_3
    return _stable_diffusion


def _time_ids(image_size: tuple[int, int], like: Tensor) -> Tensor:
    """The whole picture, uncropped: original size, corner of the crop, target size (arXiv:2307.01952, section 2.2)."""
    time_ids = torch.tensor([[*image_size, 0, 0, *image_size]], dtype=like.dtype, device=like.device)
    return time_ids.expand(len(like), -1)


def sized(condition: Condition | None, needs: Sequence[str], image_size: tuple[int, int]) -> Condition | None:
    """A condition encoded without a network, told the size of the images where the network wants to know it."""
    if not isinstance(condition, Mapping) or "time_ids" in condition or "time_ids" not in needs or not condition:
        return condition
    return {**condition, "time_ids": _time_ids(image_size, next(iter(condition.values())))}


def _pipeline(name: str, parts: Parts, components: Sequence[str], **options: Any) -> Any:
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

    def named(states: Tensor, pooled: Tensor) -> Condition:
        told = {} if image_size is None else {"time_ids": _time_ids(image_size, states)}
        return {"encoder_hidden_states": states, "text_embeds": pooled, **told}

    return named(given, pooled), None if negative is None else named(null, null_pooled)


def _stable_diffusion_3(parts, prompt, negative, image_size, force_zeros):
    pipe = _pipeline("StableDiffusion3Pipeline", parts, TEXT_COMPONENTS)
    if parts.get("text_encoder_3") is None:
        if parts.get("transformer") is None:
            raise ValueError(
                "without text_encoder_3 the transformer says how wide the zeros in its place are: load the pipeline "
                "with its transformer, or with text_encoder_3 and tokenizer_3"
            )
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
