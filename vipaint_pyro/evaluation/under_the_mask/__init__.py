"""Completions of cartoon faces against the exact posterior of what may be under the mask."""

from vipaint_pyro.lazily import exporting

_EXPORTS = {
    "Question": "vipaint_pyro.evaluation.under_the_mask.questions",
    "Score": "vipaint_pyro.evaluation.under_the_mask.frequencies",
    "outcomes": "vipaint_pyro.evaluation.under_the_mask.frequencies",
    "score": "vipaint_pyro.evaluation.under_the_mask.frequencies",
}

__all__ = sorted(_EXPORTS)
__getattr__, __dir__ = exporting(__name__, _EXPORTS)
