"""Pictures of a run: labelled grids, the levels of the guide, the bound, the spread."""

from vipaint_pyro.lazily import exporting

_EXPORTS = {
    "bound_figure": "vipaint_pyro.plots.bound",
    "grid": "vipaint_pyro.plots.sheets",
    "observed_picture": "vipaint_pyro.plots.observed",
    "spread_figure": "vipaint_pyro.plots.spread",
}

__all__ = sorted(_EXPORTS)
__getattr__, __dir__ = exporting(__name__, _EXPORTS)
