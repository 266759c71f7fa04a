"""The figures of the VIPaint paper (arXiv:2411.18929), drawn again on the built-in priors."""

from vipaint_pyro.lazily import exporting

_EXPORTS = {
    "FIGURES": "vipaint_pyro.evaluation.figures.registry",
    "Drawing": "vipaint_pyro.evaluation.figures.drawing",
    "Figure": "vipaint_pyro.evaluation.figures.registry",
    "Plan": "vipaint_pyro.evaluation.figures.plan",
    "Scene": "vipaint_pyro.evaluation.figures.scene",
    "figure": "vipaint_pyro.evaluation.figures.registry",
}

__all__ = sorted(_EXPORTS)
__getattr__, __dir__ = exporting(__name__, _EXPORTS)
