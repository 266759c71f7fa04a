"""A prior = noise schedule + denoiser + codec."""

from typing import TYPE_CHECKING

from vipaint_pyro.lazily import exporting

_EXPORTS = {
    "DiffusionPrior": "vipaint_pyro.priors.diffusion",
    "NoiseSchedule": "vipaint_pyro.priors.schedules",
}

if TYPE_CHECKING:
    from vipaint_pyro.priors.diffusion import DiffusionPrior as DiffusionPrior
    from vipaint_pyro.priors.schedules import NoiseSchedule as NoiseSchedule

__all__ = sorted(_EXPORTS)
__getattr__, __dir__ = exporting(__name__, _EXPORTS)
