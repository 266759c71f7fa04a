"""What a sampler class says that it needs, in its ``method``, is asked of the prior and of the measurement."""

from __future__ import annotations

from collections.abc import Callable

from vipaint_pyro.measurements.inpainting import Inpainting
from vipaint_pyro.measurements.measurement import Measurement
from vipaint_pyro.measurements.operator import LinearOperator
from vipaint_pyro.places import facts_of
from vipaint_pyro.priors.diffusion import DiffusionPrior
from vipaint_pyro.samplers.method import NEEDS
from vipaint_pyro.samplers.own import FACTS

__all__ = ["check_needs"]

#: Whether it is there, and what to say where it is not.
_HAS: dict[str, tuple[Callable[[DiffusionPrior, Measurement], bool], str]] = {
    "mask": (lambda prior, seen: isinstance(seen.operator, Inpainting), "this is no inpainting"),
    "linear": (lambda prior, seen: isinstance(seen.operator, LinearOperator), "y is not linear in the image"),
    "gaussian": (lambda prior, seen: seen.likelihood.sigma is not None, "this is another"),
    "pixel": (lambda prior, seen: not prior.is_latent, "this one is latent"),
    "latent": (lambda prior, seen: prior.is_latent, "this one has no latents"),
}


def check_needs(sampler: object, prior: DiffusionPrior, measurement: Measurement) -> None:
    """Raise ValueError where a prior or a measurement is not what the sampler's class says that it needs."""
    for need in facts_of(type(sampler), "method", FACTS).get("needs", ()):
        there, otherwise = _HAS[need]
        if not there(prior, measurement):
            raise ValueError(f"{type(sampler).__name__} needs {NEEDS[need]}, and {otherwise}")
