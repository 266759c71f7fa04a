"""Settings of a method at a number of calls per sample."""

from __future__ import annotations

from vipaint_pyro.evaluation.study.specs import known_method
from vipaint_pyro.priors.diffusion import DiffusionPrior

__all__ = ["at_calls"]

#: Those of one call a step.
_PLAIN = ("dps", "blended", "ddnm", "pigdm", "red-diff", "red-diff-v")


def at_calls(name: str, calls: int, prior: DiffusionPrior, num_samples: int) -> dict[str, object]:
    """Settings with which a sample costs about so many forward calls.

    Raises:
        ValueError: for a method that is not known to take one call a step, or more calls than the schedule has times.
    """
    if name not in _PLAIN or "num_steps" not in known_method(name).open():
        raise ValueError(f"{name} cannot be given a number of calls: {', '.join(_PLAIN)} can")
    most = prior.schedule.num_timesteps
    if calls > most:
        raise ValueError(f"{name} makes at most {most} calls on this prior, not {calls}")
    return {"num_steps": calls}
