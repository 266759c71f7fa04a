"""A prior = noise schedule + denoiser + codec."""

from vipaint_pyro.lazily import exporting

_EXPORTS = {
    "DiffusionPrior": "vipaint_pyro.priors.diffusion",
    "NoiseSchedule": "vipaint_pyro.priors.schedules",
}

__all__ = sorted(_EXPORTS)
__getattr__, __dir__ = exporting(__name__, _EXPORTS)
