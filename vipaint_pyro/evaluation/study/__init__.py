"""A study: methods compared on images under conditions, one record per image, condition and method."""

from typing import TYPE_CHECKING

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

if TYPE_CHECKING:
    from vipaint_pyro.evaluation.study.job import Job as Job
    from vipaint_pyro.evaluation.study.job import Outcome as Outcome
    from vipaint_pyro.evaluation.study.job import compute as compute
    from vipaint_pyro.evaluation.study.local import run_local as run_local
    from vipaint_pyro.evaluation.study.plan import Item as Item
    from vipaint_pyro.evaluation.study.plan import Plan as Plan
    from vipaint_pyro.evaluation.study.records import StudyFolder as StudyFolder
    from vipaint_pyro.evaluation.study.study import Study as Study

__all__ = sorted(_EXPORTS)
__getattr__, __dir__ = exporting(__name__, _EXPORTS)
