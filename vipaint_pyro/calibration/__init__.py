"""Is a posterior right? Tests against the truth, against its own weights and against exact ones.

- Against the truths of many problems: :func:`sbc`, :func:`coverage`, :func:`interval_coverage`, :func:`tarp`.
- Against its importance weights: :func:`psis`.
- Against an exact posterior: :func:`mode_total_variation`, :func:`sliced_wasserstein`, :func:`ksd`.

Each returns a frozen dataclass of tensors and numbers that can ``plot(ax)`` itself. Random draws take
a ``generator``, by default a new one with a fixed seed; the global random state is never used.
"""

from vipaint_pyro.calibration.coverage import CoverageResult, coverage, interval_coverage
from vipaint_pyro.calibration.ksd import KSDResult, ksd, stein_kernel
from vipaint_pyro.calibration.modes import ModesResult, mode_total_variation
from vipaint_pyro.calibration.psis import PSISResult, psis
from vipaint_pyro.calibration.sbc import SBCResult, sbc
from vipaint_pyro.calibration.sliced import SlicedWasserstein, sliced_wasserstein
from vipaint_pyro.calibration.tarp import TARPResult, tarp

__all__ = [
    "CoverageResult",
    "KSDResult",
    "ModesResult",
    "PSISResult",
    "SBCResult",
    "SlicedWasserstein",
    "TARPResult",
    "coverage",
    "interval_coverage",
    "ksd",
    "mode_total_variation",
    "psis",
    "sbc",
    "sliced_wasserstein",
    "stein_kernel",
    "tarp",
]
