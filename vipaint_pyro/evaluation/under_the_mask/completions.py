"""Completions of a face with one attribute covered, kept in a file each."""

from __future__ import annotations

import json
import os
from pathlib import Path

import click
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from vipaint_pyro.datasets.cartoon_faces.faces import render
from vipaint_pyro.evaluation.under_the_mask.questions import Question
from vipaint_pyro.measurements.inpainting import Inpainting
from vipaint_pyro.priors.diffusion import DiffusionPrior
from vipaint_pyro.samplers import VIPaintSampler

__all__ = ["complete", "kept"]


def complete(prior: DiffusionPrior, question: Question, sampler: object | None, completions: int, batch: int) -> Tensor:
    """Completions (S, 3, 64, 64) in [-1, 1], what is seen put back; without a sampler, exact draws by the decoder."""
    generator = torch.Generator().manual_seed(question.seed)
    sizes = [min(batch, completions - k) for k in range(0, completions, batch)]
    parts = []
    if sampler is None:
        faces = question.posterior.draw(completions, generator)
        with torch.no_grad():
            for part in torch.stack([render(face) for face in faces]).split(batch):
                parts.append(prior.decode(prior.encode(part)))
    else:
        operator = Inpainting(question.observed[None])
        y = operator.adjoint(question.truth[None])
        fitted = {}
        for size in sizes:
            drawn = sampler(prior, operator, y, size, generator, **fitted)
            if isinstance(sampler, VIPaintSampler):
                fitted = {"guide": drawn.guide}  # one fit for all
            parts.append(drawn.images[:, 0])
    return torch.where(question.observed, question.truth, torch.cat(parts).clamp(-1, 1))


def kept(path: Path, facts: dict, compute) -> Tensor:
    """Completions as 8-bit pictures, from their file where they are there."""
    if path.exists():
        with safe_open(path, "pt") as file:
            if json.loads(file.metadata()["facts"]) != facts:
                raise click.ClickException(f"{path} comes from other settings; choose another --out")
            return file.get_tensor("completions")
    click.echo(f"{path.stem} ...")
    pictures = ((compute() + 1) * 127.5).round().to(torch.uint8).contiguous()
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{os.getpid()}.partial")
    save_file({"completions": pictures}, partial, metadata={"facts": json.dumps(facts)})
    os.replace(partial, path)
    return pictures
