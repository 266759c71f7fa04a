"""Quality of a sampler over images whose truth is known: completions and restorations."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from vipaint_pyro.evaluation.composites import composites
from vipaint_pyro.evaluation.metrics import diversity, observed_error, psnr
from vipaint_pyro.measurements.inpainting import Inpainting
from vipaint_pyro.measurements.lpips import shared_lpips
from vipaint_pyro.measurements.measurement import Measurement
from vipaint_pyro.priors.diffusion import DiffusionPrior
from vipaint_pyro.samplers.base import Sampler, Samples
from vipaint_pyro.wording import counted

__all__ = ["Quality", "evaluate", "join", "mean_and_error", "paired"]


@dataclass
class Quality:
    r"""Metrics per image, averaged over its samples; each list has one value per image.

    Attributes:
        lpips_raw: to the truth, of the samples as they came.
        lpips_composite: the same with the observed pixels put back as they were seen. A restoration has no such
            pixels: there it is ``lpips_raw``.
        psnr: in dB, of the composite; of the raw samples in a restoration.
        observed_error: mean absolute error :math:`|A x - y|` over the observed entries of y, of the raw samples,
            in units of [-1, 1]. Where y is noisy, so is the best image's: :math:`\sigma\sqrt{2/\pi}`.
        diversity: standard deviation over samples in the hole, in units of [-1, 1]; in a restoration over the
            whole image. 0 for a single sample.
        calls: denoiser calls per sample, the fit's share included.
        seconds: per image.
    """

    lpips_raw: list[float]
    lpips_composite: list[float]
    psnr: list[float]
    observed_error: list[float]
    diversity: list[float]
    calls: float
    seconds: float


def evaluate(
    sampler: Sampler,
    prior: DiffusionPrior,
    truth: Tensor,
    measurement: Measurement,
    labels: Sequence[int | None] | None = None,
    num_samples: int = 1,
    first: int = 0,
    chunk: int | None = None,
) -> tuple[Quality, Tensor]:
    """Run a sampler on the measurement of images and compare it with the truth.

    Each image has a generator of its own, seeded with its number ``first + i``, so that the result of an
    image depends neither on the batch nor on how many images there are (but for rounding in networks that
    compute batches of another size by other means).

    Args:
        sampler: the method with its settings.
        prior: not yet conditioned.
        truth: (N, C, H, W) in [-1, 1].
        measurement: of the N images; an inpainting's samples are judged with the known pixels put back, too.
        labels: class per image; None for none.
        num_samples: S per image, at least 1.
        first: number of the first image: a run in pieces is one run.
        chunk: how many images at once, at least 1; None for all. What a run needs in memory grows with it.

    Returns:
        The quality, and the samples (S, N, C, H, W), not clipped.

    Raises:
        ValueError: for other numbers of images or samples.
    """
    n = len(truth)
    if chunk is not None and chunk < 1:
        raise ValueError(f"chunk is a number of images of at least 1, but is {chunk}")
    counts = {"measurement": measurement.num_images, "labels": n if labels is None else len(labels)}
    for name, count in counts.items():
        if count != n:
            raise ValueError(f"{name} is of {counted(count, 'image')}, truth of {n}: they must agree")
    labels = labels if labels is not None or not prior.num_classes else [None] * n
    # Loaded before any sampling: what is missing is said at once, and it is no part of a sampler's peak memory.
    lpips = shared_lpips("alex", None, torch.device("cpu"))
    size, pieces = chunk or n, []
    for a in range(0, n, size):
        b = min(a + size, n)
        generators = [torch.Generator().manual_seed(first + i) for i in range(a, b)]
        given, here = prior.conditioned(None if labels is None else labels[a:b]), measurement.part(a, b)
        pieces.append(_compare(sampler(given, here, num_samples, generators), truth[a:b], here, lpips))
    return join([quality for quality, _ in pieces]), torch.cat([x for _, x in pieces], 1)


def _compare(samples: Samples, truth: Tensor, measurement: Measurement, lpips: Callable) -> tuple[Quality, Tensor]:
    x, operator, y = samples.images.detach(), measurement.operator, measurement.y
    completed = isinstance(operator, Inpainting)
    with torch.no_grad():
        seen = measurement.to(x.device, x.dtype)
        error = observed_error(seen.operator(x), seen.y, seen.operator.observed).cpu()
        x = x.cpu()
        clipped = x.clamp(-1, 1)
        known = operator.observed.cpu() if completed else torch.zeros(len(y), 1, 1, 1, dtype=torch.bool, device="cpu")
        composite = composites(x.to(torch.promote_types(x.dtype, truth.dtype)), measurement)
        raw = lpips(clipped, truth)
        values = {
            "lpips_raw": raw.mean(0),
            "lpips_composite": (lpips(composite, truth) if completed else raw).mean(0),
            "psnr": psnr(composite, truth).mean(0),
            "observed_error": error.mean(0),
            "diversity": diversity(x, known) if len(x) > 1 else torch.zeros(len(truth), device="cpu"),
        }
    quality = Quality(
        **{k: v.tolist() for k, v in values.items()},
        calls=sum(samples.calls.values()) / len(x),
        seconds=sum(samples.seconds.values()) / len(truth),
    )
    return quality, x


def join(parts: Sequence[Quality]) -> Quality:
    """The quality over the images of all parts, in their order; calls and seconds are means over images.

    Raises:
        ValueError: for no parts.
    """
    if not parts:
        raise ValueError("there is no quality of no images")
    lists = {f.name: [v for p in parts for v in getattr(p, f.name)] for f in fields(Quality)[:-2]}
    counts = [len(p.psnr) for p in parts]

    def mean(values: list[float]) -> float:
        # Of equal numbers it is that number, without the rounding of a sum.
        same = len(set(values)) == 1
        return values[0] if same else sum(v * c for v, c in zip(values, counts, strict=True)) / sum(counts)

    return Quality(**lists, calls=mean([p.calls for p in parts]), seconds=mean([p.seconds for p in parts]))


def mean_and_error(values: Sequence[float]) -> tuple[float, float]:
    """Mean and its standard error over images."""
    v = torch.tensor(values, dtype=torch.float64, device="cpu")
    return v.mean().item(), (v.std() / math.sqrt(len(v))).item() if len(v) > 1 else math.nan


def paired(a: Sequence[float], b: Sequence[float]) -> tuple[float, float]:
    """Mean of a - b image by image, and its standard error: two methods on the same images."""
    return mean_and_error([x - y for x, y in zip(a, b, strict=True)])
