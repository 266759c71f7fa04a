"""Priors and VIPaint as diffusers pipelines."""

from typing import TYPE_CHECKING

from vipaint_pyro.lazily import exporting

_EXPORTS = {
    "PriorPipeline": "vipaint_pyro.pipelines.prior",
    "VIPaintOutput": "vipaint_pyro.pipelines.vipaint",
    "VIPaintPipeline": "vipaint_pyro.pipelines.vipaint",
}

if TYPE_CHECKING:
    from vipaint_pyro.pipelines.prior import PriorPipeline as PriorPipeline
    from vipaint_pyro.pipelines.vipaint import VIPaintOutput as VIPaintOutput
    from vipaint_pyro.pipelines.vipaint import VIPaintPipeline as VIPaintPipeline

__all__ = sorted(_EXPORTS)
__getattr__, __dir__ = exporting(__name__, _EXPORTS)
