"""How good are samples: metrics, comparisons, tables."""

from vipaint_pyro.lazily import exporting

_EXPORTS = {
    "Estimate": "vipaint_pyro.evaluation.quality",
    "Quality": "vipaint_pyro.evaluation.quality",
    "evaluate": "vipaint_pyro.evaluation.quality",
    "join": "vipaint_pyro.evaluation.quality",
    "mean_and_error": "vipaint_pyro.evaluation.quality",
    "paired": "vipaint_pyro.evaluation.quality",
}

__all__ = sorted(_EXPORTS)
__getattr__, __dir__ = exporting(__name__, _EXPORTS)
