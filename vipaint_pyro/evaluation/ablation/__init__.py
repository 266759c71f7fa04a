"""Ablations: a grid of settings, measured on problems whose answer is known or on pictures, in one table."""

from vipaint_pyro.lazily import exporting

_EXPORTS = {
    "Sweep": "vipaint_pyro.evaluation.ablation.outcome",
    "sweep": "vipaint_pyro.evaluation.ablation.sweeps",
}

__all__ = sorted(_EXPORTS)
__getattr__, __dir__ = exporting(__name__, _EXPORTS)
