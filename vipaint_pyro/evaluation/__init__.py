"""How good are samples: scores, means, studies that compare methods, the paper's figures, exact answers."""

from typing import TYPE_CHECKING

from vipaint_pyro.lazily import exporting

_EXPORTS = {
    "Estimate": "vipaint_pyro.samplers.estimate",
    "Mean": "vipaint_pyro.evaluation.means",
    "fingerprint": "vipaint_pyro.priors.fingerprints",
    "mean_of": "vipaint_pyro.evaluation.means",
    "paired": "vipaint_pyro.evaluation.means",
    "score": "vipaint_pyro.evaluation.study.scores",
    "sweep": "vipaint_pyro.evaluation.ablation.sweeps",
}

if TYPE_CHECKING:
    from vipaint_pyro.evaluation.ablation.sweeps import sweep as sweep
    from vipaint_pyro.evaluation.means import Mean as Mean
    from vipaint_pyro.evaluation.means import mean_of as mean_of
    from vipaint_pyro.evaluation.means import paired as paired
    from vipaint_pyro.evaluation.study.scores import score as score
    from vipaint_pyro.priors.fingerprints import fingerprint as fingerprint
    from vipaint_pyro.samplers.estimate import Estimate as Estimate

__all__ = sorted(_EXPORTS)
__getattr__, __dir__ = exporting(__name__, _EXPORTS)
