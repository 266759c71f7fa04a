"""How good are samples: scores, means, studies that compare methods, the paper's figures, exact answers."""

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

__all__ = sorted(_EXPORTS)
__getattr__, __dir__ = exporting(__name__, _EXPORTS)
