"""VIPaint as probabilistic programs: diffusion models as Pyro models, posteriors as Pyro guides."""

from importlib import import_module
from pathlib import Path

__version__ = "0.1.0"

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

__all__ = sorted(_EXPORTS)

# In a clone that is not installed, or that stands before the installed package on the path (a script or `python -`
# run from its root), guides and models lie beside this folder.
_beside = Path(__file__).parent.parent
if not (Path(__file__).parent / "guides").exists() and (_beside / "guides" / "registry.py").exists():
    __path__.append(str(_beside))


def __getattr__(name: str):
    if name in _EXPORTS:
        return getattr(import_module(_EXPORTS[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_EXPORTS})
