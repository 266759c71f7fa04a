"""The figures of the VIPaint paper (arXiv:2411.18929), drawn again on the built-in priors."""

from typing import TYPE_CHECKING

from vipaint_pyro.lazily import exporting

_EXPORTS = {
    "FIGURES": "vipaint_pyro.evaluation.figures.registry",
    "Drawing": "vipaint_pyro.evaluation.figures.drawing",
    "Figure": "vipaint_pyro.evaluation.figures.registry",
    "Plan": "vipaint_pyro.evaluation.figures.plan",
    "Scene": "vipaint_pyro.evaluation.figures.scene",
    "figure": "vipaint_pyro.evaluation.figures.registry",
}

if TYPE_CHECKING:
    from vipaint_pyro.evaluation.figures.drawing import Drawing as Drawing
    from vipaint_pyro.evaluation.figures.plan import Plan as Plan
    from vipaint_pyro.evaluation.figures.registry import FIGURES as FIGURES
    from vipaint_pyro.evaluation.figures.registry import Figure as Figure
    from vipaint_pyro.evaluation.figures.registry import figure as figure
    from vipaint_pyro.evaluation.figures.scene import Scene as Scene

__all__ = sorted(_EXPORTS)
__getattr__, __dir__ = exporting(__name__, _EXPORTS)
