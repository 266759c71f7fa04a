"""Where a guide's levels lie, by their number K and the noise-to-signal ratios at T_e and T_s."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from vipaint_pyro.guides.registry import Recipe
from vipaint_pyro.priors.schedules import NoiseSchedule
from vipaint_pyro.samplers.vipaint.levels import ratios_on
from vipaint_pyro.settings import checked, whole
from vipaint_pyro.wording import counted

__all__ = ["LEVELS", "ratios_of"]

#: Settings that say so together. The last two are ratios sigma/alpha, which mean the same on every schedule.
LEVELS = ("levels", "T_e", "T_s")


def ratios_of(
    schedule: NoiseSchedule, own: Mapping[int, Sequence[float]], kind: Recipe | None, given: Mapping[str, Any]
) -> tuple[float, ...]:
    """The ratios of a guide's levels.

    Args:
        schedule: which has noise as high and as low.
        own: K -> the ratios that K has by default.
        kind: of guide; None where none is named.
        given: by the names of :data:`LEVELS`, each perhaps None.

    Raises:
        ValueError: for values that are none, that the schedule does not have, or that the guide does not take.
    """
    levels, top, bottom = (given.get(name) for name in LEVELS)
    if levels is not None:
        checked("levels", levels, whole())
    fixed = None if kind is None else kind.levels
    if kind is not None and fixed is not None and levels not in (None, fixed):
        raise ValueError(f"the guide {kind.name!r} is for {counted(fixed, 'level')}, not {levels}")
    return ratios_on(schedule, own, fixed if levels is None else levels, top, bottom)
