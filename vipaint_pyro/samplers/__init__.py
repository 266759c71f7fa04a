"""Samplers: a prior and a measurement in, images out. One file per method."""

from vipaint_pyro.lazily import exporting

_EXPORTS = {
    "DPSSampler": "vipaint_pyro.samplers.dps",
    "REDDiffSampler": "vipaint_pyro.samplers.red_diff",
    "Samples": "vipaint_pyro.samplers.base",
    "VIPaintSampler": "vipaint_pyro.samplers.vipaint.sampler",
    "draw": "vipaint_pyro.inference.draws",
    "timesteps_for": "vipaint_pyro.samplers.vipaint.levels",
}

__all__ = sorted(_EXPORTS)
__getattr__, __dir__ = exporting(__name__, _EXPORTS)
