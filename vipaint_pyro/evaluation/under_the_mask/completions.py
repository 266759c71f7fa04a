"""Completions of a face with one attribute covered, kept in a file each."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from vipaint_pyro.datasets.cartoon_faces.faces import render
from vipaint_pyro.evaluation.under_the_mask.questions import Question
from vipaint_pyro.files import write_tensors
from vipaint_pyro.images import to_bytes
from vipaint_pyro.measurements.inpainting import Inpainting
from vipaint_pyro.measurements.measurement import Measurement
from vipaint_pyro.priors.diffusion import DiffusionPrior
from vipaint_pyro.samplers import VIPaintSampler
from vipaint_pyro.wording import differences

__all__ = ["complete", "kept"]


def complete(
    prior: DiffusionPrior, question: Question, sampler: Callable | None, completions: int, batch: int
) -> Tensor:
    """Completions (S, 3, 64, 64) in [-1, 1], what is seen put back.

    Args:
        prior: conditioned as wanted.
        question: which face and what is covered.
        sampler: None for exact draws: faces of the posterior, passed through the prior's autoencoder.
        completions: S.
        batch: how many at once.
    """
    generator = torch.Generator().manual_seed(question.seed)
    if sampler is None:
        parts = _exact(prior, question, completions, batch, generator)
    else:
        sizes = [min(batch, completions - k) for k in range(0, completions, batch)]
        parts = _sampled(prior, question, sampler, sizes, generator)
    return torch.where(question.observed, question.truth, torch.cat(parts).clamp(-1, 1))


@torch.no_grad()
def _exact(
    prior: DiffusionPrior, question: Question, completions: int, batch: int, generator: torch.Generator
) -> list[Tensor]:
    faces = torch.stack([render(face) for face in question.posterior.draw(completions, generator)])
    return [prior.decode(prior.encode(part)) for part in faces.split(batch)]


def _sampled(
    prior: DiffusionPrior, question: Question, sampler: Callable, sizes: Sequence[int], generator: torch.Generator
) -> list[Tensor]:
    operator = Inpainting(question.observed[None])
    seen, parts = Measurement.of(operator, operator(question.truth[None])), []
    for size in sizes:
        drawn = sampler(prior, seen, size, generator)
        if isinstance(sampler, VIPaintSampler):
            sampler = sampler.from_guide(drawn.guide)  # one fit for all
        parts.append(drawn.images[:, 0])
    return parts


def kept(path: Path, facts: dict, compute: Callable[[], Tensor]) -> Tensor:
    """Completions as 8-bit pictures (S, 3, 64, 64), from their file where they are there.

    Args:
        path: of the file, whose folder is made.
        facts: what they depend on, as JSON has it; kept beside them.
        compute: gives them in [-1, 1].

    Raises:
        ValueError: where those of the file come from other settings, or it is damaged.
    """
    if path.exists():
        try:
            with safe_open(path, "pt") as file:
                found, pictures = json.loads((file.metadata() or {})["facts"]), file.get_tensor("completions")
        except (SafetensorError, KeyError, ValueError) as error:
            raise ValueError(f"{path} is damaged ({error}): delete it, and it is computed again") from error
        if found != facts:
            changes = "; ".join(differences(found, facts))
            raise ValueError(f"{path} comes from other settings; choose another --out ({changes})")
        return pictures
    drawn = to_bytes(compute()).contiguous()
    path.parent.mkdir(parents=True, exist_ok=True)
    write_tensors(path, {"completions": drawn}, {"facts": json.dumps(facts)})
    return drawn
