"""Completion quality of a sampler over images whose truth is known."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from vipaint_pyro.metrics import LPIPS, diversity, observed_error, psnr
from vipaint_pyro.operators import Inpainting
from vipaint_pyro.priors import DiffusionPrior
from vipaint_pyro.samplers import DPSSampler, VIPaintSampler

__all__ = ["Quality", "evaluate", "mean_and_error", "paired"]


@dataclass
class Quality:
    """Metrics per image, averaged over its samples; each list has one value per image.

    Attributes:
        lpips_raw, lpips_composite: to the truth, without and with the observed pixels put back.
        psnr: in dB, of the composite.
        observed_error: mean absolute error of the raw samples where observed, in units of [-1, 1].
        diversity: standard deviation over samples in the hole, in units of [-1, 1].
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
    sampler: VIPaintSampler | DPSSampler,
    prior: DiffusionPrior,
    truth: Tensor,
    observed: Tensor,
    labels: Sequence[int | None] | None,
    num_samples: int,
    seed: int = 0,
    lpips: LPIPS | None = None,
) -> tuple[Quality, Tensor]:
    """Run a sampler on images and compare it with the truth.

    Each image has a generator of its own, seeded with ``1000 * seed + i``, so that the result of an
    image depends neither on the batch nor on how many images there are.

    Args:
        sampler: the method with its settings.
        prior: not yet conditioned.
        truth: (N, C, H, W) in [-1, 1].
        observed: (N, 1, H, W), True where known.
        labels: class per image; None for none.
        num_samples: S per image.
        seed: of the generators.
        lpips: the distance; by default AlexNet's.

    Returns:
        The quality, and the samples (S, N, C, H, W).
    """
    n = len(truth)
    labels = labels if labels is not None or not prior.num_classes else [None] * n
    generators = [torch.Generator().manual_seed(1000 * seed + i) for i in range(n)]
    operator = Inpainting(observed.to(prior.device))
    y = operator.adjoint(truth.to(prior.device, prior.dtype))
    samples = sampler(prior.conditioned(labels), operator, y, num_samples, generators)
    x = samples.images.detach().cpu()
    composite = torch.where(observed, truth, x.clamp(-1, 1))
    lpips = lpips or LPIPS()
    with torch.no_grad():
        values = {
            "lpips_raw": lpips(x.clamp(-1, 1), truth).mean(0),
            "lpips_composite": lpips(composite, truth).mean(0),
            "psnr": psnr(composite, truth).mean(0),
            "observed_error": observed_error(x, truth, observed).mean(0),
            "diversity": diversity(x, observed) if num_samples > 1 else torch.zeros(n),
        }
    quality = Quality(
        **{k: v.tolist() for k, v in values.items()},
        calls=sum(samples.calls.values()) / num_samples,
        seconds=sum(samples.seconds.values()) / n,
    )
    return quality, x


def mean_and_error(values: Sequence[float]) -> tuple[float, float]:
    """Mean and its standard error over images."""
    v = torch.tensor(values, dtype=torch.float64)
    return v.mean().item(), (v.std() / math.sqrt(len(v))).item() if len(v) > 1 else math.nan


def paired(a: Sequence[float], b: Sequence[float]) -> tuple[float, float]:
    """Mean of a - b image by image, and its standard error: two methods on the same images."""
    return mean_and_error([x - y for x, y in zip(a, b, strict=True)])
