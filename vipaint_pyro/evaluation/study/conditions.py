"""Conditions by name: what is measured of an image, and the random streams that an image has of its own."""

from __future__ import annotations

import hashlib

import torch
from torch import Tensor

from vipaint_pyro.evaluation.study.plan import check_condition
from vipaint_pyro.measurements.inpainting import Inpainting
from vipaint_pyro.measurements.likelihoods import Gaussian
from vipaint_pyro.measurements.masks import MASKS
from vipaint_pyro.measurements.measurement import Measurement
from vipaint_pyro.measurements.tasks import TASKS, make_operator, measure

__all__ = ["STREAMS", "described", "measured", "stream"]

#: What an image's random streams are of.
STREAMS = ("mask", "noise", "sampler", "exact")


def stream(seed: int, image: int, what: str) -> torch.Generator:
    """A generator of an image's own, by the study's seed, the image's number and one of :data:`STREAMS`.

    Generators of torch on the CPU tell seeds apart by 32 bits: consecutive ones, as here, are never the same within
    a study.
    """
    start = int.from_bytes(hashlib.sha256(f"vipaint study {seed}".encode()).digest()[:4], "big")
    return torch.Generator().manual_seed((start + len(STREAMS) * image + STREAMS.index(what)) % 2**32)


def measured(condition: str, truth: Tensor, seed: int, image: int) -> Measurement:
    """What is measured of one image under a condition; the same for every method.

    A mask is drawn from the image's own stream, and what it leaves is without noise. A task has its own options and
    noise, whose standard deviation every method is told.

    Args:
        condition: a name of MASKS or of TASKS.
        truth: (1, C, H, W) in [-1, 1].
        seed: of the study.
        image: its number.

    Raises:
        ValueError: for an unknown condition, or an image that it cannot be made for.
    """
    check_condition(condition)
    if condition in MASKS:
        observed = MASKS[condition]((truth.shape[-2], truth.shape[-1]), stream(seed, image, "mask"))
        masked = Inpainting(observed[None])
        return Measurement.of(masked, masked(truth))
    operator = make_operator(condition, tuple(truth.shape[1:]))
    sigma = TASKS[condition].sigma
    return Measurement(operator, Gaussian(sigma), measure(operator, truth, sigma, [stream(seed, image, "noise")]))


def described(condition: str) -> dict:
    """A condition as records have it."""
    task = TASKS.get(condition)
    return {"name": condition, "options": dict(task.options) if task else {}, "sigma": task.sigma if task else None}
