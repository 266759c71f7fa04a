"""How good samples of several images are: a study's scores, a mean over samples for every image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from vipaint_pyro.evaluation.study.scores import score
from vipaint_pyro.measurements.lpips import shared_lpips
from vipaint_pyro.measurements.measurement import Measurement
from vipaint_pyro.samplers.base import Samples

__all__ = ["Quality", "judged"]


@dataclass(frozen=True)
class Quality:
    """Means over samples; each list has a value per image.

    Attributes:
        lpips_raw, lpips_composite, psnr, observed_error, diversity: as
            :func:`~vipaint_pyro.evaluation.study.scores.score` has them, the diversity of a single sample being 0.
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


def judged(samples: Samples, truth: Tensor, measurement: Measurement) -> Quality:
    """The quality of samples of N images, whose truth is (N, C, H, W) in [-1, 1]."""
    x, lpips = samples.images.detach().cpu(), shared_lpips("alex", None, torch.device("cpu"))
    found: list[Any] = [
        score(x[:, i : i + 1], truth[i : i + 1], measurement.part(i, i + 1), lpips) for i in range(len(truth))
    ]
    return Quality(
        **{name: [sum(s[name]) / len(x) for s in found] for name in _LISTS},
        diversity=[s["diversity"] or 0.0 for s in found],
        calls=sum(samples.calls.values()) / len(x),
        seconds=sum(samples.seconds.values()) / len(truth),
    )


_LISTS = ("lpips_raw", "lpips_composite", "psnr", "observed_error")
