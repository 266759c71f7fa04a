"""b, the scale of the Laplace likelihood that a guide is fitted under."""

from __future__ import annotations

import math

from vipaint_pyro.measurements.inpainting import Inpainting
from vipaint_pyro.measurements.measurement import Measurement
from vipaint_pyro.priors.diffusion import DiffusionPrior

__all__ = ["settled_noise_scale"]

#: b of an inpainting where the denoiser is exact: the levels lie higher there, and y has to tell more of them.
EXACT = 0.3


def settled_noise_scale(given: float | None, prior: DiffusionPrior, measurement: Measurement) -> float:
    """What is given; of None d_y / D, entries of y (those that a mask hides included) per image entry, but 0.3 behind a
    mask where the denoiser is exact. 0 stands for the measurement's own likelihood, where it has one.

    Raises:
        ValueError: for 0, or anything where the measurement has its own.
    """
    if not measurement.likelihood.noise_alone:
        if given:
            raise ValueError(
                "this measurement has a likelihood of its own, which knows its noise: leave noise_scale out"
            )
        return 0.0
    if given == 0:
        raise ValueError(f"noise_scale is a finite number, above 0, but is {given}")
    if given is not None:
        return given
    if prior.is_exact and isinstance(measurement.operator, Inpainting):
        return EXACT
    return measurement.y[0].numel() / math.prod(prior.image_shape)
