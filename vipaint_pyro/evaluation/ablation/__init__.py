"""Ablations: a grid of settings, measured on problems whose answer is known or on pictures, in one table."""

from typing import TYPE_CHECKING

from vipaint_pyro.lazily import exporting

_EXPORTS = {
    "Sweep": "vipaint_pyro.evaluation.ablation.outcome",
    "sweep": "vipaint_pyro.evaluation.ablation.sweeps",
}

if TYPE_CHECKING:
    from vipaint_pyro.evaluation.ablation.outcome import Sweep as Sweep
    from vipaint_pyro.evaluation.ablation.sweeps import sweep as sweep

__all__ = sorted(_EXPORTS)
__getattr__, __dir__ = exporting(__name__, _EXPORTS)
