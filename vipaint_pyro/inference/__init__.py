"""Fitting a guide, drawing from it, and weighing what is drawn."""

from vipaint_pyro.inference.checkpoint import Checkpoints
from vipaint_pyro.inference.clean_image import guide_log_density, guide_samples
from vipaint_pyro.inference.draws import draw
from vipaint_pyro.inference.fit import FitResult, NonFiniteError, fit
from vipaint_pyro.inference.smc import SMC, run_smc
from vipaint_pyro.inference.weights import draw_path, log_importance_weights

__all__ = [
    "SMC",
    "Checkpoints",
    "FitResult",
    "NonFiniteError",
    "draw",
    "draw_path",
    "fit",
    "guide_log_density",
    "guide_samples",
    "log_importance_weights",
    "run_smc",
]
