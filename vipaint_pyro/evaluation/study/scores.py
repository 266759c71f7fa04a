"""Scores of samples of one image whose truth is known."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from vipaint_pyro.evaluation.metrics import diversity, observed_error, psnr
from vipaint_pyro.measurements.inpainting import Inpainting
from vipaint_pyro.measurements.measurement import Measurement

__all__ = ["score"]


def score(images: Tensor, truth: Tensor, measurement: Measurement, lpips_fn: Callable) -> dict:
    """How good samples of one image are.

    Args:
        images: (S, 1, C, H, W), raw.
        truth: (1, C, H, W) in [-1, 1].
        measurement: of the image.
        lpips_fn: of images (*, C, H, W) to the truth.

    Returns:
        Lists with a value per sample, and floats; see the records of a study.
    """
    operator, completed = measurement.operator, isinstance(measurement.operator, Inpainting)
    known = operator.observed if completed else torch.zeros(1, 1, 1, 1, dtype=torch.bool, device="cpu")
    with torch.no_grad():
        clipped = images.clamp(-1, 1)
        composite = torch.where(known, truth, clipped)
        raw = lpips_fn(clipped, truth)
        values = {
            "lpips_raw": raw,
            "lpips_composite": lpips_fn(composite, truth) if completed else raw,
            "psnr": psnr(composite, truth),
            "observed_error": observed_error(operator(images), measurement.y, operator.observed),
        }
        spread = float(diversity(images, known)) if len(images) > 1 else 0.0
    return {**{k: v[:, 0].tolist() for k, v in values.items()}, "diversity": spread, "lpips_diversity": None}
