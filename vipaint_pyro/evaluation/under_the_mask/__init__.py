"""Completions of cartoon faces against the exact posterior of what may be under the mask."""

from typing import TYPE_CHECKING

from vipaint_pyro.lazily import exporting

_EXPORTS = {
    "Question": "vipaint_pyro.evaluation.under_the_mask.questions",
    "Score": "vipaint_pyro.evaluation.under_the_mask.frequencies",
    "outcomes": "vipaint_pyro.evaluation.under_the_mask.frequencies",
    "score": "vipaint_pyro.evaluation.under_the_mask.frequencies",
}

if TYPE_CHECKING:
    from vipaint_pyro.evaluation.under_the_mask.frequencies import Score as Score
    from vipaint_pyro.evaluation.under_the_mask.frequencies import outcomes as outcomes
    from vipaint_pyro.evaluation.under_the_mask.frequencies import score as score
    from vipaint_pyro.evaluation.under_the_mask.questions import Question as Question

__all__ = sorted(_EXPORTS)
__getattr__, __dir__ = exporting(__name__, _EXPORTS)
