"""Which guide VIPaint fits where none is named."""

from __future__ import annotations

from vipaint_pyro.measurements.measurement import Measurement
from vipaint_pyro.measurements.operator import LinearOperator
from vipaint_pyro.priors.diffusion import DiffusionPrior

__all__ = ["default_guide"]


def default_guide(prior: DiffusionPrior, measurement: Measurement) -> str:
    """``"hierarchical-guided"`` where y has the moments that its kernels take y to have; else the paper's own.

    That is for pixel priors, y linear in the image, and noise that is Gaussian or none. Through a decoder it was not
    tried.
    """
    linear = isinstance(measurement.operator, LinearOperator) and not prior.is_latent
    return "hierarchical-guided" if linear and measurement.likelihood.sigma is not None else "hierarchical"
