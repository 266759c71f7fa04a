"""Pictures of what was drawn: matplotlib figures, without pyplot, so that nothing is shown and no state is kept.

Pictures are tensors in [0, 1], (C, H, W), or PIL images; samples are (S, C, H, W).

- Of a posterior: :func:`samples_figure`, :func:`mean_spread_figure`, :func:`directions_figure`.
- Of a fit: :func:`levels_figure`, :func:`fit_figure`, :func:`bound_figure`.
- Computed alone: :func:`most_different`, :func:`principal_directions`, :func:`bound_terms`.
- Of methods: :func:`quality_by_calls_figure`, :func:`frequencies_figure`.
- Of calibration: :func:`sbc_figure`, :func:`coverage_figure`, :func:`tarp_figure`, :func:`calibration_figure`.
- As PIL images: :func:`grid`, :func:`observed_picture`.
"""

from vipaint_pyro.lazily import exporting

_EXPORTS = {
    "BoundTerm": "vipaint_pyro.plots.terms",
    "Directions": "vipaint_pyro.plots.principal",
    "FrequencyQuestion": "vipaint_pyro.plots.frequencies",
    "QualityPanel": "vipaint_pyro.plots.quality_by_calls",
    "QualityPoint": "vipaint_pyro.plots.quality_by_calls",
    "bound_figure": "vipaint_pyro.plots.bound",
    "bound_terms": "vipaint_pyro.plots.terms",
    "calibration_figure": "vipaint_pyro.plots.calibration",
    "coverage_figure": "vipaint_pyro.plots.calibration",
    "directions_figure": "vipaint_pyro.plots.directions",
    "fit_figure": "vipaint_pyro.plots.fit_samples",
    "frequencies_figure": "vipaint_pyro.plots.frequencies",
    "grid": "vipaint_pyro.plots.sheets",
    "levels_figure": "vipaint_pyro.plots.levels",
    "mean_spread_figure": "vipaint_pyro.plots.mean_spread",
    "most_different": "vipaint_pyro.plots.choosing",
    "observed_picture": "vipaint_pyro.plots.observed",
    "principal_directions": "vipaint_pyro.plots.principal",
    "quality_by_calls_figure": "vipaint_pyro.plots.quality_by_calls",
    "samples_figure": "vipaint_pyro.plots.samples",
    "sbc_figure": "vipaint_pyro.plots.calibration",
    "tarp_figure": "vipaint_pyro.plots.calibration",
}

__all__ = sorted(_EXPORTS)
__getattr__, __dir__ = exporting(__name__, _EXPORTS)
