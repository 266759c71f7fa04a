"""Learning rates that a scheduler of Pyro moves, a step of it after each step of the gradient."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import pyro
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

__all__ = ["optimizer_of", "replayed", "step_schedulers"]


def step_schedulers(optim: pyro.optim.PyroOptim, loss: float) -> None:
    """Step the scheduler of every parameter; nothing where ``optim`` has none.

    Args:
        optim: of the fit, after its own step.
        loss: of that step, which ``ReduceLROnPlateau`` looks at.
    """
    if isinstance(optim, pyro.optim.PyroLRScheduler):
        for scheduler in optim.optim_objs.values():
            _step(scheduler, loss)


def _step(scheduler: LRScheduler, loss: float) -> None:
    if isinstance(scheduler, ReduceLROnPlateau):
        scheduler.step(loss)
    else:
        scheduler.step()


def replayed(made: Any, losses: Sequence[float]) -> Any:
    """What Pyro has just made for a parameter, an optimizer or a scheduler, as after steps with these losses.

    A scheduler's state has functions and numbers of any kind in it, but follows from its own steps.

    Args:
        made: fresh; a scheduler is stepped.
        losses: of the steps that were made.
    """
    if isinstance(made, LRScheduler):
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Detected call of `lr_scheduler.step", UserWarning)
            for loss in losses:
                _step(made, loss)
    return made


def optimizer_of(made: Any) -> Optimizer:
    """The optimizer of what Pyro has made for a parameter."""
    return made.optimizer if isinstance(made, LRScheduler) else made
