"""Comparisons of samplers on the same images: which samplers, on which pictures, run and kept image by image."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import click
from torch import Tensor

from vipaint_pyro.datasets.fashion_mnist import fashion_mnist
from vipaint_pyro.evaluation.quality import Quality, evaluate
from vipaint_pyro.evaluation.records import Kept, chunks, described, file_name, fingerprint
from vipaint_pyro.priors.diffusion import DiffusionPrior
from vipaint_pyro.samplers import DPSSampler, VIPaintSampler, timesteps_for

__all__ = ["PRIORS", "STEP", "compare", "pictures", "run", "samplers"]

PRIORS = ("fashion-mnist", "cartoon-faces")
STEP = "DPS with VIPaint's step, equal calls"


def pictures(prior: str, split: str, number: int, data: str, cache: Path) -> tuple[Tensor, list[int]]:
    """The first images of a split, (N, C, H, W) in [-1, 1], and their classes.

    Args:
        prior: whose pictures.
        split: ``"test"``, or ``"train"``, what the prior was trained on.
        number: N.
        data: folder of Fashion-MNIST.
        cache: folder for the faces that were drawn.
    """
    if prior == "cartoon-faces":
        from vipaint_pyro.datasets.cartoon_faces.faces import cartoon_faces

        cache.mkdir(parents=True, exist_ok=True)
        faces, attributes = cartoon_faces(split, number, cache / f"faces-{split}-{number}.safetensors")
        return faces / 127.5 - 1, attributes[:, 0].tolist()  # the class is what is on the head
    images, classes = fashion_mnist(split, data)
    if number > len(images):
        raise click.BadParameter(f"the split has {len(images)} images, not {number}")
    return images[:number], classes[:number].tolist()


def samplers(prior: DiffusionPrior, num_samples: int, smoke: bool) -> dict:
    """VIPaint-4, VIPaint-2, and DPS at VIPaint-4's refinement steps and at its denoiser calls per sample.

    DPS runs as published (zeta = 0.5), and once more with the step that VIPaint refines with, since that was chosen
    for VIPaint. On the latents of faces both do about alike in an inpainting; in super-resolution the published
    step is worse by far (LPIPS 0.052 against 0.010 on four training faces).

    Args:
        prior: pixel or latent.
        num_samples: of an image, which share the calls of a fit.
        smoke: whether a few steps are enough.
    """
    # What VIPaint's None stands for, so that DPS can have the same.
    fraction = None if prior.codec.factor == 1 else 0.3
    # A few faces at once fit into memory without gradient checkpointing, which changes no number.
    four = VIPaintSampler(timesteps=timesteps_for(prior, 4), fraction=fraction, gradient_checkpointing=False)
    if smoke:
        four = replace(four, fit_steps=2, num_chains=1, refinement_steps=4)
    fit = four.fit_steps * four.num_chains * (four.num_levels + len(four.timesteps))
    calls = round(fit / num_samples) + len(four.timesteps) - 1 + four.refinement_steps
    calls = min(calls, prior.schedule.num_timesteps)
    published = DPSSampler(calls)
    return {
        "VIPaint-4": four,
        "VIPaint-2": replace(four, timesteps=timesteps_for(prior, 2)),
        "DPS, equal refinement steps": replace(published, num_steps=four.refinement_steps),
        "DPS, equal calls": published,
        STEP: replace(published, zeta=four.zeta, limit=four.limit, fraction=fraction),
    }


def run(kept: Kept, images: int, chunk: int, compute: Callable[[int, int], tuple[Quality, Tensor]], name: str) -> None:
    """Do the images that are missing, ``compute(first, behind the last)`` by chunks, and keep each chunk."""
    for a, b in chunks(kept.missing(images), chunk):
        quality, samples = compute(a, b)
        kept.save(a, quality, samples)
        click.echo(f"{name}: {b} of {images} images, {quality.seconds:.0f} s each")


def compare(
    out: Path,
    methods: dict[str, object],
    only: str | None,
    facts: dict,
    truth: Tensor,
    chunk: int,
    prior: DiffusionPrior,
    num_samples: int,
    labels: Sequence[int] | None,
    measured: Callable[[int, int], dict],
) -> dict[str, Kept]:
    """Run the methods, or one, on all images, and give those that are complete.

    Args:
        out: folder of the run.
        methods: name -> sampler.
        only: a method's name, as it stands or as its folder is called; None for all.
        facts: what the results depend on, but for the sampler and the number of images.
        truth: (N, C, H, W).
        chunk: images at once.
        prior, num_samples, labels: of :func:`vipaint_pyro.evaluation.evaluate`.
        measured: (first, behind the last) -> ``observed``, or ``operator`` and ``y``, of those images.
    """
    names = {file_name(name): name for name in methods}
    if only is not None and file_name(only) not in names:
        raise click.BadParameter(f"no method {only!r}: there are {', '.join(methods)}", param_hint="--method")
    facts = {**facts, "samples": num_samples, "weights": fingerprint(prior)}
    kept = {n: Kept(out / file_name(n), {**facts, "sampler": described(s)}) for n, s in methods.items()}
    for name, sampler in methods.items():
        if only is None or name == names[file_name(only)]:

            def compute(a: int, b: int, sampler=sampler) -> tuple[Quality, Tensor]:
                given = None if labels is None else labels[a:b]
                more = measured(a, b)
                return evaluate(sampler, prior, truth[a:b], labels=given, num_samples=num_samples, first=a, **more)

            run(kept[name], len(truth), chunk, compute, name)
    return {name: k for name, k in kept.items() if not k.missing(len(truth))}
