"""Samplers: a prior and a measurement in, images out. One file per method."""

from vipaint_pyro.lazily import exporting

_EXPORTS = {
    "BlendedSampler": "vipaint_pyro.samplers.blended",
    "CoPaintSampler": "vipaint_pyro.samplers.copaint",
    "DAPSSampler": "vipaint_pyro.samplers.daps",
    "DDNMSampler": "vipaint_pyro.samplers.ddnm",
    "DPSSampler": "vipaint_pyro.samplers.dps",
    "METHODS": "vipaint_pyro.samplers.registry",
    "MGDMSampler": "vipaint_pyro.samplers.mgdm",
    "MGPSSampler": "vipaint_pyro.samplers.mgps",
    "MMPSSampler": "vipaint_pyro.samplers.mmps",
    "PSLDSampler": "vipaint_pyro.samplers.psld",
    "PiGDMSampler": "vipaint_pyro.samplers.pigdm",
    "REDDiffSampler": "vipaint_pyro.samplers.red_diff",
    "RePaintSampler": "vipaint_pyro.samplers.repaint",
    "ReSampleSampler": "vipaint_pyro.samplers.resample",
    "Sampler": "vipaint_pyro.samplers.base",
    "Samples": "vipaint_pyro.samplers.base",
    "TMPDSampler": "vipaint_pyro.samplers.tmpd",
    "VIPaintSampler": "vipaint_pyro.samplers.vipaint.sampler",
    "fit_guide": "vipaint_pyro.samplers.vipaint.fitting",
    "load_guide": "vipaint_pyro.samplers.vipaint.saved",
    "make_sampler": "vipaint_pyro.samplers.registry",
    "refine": "vipaint_pyro.samplers.dps",
    "save_guide": "vipaint_pyro.samplers.vipaint.saved",
    "draw": "vipaint_pyro.inference.draws",
    "timesteps_for": "vipaint_pyro.samplers.vipaint.levels",
}

__all__ = sorted(_EXPORTS)
__getattr__, __dir__ = exporting(__name__, _EXPORTS)
