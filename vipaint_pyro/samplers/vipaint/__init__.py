"""VIPaint: fit a guide to one measurement, then refine its draws."""

from typing import TYPE_CHECKING

from vipaint_pyro.lazily import exporting

_EXPORTS = {
    "VIPaintSampler": "vipaint_pyro.samplers.vipaint.sampler",
    "timesteps_for": "vipaint_pyro.samplers.vipaint.levels",
}

if TYPE_CHECKING:
    from vipaint_pyro.samplers.vipaint.levels import timesteps_for as timesteps_for
    from vipaint_pyro.samplers.vipaint.sampler import VIPaintSampler as VIPaintSampler

__all__ = sorted(_EXPORTS)
__getattr__, __dir__ = exporting(__name__, _EXPORTS)
