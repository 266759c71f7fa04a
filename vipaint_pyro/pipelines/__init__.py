"""Priors and VIPaint as diffusers pipelines."""

from vipaint_pyro.lazily import exporting

_EXPORTS = {
    "PriorPipeline": "vipaint_pyro.pipelines.prior",
    "VIPaintOutput": "vipaint_pyro.pipelines.vipaint",
    "VIPaintPipeline": "vipaint_pyro.pipelines.vipaint",
}

__all__ = sorted(_EXPORTS)
__getattr__, __dir__ = exporting(__name__, _EXPORTS)
