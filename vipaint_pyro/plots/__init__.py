"""Pictures of what was drawn: matplotlib figures, without pyplot, so that nothing is shown and no state is kept.

Pictures are tensors in [0, 1], (C, H, W), or PIL images; samples are (S, C, H, W).

- Of a posterior: :func:`samples_figure`, :func:`mean_spread_figure`, :func:`directions_figure`.
- Of a fit: :func:`levels_figure`, :func:`fit_figure`, :func:`bound_figure`.
- Computed alone: :func:`most_different`, :func:`principal_directions`, :func:`bound_terms`.
- Of methods: :func:`quality_by_calls_figure`, :func:`frequencies_figure`.
- Of calibration: :func:`sbc_figure`, :func:`coverage_figure`, :func:`tarp_figure`, :func:`calibration_figure`.
- As PIL images: :func:`grid`, :func:`observed_picture`.
"""

from typing import TYPE_CHECKING

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

if TYPE_CHECKING:
    from vipaint_pyro.plots.bound import bound_figure as bound_figure
    from vipaint_pyro.plots.calibration import calibration_figure as calibration_figure
    from vipaint_pyro.plots.calibration import coverage_figure as coverage_figure
    from vipaint_pyro.plots.calibration import sbc_figure as sbc_figure
    from vipaint_pyro.plots.calibration import tarp_figure as tarp_figure
    from vipaint_pyro.plots.choosing import most_different as most_different
    from vipaint_pyro.plots.directions import directions_figure as directions_figure
    from vipaint_pyro.plots.fit_samples import fit_figure as fit_figure
    from vipaint_pyro.plots.frequencies import FrequencyQuestion as FrequencyQuestion
    from vipaint_pyro.plots.frequencies import frequencies_figure as frequencies_figure
    from vipaint_pyro.plots.levels import levels_figure as levels_figure
    from vipaint_pyro.plots.mean_spread import mean_spread_figure as mean_spread_figure
    from vipaint_pyro.plots.observed import observed_picture as observed_picture
    from vipaint_pyro.plots.principal import Directions as Directions
    from vipaint_pyro.plots.principal import principal_directions as principal_directions
    from vipaint_pyro.plots.quality_by_calls import QualityPanel as QualityPanel
    from vipaint_pyro.plots.quality_by_calls import QualityPoint as QualityPoint
    from vipaint_pyro.plots.quality_by_calls import quality_by_calls_figure as quality_by_calls_figure
    from vipaint_pyro.plots.samples import samples_figure as samples_figure
    from vipaint_pyro.plots.sheets import grid as grid
    from vipaint_pyro.plots.terms import BoundTerm as BoundTerm
    from vipaint_pyro.plots.terms import bound_terms as bound_terms

__all__ = sorted(_EXPORTS)
__getattr__, __dir__ = exporting(__name__, _EXPORTS)
