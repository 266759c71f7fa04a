"""Quality of a sampler over images whose truth is known: completions and restorations."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from vipaint_pyro.evaluation.metrics import diversity, observed_error, psnr
from vipaint_pyro.measurements.inpainting import Inpainting
from vipaint_pyro.measurements.lpips import LPIPS
from vipaint_pyro.measurements.matrix import Matrix
from vipaint_pyro.measurements.operator import Operator
from vipaint_pyro.priors.diffusion import DiffusionPrior
from vipaint_pyro.samplers.base import Samples

__all__ = ["Quality", "evaluate", "join", "mean_and_error", "paired", "part"]


@dataclass
class Quality:
    r"""Metrics per image, averaged over its samples; each list has one value per image.

    Attributes:
        lpips_raw: to the truth, of the samples as they came.
        lpips_composite: the same with the observed pixels put back. A restoration has no such pixels: there it
            is ``lpips_raw``.
        psnr: in dB, of the composite; of the raw samples in a restoration.
        observed_error: mean absolute error :math:`|A x - y|` over the observed entries of y, of the raw samples,
            in units of [-1, 1]. Where y is noisy, so is the best image's: :math:`\sigma\sqrt{2/\\pi}`.
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
    sampler: Callable[..., Samples],
    prior: DiffusionPrior,
    truth: Tensor,
    observed: Tensor | None = None,
    labels: Sequence[int | None] | None = None,
    num_samples: int = 1,
    seed: int = 0,
    lpips: LPIPS | None = None,
    *,
    operator: Operator | None = None,
    y: Tensor | None = None,
    chunk: int | None = None,
    first: int = 0,
) -> tuple[Quality, Tensor]:
    """Run a sampler on images and compare it with the truth.

    A completion is given by ``observed``, its measurement is the truth where known; a restoration by
    ``operator`` and ``y``, whose noise is the caller's (:func:`vipaint_pyro.measurements.tasks.measure`).

    Each image has a generator of its own, seeded with ``1000 * seed + first + i``, so that the result of an
    image depends neither on the batch nor on how many images there are (but for rounding in networks that
    compute batches of another size by other means).

    Args:
        sampler: the method with its settings, called as :class:`~vipaint_pyro.samplers.VIPaintSampler` is.
        prior: not yet conditioned.
        truth: (N, C, H, W) in [-1, 1].
        observed: bool (N, 1, H, W), True where known; None for a restoration.
        labels: class per image; None for none.
        num_samples: S per image, at least 1.
        seed: of the generators.
        lpips: the distance; by default AlexNet's.
        operator: the measurement of the N images, where they are not completed but restored.
        y: its measurements (N, C', H', W'), 0 where not observed.
        chunk: how many images at once, at least 1; None for all. What a run needs in memory grows with it.
        first: number of the first image, for its generator: a run in pieces is one run.

    Returns:
        The quality, and the samples (S, N, C, H, W), not clipped.

    Raises:
        ValueError: for a completion and a restoration at once, neither of them, half a restoration, or other
            numbers of images.
        TypeError: for an operator of which :func:`part` takes no part, where there is more than one chunk.
    """
    n = len(truth)
    if (observed is None) == (operator is None):
        raise ValueError("give observed, for a completion, or operator and y, for a restoration")
    if (operator is None) != (y is None):
        raise ValueError("a restoration is given by operator and y, both of them; a completion makes its own y")
    if chunk is not None and chunk < 1:
        raise ValueError(f"chunk is a number of images of at least 1, but is {chunk}")
    counts = {
        "observed": n if observed is None else len(observed),
        "operator.observed": n if operator is None else len(operator.observed),
        "y": n if y is None else len(y),
        "labels": n if labels is None else len(labels),
    }
    for name, count in counts.items():
        if count != n:
            raise ValueError(f"{name} is of {count} images, truth of {n}: they must agree")
    if num_samples < 1:
        raise ValueError(f"num_samples is at least 1, but is {num_samples}")
    if operator is None:
        operator = Inpainting(observed.to(prior.device))
        y = operator.adjoint(truth.to(prior.device, prior.dtype))
    labels = labels if labels is not None or not prior.num_classes else [None] * n
    lpips = lpips or LPIPS()
    size = chunk or n
    pieces = []
    for a in range(0, n, size):
        b = min(a + size, n)
        here = operator if b - a == n else part(operator, a, b)
        generators = [torch.Generator().manual_seed(1000 * seed + first + i) for i in range(a, b)]
        given = prior.conditioned(None if labels is None else labels[a:b])
        samples = sampler(given, here, y[a:b], num_samples, generators)
        known = None if observed is None else observed[a:b]
        pieces.append(_compare(samples, truth[a:b], known, here, y[a:b], lpips))
    return join([quality for quality, _ in pieces]), torch.cat([x for _, x in pieces], 1)


def _compare(
    samples: Samples, truth: Tensor, observed: Tensor | None, operator: Operator, y: Tensor, lpips: LPIPS
) -> tuple[Quality, Tensor]:
    x = samples.images.detach()
    with torch.no_grad():
        error = observed_error(operator(x), y.to(x), operator.observed).cpu()
        x = x.cpu()
        clipped = x.clamp(-1, 1)
        composite = clipped if observed is None else torch.where(observed, truth, clipped)
        raw = lpips(clipped, truth)
        hole = torch.zeros(len(truth), 1, 1, 1, dtype=torch.bool) if observed is None else observed
        values = {
            "lpips_raw": raw.mean(0),
            "lpips_composite": (raw if observed is None else lpips(composite, truth)).mean(0),
            "psnr": psnr(composite, truth).mean(0),
            "observed_error": error.mean(0),
            "diversity": diversity(x, hole) if len(x) > 1 else torch.zeros(len(truth)),
        }
    quality = Quality(
        **{k: v.tolist() for k, v in values.items()},
        calls=sum(samples.calls.values()) / len(x),
        seconds=sum(samples.seconds.values()) / len(truth),
    )
    return quality, x


def part(operator: Operator, start: int, stop: int) -> Operator:
    """The operator of the images start ... stop - 1 alone.

    Its own ``part(start, stop)``, where it has one. Otherwise known are :class:`~vipaint_pyro.measurements.inpainting.Inpainting`,
    :class:`~vipaint_pyro.measurements.matrix.Matrix`, and what measures all its images alike and says their number as
    ``num_images``: every restoration of this package.

    Raises:
        TypeError: for any other operator.
    """
    if hasattr(operator, "part"):
        return operator.part(start, stop)
    if isinstance(operator, Inpainting):
        return Inpainting(operator.observed[start:stop])
    if isinstance(operator, Matrix):
        return Matrix(operator.matrix[start:stop], operator.image_shape)
    if hasattr(operator, "num_images"):
        fewer = copy(operator)
        fewer.observed = operator.observed[start:stop]
        fewer.num_images = len(fewer.observed)
        return fewer
    raise TypeError(
        f"{type(operator).__name__} has no method part(start, stop), the operator of some of its images: "
        "give it one, or evaluate all images at once (chunk=None)"
    )


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
    v = torch.tensor(values, dtype=torch.float64)
    return v.mean().item(), (v.std() / math.sqrt(len(v))).item() if len(v) > 1 else math.nan


def paired(a: Sequence[float], b: Sequence[float]) -> tuple[float, float]:
    """Mean of a - b image by image, and its standard error: two methods on the same images."""
    return mean_and_error([x - y for x, y in zip(a, b, strict=True)])
