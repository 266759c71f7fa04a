"""A study's prior: loaded once per process, checked to be the one that was planned, conditioned for an image."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import diffusers
import torch

from vipaint_pyro.pipelines.prior import PriorPipeline
from vipaint_pyro.priors.diffusion import DiffusionPrior
from vipaint_pyro.priors.fingerprints import fingerprint
from vipaint_pyro.priors.pretrained.index import TEXT_COMPONENTS

__all__ = ["PriorName", "conditioned", "load"]


@dataclass(frozen=True)
class PriorName:
    """Which prior, and where and in what precision it computes.

    Attributes:
        name, variant, revision: as ``from_pretrained`` takes them.
        device, dtype: of torch, by name.
    """

    name: str
    variant: str | None = None
    revision: str | None = None
    device: str = "cpu"
    dtype: str = "float32"


@lru_cache(maxsize=1)
def load(prior: PriorName) -> tuple[PriorPipeline, str]:
    """The prior's parts, and the fingerprint of its weights.

    Raises:
        ValueError, OSError: where it cannot be loaded.
    """
    diffusers.utils.logging.disable_progress_bar()
    named = {k: v for k, v in (("variant", prior.variant), ("revision", prior.revision)) if v is not None}
    pipe = PriorPipeline.from_pretrained(prior.name, **named)
    weights = fingerprint(pipe.prior, *(getattr(pipe, name) for name in TEXT_COMPONENTS if "encoder" in name))
    pipe.to(prior.device)
    if prior.dtype != "float32":
        pipe.to(getattr(torch, prior.dtype))
    return pipe, weights


def conditioned(prior: PriorName, label: int | None, prompt: str | None, guidance: float = 1.0) -> DiffusionPrior:
    """The prior given what is known of one image.

    Raises:
        ValueError: for what the prior does not take.
    """
    pipe, _ = load(prior)
    return pipe.conditioned(1, class_labels=label, prompt=prompt, guidance_scale=guidance)
