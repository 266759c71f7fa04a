"""A study: methods compared on images under conditions, one record per image, condition and method."""

from vipaint_pyro.lazily import exporting

_EXPORTS = {
    "Item": "vipaint_pyro.evaluation.study.plan",
    "Job": "vipaint_pyro.evaluation.study.job",
    "Outcome": "vipaint_pyro.evaluation.study.job",
    "Plan": "vipaint_pyro.evaluation.study.plan",
    "Study": "vipaint_pyro.evaluation.study.study",
    "StudyFolder": "vipaint_pyro.evaluation.study.records",
    "compute": "vipaint_pyro.evaluation.study.job",
    "run_local": "vipaint_pyro.evaluation.study.local",
}

__all__ = sorted(_EXPORTS)
__getattr__, __dir__ = exporting(__name__, _EXPORTS)
