"""Restoration tasks by name: the operator and the noise level of each."""

from __future__ import annotations

import numbers
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from vipaint_pyro.measurements.blurs import GaussianBlur, MotionBlur
from vipaint_pyro.measurements.checks import check_images
from vipaint_pyro.measurements.grayscale import Grayscale
from vipaint_pyro.measurements.measurement import check_operator
from vipaint_pyro.measurements.operator import Operator
from vipaint_pyro.measurements.super_resolution import SuperResolution
from vipaint_pyro.randomness import NoiseStreams
from vipaint_pyro.tensors import check_device, check_tensor
from vipaint_pyro.wording import shown

__all__ = ["TASKS", "Task", "check_sigma", "make_operator", "measure"]


@dataclass(frozen=True)
class Task:
    """A measurement that can be asked for by name.

    Args:
        operator: called with ``image_shape``, ``num_images``, ``device`` and the options.
        text: one line for people.
        options: each option's name and its default.
        sigma: standard deviation of the noise, in units of images in [-1, 1].
    """

    operator: Callable[..., Operator]
    text: str
    options: Mapping[str, object] = field(default_factory=dict)
    sigma: float = 0.05


#: By name. Super-resolution and deblurring are as in VIPaint's code (arXiv:2411.18929), for images of 256 x 256
#: pixels: its settings are in pixels and are not scaled to smaller images. The other two are not in the paper;
#: they take its noise. A kernel larger than the image is no obstacle: see :mod:`vipaint_pyro.measurements.blurs`.
TASKS: dict[str, Task] = {
    "super-resolution": Task(
        SuperResolution, "reduced to 1 / scale of its size", {"scale": 4, "method": "bicubic"}
    ),
    "deblur": Task(GaussianBlur, "blurred by a Gaussian", {"kernel_size": 61, "std": 3.0}),
    "motion-deblur": Task(
        MotionBlur, "blurred by a straight motion", {"length": None, "angle": 45.0, "kernel_size": None}
    ),
    "colorization": Task(Grayscale, "seen in grey"),
}  # fmt: skip


def make_operator(
    task: str,
    image_shape: Sequence[int],
    num_images: int = 1,
    *,
    device: torch.device | str | None = None,
    **options: Any,
) -> Operator:
    """The operator of a task.

    Args:
        task: a name in :data:`TASKS`.
        image_shape: (C, H, W).
        num_images: N.
        device: of ``observed``.
        options: of the task, in place of its defaults.

    Raises:
        ValueError: for an unknown task, an option that the task has not, or a value that the operator refuses.
    """
    if not isinstance(task, str) or task not in TASKS:
        raise ValueError(f"unknown task {shown(task)}: known are {', '.join(TASKS)}")
    known = TASKS[task].options
    unknown = [name for name in options if name not in known]
    if unknown:
        takes = f"its options are {', '.join(known)}" if known else "it has none"
        raise ValueError(f"{task} has no option {unknown[0]!r}: {takes}")
    image_shape, num_images = check_images(image_shape, num_images)
    check_device(device)
    return TASKS[task].operator(image_shape, **{**known, **options}, num_images=num_images, device=device)


def check_sigma(sigma: float) -> float:
    """The noise level as a float.

    Raises:
        ValueError: where it does not lie in (0, 1], in units of images in [-1, 1].
    """
    if isinstance(sigma, bool) or not isinstance(sigma, numbers.Real) or not 0 < sigma <= 1:
        said = shown(sigma)
        raise ValueError(f"sigma, the noise's standard deviation on images in [-1, 1], is in (0, 1], but is {said}")
    return float(sigma)


def measure(
    operator: Operator,
    x: Tensor,
    sigma: float,
    generator: torch.Generator | Sequence[torch.Generator] | None = None,
) -> Tensor:
    r"""A draw of :math:`y = A x + \sigma \epsilon` where observed, and 0 elsewhere.

    Args:
        operator: of N images.
        x: images (*, N, C, H, W) in [-1, 1].
        sigma: in (0, 1], in units of images in [-1, 1].
        generator: one, or a list with one per image; None takes the global state.

    Returns:
        Measurements (*, N, C', H', W').

    Raises:
        ValueError: for a sigma out of range, or another number of images than the operator's.
    """
    check_operator(operator)
    check_tensor("x", x, "(*, N, C, H, W)")
    sigma, n = check_sigma(sigma), operator.observed.shape[0]
    if x.ndim < 4 or x.shape[-4] != n or not operator.fits(x.shape[-3:]):
        seen = tuple(operator.image_shape)
        raise ValueError(
            f"x has shape (*, {n}, C, H, W) for this operator, of images {seen}, but came with {tuple(x.shape)}"
        )
    y = operator(x)
    noise = NoiseStreams(generator, n).normal(y.shape, y.ndim - 4, y)
    return torch.where(operator.observed, y + sigma * noise, 0)
