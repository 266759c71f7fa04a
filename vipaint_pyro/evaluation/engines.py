"""Comparisons: which samplers, run on one benchmark, their results kept image by image."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from torch import Tensor

from vipaint_pyro.evaluation.benchmarks import Benchmark
from vipaint_pyro.evaluation.quality import Quality
from vipaint_pyro.evaluation.records import Kept, chunks, described, file_name, fingerprint
from vipaint_pyro.files import check_writable
from vipaint_pyro.priors.diffusion import DiffusionPrior
from vipaint_pyro.samplers import DPSSampler, VIPaintSampler, timesteps_for
from vipaint_pyro.wording import counted

__all__ = ["STEP", "compare", "kept_results", "run", "samplers"]

STEP = "DPS with VIPaint's step, equal calls"


def samplers(prior: DiffusionPrior, num_samples: int, smoke: bool = False) -> dict[str, VIPaintSampler | DPSSampler]:
    """VIPaint-4, VIPaint-2, and DPS at VIPaint-4's refinement steps and at its denoiser calls per sample.

    DPS runs as published (zeta = 0.5), and once more with the step that VIPaint refines with, since that was chosen
    for VIPaint. On the latents of faces both do about alike in an inpainting; in super-resolution the published
    step is worse by far (LPIPS 0.052 against 0.010 on four training faces).

    Args:
        prior: pixel or latent.
        num_samples: of an image, which share the calls of a fit.
        smoke: whether a few steps are enough.

    Returns:
        Name -> sampler.
    """
    four = _four(prior, smoke)
    published = DPSSampler(min(_calls(four, num_samples), prior.schedule.num_timesteps))
    return {
        "VIPaint-4": four,
        "VIPaint-2": replace(four, timesteps=timesteps_for(prior, 2)),
        "DPS, equal refinement steps": replace(published, num_steps=four.refinement_steps),
        "DPS, equal calls": published,
        STEP: replace(published, zeta=four.zeta, limit=four.limit, fraction=four.fraction),
    }


def _four(prior: DiffusionPrior, smoke: bool) -> VIPaintSampler:
    # What VIPaint's None stands for, so that DPS can have the same.
    fraction = None if prior.codec.factor == 1 else 0.3
    # A few faces at once fit into memory without gradient checkpointing, which changes no number.
    four = VIPaintSampler(
        timesteps=timesteps_for(prior, 4), fraction=fraction, refinement_steps=100, gradient_checkpointing=False
    )
    return replace(four, fit_steps=2, num_chains=1, refinement_steps=4) if smoke else four


def _calls(sampler: VIPaintSampler, num_samples: int) -> int:
    """Denoiser calls per sample: its share of the fit, the transitions down to T_s, the refinement."""
    levels = len(sampler.timesteps)
    fit = sampler.fit_steps * sampler.num_chains * (sampler.num_levels + levels)
    return round(fit / num_samples) + levels - 1 + sampler.refinement_steps


def run(
    kept: Kept,
    images: int,
    chunk: int,
    compute: Callable[[int, int], tuple[Quality, Tensor]],
    log: Callable[[str], None] | None = None,
) -> None:
    """Do the images that are missing and keep each chunk.

    Args:
        kept: where.
        images: how many there are to be.
        chunk: of how many images at most.
        compute: (first, behind the last) -> quality and samples (S, N, C, H, W) of those images.
        log: called with a line per chunk.

    Raises:
        ValueError: where those that are done come from other settings.
    """
    for a, b in chunks(kept.missing(images), chunk):
        quality, samples = compute(a, b)
        kept.save(a, quality, samples)
        if log is not None:
            log(f"{b} of {counted(images, 'image')}, {quality.seconds:.0f} s each")


def kept_results(
    out: Path, methods: Mapping[str, object], benchmark: Benchmark, prior: DiffusionPrior, num_samples: int
) -> dict[str, Kept]:
    """Where each method's results on a benchmark are kept: name -> record, with all that they depend on."""
    facts = {**benchmark.facts, "samples": num_samples, "weights": fingerprint(prior)}
    return {n: Kept(out / file_name(n), {**facts, "sampler": described(s)}) for n, s in methods.items()}


def compare(
    out: Path,
    methods: Mapping[str, Callable],
    benchmark: Benchmark,
    prior: DiffusionPrior,
    num_samples: int,
    chunk: int,
    only: str | None = None,
    log: Callable[[str], None] | None = None,
) -> dict[str, Kept]:
    """Run the methods, or one, on all images, and give those that are complete.

    Args:
        out: folder of the run.
        methods: name -> sampler.
        benchmark: what they are compared on.
        prior: not yet conditioned.
        num_samples: per image.
        chunk: images at once.
        only: a method's name, as it stands or as its folder is called; None for all.
        log: called with a line per chunk.

    Raises:
        ValueError: for a method that is not there, or where ``out`` cannot be written, or what is kept comes from other
            settings or is damaged.
    """
    check_writable(out)
    chosen = methods if only is None else [_named(only, methods)]
    kept, images = kept_results(out, methods, benchmark, prior, num_samples), len(benchmark)
    for name in chosen:

        def compute(a: int, b: int, sampler=methods[name]) -> tuple[Quality, Tensor]:
            return benchmark.evaluate(sampler, prior, num_samples, a, b)

        def say(text: str, name=name) -> None:
            if log is not None:
                log(f"{name}: {text}")

        run(kept[name], images, chunk, compute, say)
    return {name: k for name, k in kept.items() if not k.missing(images)}


def _named(name: str, methods: Mapping[str, object]) -> str:
    names = {file_name(n): n for n in methods}
    if file_name(name) not in names:
        raise ValueError(f"no method {name!r}: there are {', '.join(methods)}")
    return names[file_name(name)]
