"""VIPaint: fit a guide to one measurement, then refine its draws."""

from vipaint_pyro.lazily import exporting

_EXPORTS = {
    "VIPaintSampler": "vipaint_pyro.samplers.vipaint.sampler",
    "timesteps_for": "vipaint_pyro.samplers.vipaint.levels",
}

__all__ = sorted(_EXPORTS)
__getattr__, __dir__ = exporting(__name__, _EXPORTS)
