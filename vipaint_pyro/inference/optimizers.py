"""Adam for guides: each parameter at a rate of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import pyro

from vipaint_pyro.guides.base import Guide
from vipaint_pyro.settings import checked, number, whole

__all__ = ["decaying_optimizer", "default_optimizer"]

_BETAS = (0.9, 0.99)


def _rate(guide: Callable) -> Callable[[str], float]:
    return guide.learning_rate if isinstance(guide, Guide) else lambda name: 0.05


def default_optimizer(guide: Callable) -> pyro.optim.PyroOptim:
    """Adam with the guide's own rate per parameter, or 0.05 where it names none."""
    rate = _rate(guide)
    return cast(Any, pyro.optim).Adam(lambda name: {"lr": rate(name), "betas": _BETAS})


def decaying_optimizer(
    guide: Callable, num_steps: int, first: float = 10.0, last: float = 0.1
) -> pyro.optim.PyroOptim:
    """The same, its rates falling step by step from ``first`` times to ``last`` times the guide's own.

    Long steps first, then ones so short that the noise of the gradients averages out: for fits of a hundred steps and
    more.

    Args:
        guide: to be fitted.
        num_steps: of the fit.
        first, last: above 0.

    Raises:
        ValueError: for settings that cannot be.
    """
    checked("num_steps", num_steps, whole())
    for name, value in (("first", first), ("last", last)):
        checked(name, value, number(above=0))
    rate, factor = _rate(guide), (last / first) ** (1 / num_steps)
    return cast(Any, pyro.optim.ClippedAdam)(
        lambda name: {"lr": first * rate(name), "lrd": factor, "betas": _BETAS, "clip_norm": float("inf")}
    )
