"""VIPaint as probabilistic programs: diffusion models as Pyro models, posteriors as Pyro guides."""

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

__version__ = "0.2.0"

# Imported when first asked for, so that `import vipaint_pyro` and `vipaint --help` stay light.
_EXPORTS = {
    "DiffusionPrior": "vipaint_pyro.priors.diffusion",
    "FitResult": "vipaint_pyro.inference.fit",
    "LinearMap": "vipaint_pyro.measurements.linear_map",
    "NoiseSchedule": "vipaint_pyro.priors.schedules",
    "NonFiniteError": "vipaint_pyro.faults",
    "Nonlinear": "vipaint_pyro.measurements.nonlinear",
    "OutOfMemory": "vipaint_pyro.faults",
    "VIPaintOutput": "vipaint_pyro.pipelines.vipaint",
    "VIPaintPipeline": "vipaint_pyro.pipelines.vipaint",
    "fit": "vipaint_pyro.inference.fit",
    "load_guide": "vipaint_pyro.samplers.vipaint.saved",
    "make_operator": "vipaint_pyro.measurements.tasks",
    "refine": "vipaint_pyro.samplers.dps",
    "save_guide": "vipaint_pyro.samplers.vipaint.saved",
}

if TYPE_CHECKING:
    from vipaint_pyro.faults import NonFiniteError as NonFiniteError
    from vipaint_pyro.faults import OutOfMemory as OutOfMemory
    from vipaint_pyro.inference.fit import FitResult as FitResult
    from vipaint_pyro.inference.fit import fit as fit
    from vipaint_pyro.measurements.linear_map import LinearMap as LinearMap
    from vipaint_pyro.measurements.nonlinear import Nonlinear as Nonlinear
    from vipaint_pyro.measurements.tasks import make_operator as make_operator
    from vipaint_pyro.pipelines.vipaint import VIPaintOutput as VIPaintOutput
    from vipaint_pyro.pipelines.vipaint import VIPaintPipeline as VIPaintPipeline
    from vipaint_pyro.priors.diffusion import DiffusionPrior as DiffusionPrior
    from vipaint_pyro.priors.schedules import NoiseSchedule as NoiseSchedule
    from vipaint_pyro.samplers.dps import refine as refine
    from vipaint_pyro.samplers.vipaint.saved import load_guide as load_guide
    from vipaint_pyro.samplers.vipaint.saved import save_guide as save_guide

__all__ = sorted(_EXPORTS)

# In a clone that is not installed, or that stands before the installed package on the path (a script or `python -`
# run from its root), guides and models lie beside this folder.
_beside = Path(__file__).parent.parent
if not (Path(__file__).parent / "guides").exists() and (_beside / "guides" / "registry.py").exists():
    __path__.append(str(_beside))


def __getattr__(name: str) -> Any:
    if name in _EXPORTS:
        return getattr(import_module(_EXPORTS[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_EXPORTS})
