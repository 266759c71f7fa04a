"""How good are samples: metrics, benchmarks, comparisons, tables."""

from vipaint_pyro.lazily import exporting

_EXPORTS = {
    "Benchmark": "vipaint_pyro.evaluation.benchmarks",
    "Estimate": "vipaint_pyro.samplers.estimate",
    "Kept": "vipaint_pyro.evaluation.records",
    "Quality": "vipaint_pyro.evaluation.quality",
    "compare": "vipaint_pyro.evaluation.engines",
    "completion": "vipaint_pyro.evaluation.benchmarks",
    "evaluate": "vipaint_pyro.evaluation.quality",
    "join": "vipaint_pyro.evaluation.quality",
    "mean_and_error": "vipaint_pyro.evaluation.quality",
    "paired": "vipaint_pyro.evaluation.quality",
    "restoration": "vipaint_pyro.evaluation.benchmarks",
    "sheet": "vipaint_pyro.evaluation.sheets",
    "table": "vipaint_pyro.evaluation.tables",
}

__all__ = sorted(_EXPORTS)
__getattr__, __dir__ = exporting(__name__, _EXPORTS)
