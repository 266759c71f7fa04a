"""Samplers: a prior and a measurement in, images out. One file per method."""

from typing import TYPE_CHECKING

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
    "TDSSampler": "vipaint_pyro.samplers.tds",
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

if TYPE_CHECKING:
    from vipaint_pyro.inference.draws import draw as draw
    from vipaint_pyro.samplers.base import Sampler as Sampler
    from vipaint_pyro.samplers.base import Samples as Samples
    from vipaint_pyro.samplers.blended import BlendedSampler as BlendedSampler
    from vipaint_pyro.samplers.copaint import CoPaintSampler as CoPaintSampler
    from vipaint_pyro.samplers.daps import DAPSSampler as DAPSSampler
    from vipaint_pyro.samplers.ddnm import DDNMSampler as DDNMSampler
    from vipaint_pyro.samplers.dps import DPSSampler as DPSSampler
    from vipaint_pyro.samplers.dps import refine as refine
    from vipaint_pyro.samplers.mgdm import MGDMSampler as MGDMSampler
    from vipaint_pyro.samplers.mgps import MGPSSampler as MGPSSampler
    from vipaint_pyro.samplers.mmps import MMPSSampler as MMPSSampler
    from vipaint_pyro.samplers.pigdm import PiGDMSampler as PiGDMSampler
    from vipaint_pyro.samplers.psld import PSLDSampler as PSLDSampler
    from vipaint_pyro.samplers.red_diff import REDDiffSampler as REDDiffSampler
    from vipaint_pyro.samplers.registry import METHODS as METHODS
    from vipaint_pyro.samplers.registry import make_sampler as make_sampler
    from vipaint_pyro.samplers.repaint import RePaintSampler as RePaintSampler
    from vipaint_pyro.samplers.resample import ReSampleSampler as ReSampleSampler
    from vipaint_pyro.samplers.tds import TDSSampler as TDSSampler
    from vipaint_pyro.samplers.tmpd import TMPDSampler as TMPDSampler
    from vipaint_pyro.samplers.vipaint.fitting import fit_guide as fit_guide
    from vipaint_pyro.samplers.vipaint.levels import timesteps_for as timesteps_for
    from vipaint_pyro.samplers.vipaint.sampler import VIPaintSampler as VIPaintSampler
    from vipaint_pyro.samplers.vipaint.saved import load_guide as load_guide
    from vipaint_pyro.samplers.vipaint.saved import save_guide as save_guide

__all__ = sorted(_EXPORTS)
__getattr__, __dir__ = exporting(__name__, _EXPORTS)
