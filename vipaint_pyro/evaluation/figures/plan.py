"""How large a figure is: what it is drawn of, and what may be asked otherwise.

Imports nothing heavy, so that the command line can make its options of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from itertools import pairwise
from typing import Any

from vipaint_pyro.samplers.registry import method
from vipaint_pyro.settings import checked, whole

__all__ = ["Plan"]


NO_USE: Any = None


@dataclass(frozen=True)
class Plan:
    """The size of a figure; None marks what it has no use for.

    Args:
        images: N, how many.
        samples: S, of each image.
        iterations: of fits, ascending.
        methods: names of :data:`vipaint_pyro.samplers.METHODS`, in the order of the columns.
        baseline: one such name, set against VIPaint.
        labels: numbers or names of classes; an empty tuple stands for all, or for ``num_labels`` of them, evenly
            spaced.
        num_labels: how many labels an empty ``labels`` stands for; None for all.
        settings: method -> its settings, where they are not its defaults.
    """

    images: int = NO_USE
    samples: int = NO_USE
    iterations: tuple[int, ...] = NO_USE
    methods: tuple[str, ...] = NO_USE
    baseline: str = NO_USE
    labels: tuple[int | str, ...] = NO_USE
    num_labels: int | None = None
    settings: Mapping[str, Mapping[str, object]] = field(default_factory=dict)

    def options(self) -> tuple[str, ...]:
        """What may be asked otherwise."""
        named = [f.name for f in fields(self) if f.name not in ("num_labels", "settings")]
        return tuple(name for name in named if vars(self)[name] is not None)

    def asked(self, **given: Any) -> Plan:
        """The same, with what is given in place of what is planned.

        Raises:
            ValueError: for what this figure has no use for, a number that cannot be, or a method that there is not.
        """
        for name in given:
            if name not in self.options():
                raise ValueError(f"{name} is of other figures: leave it out, this one has {', '.join(self.options())}")
        plan = replace(self, **given)
        for name in ("images", "samples"):
            if vars(plan)[name] is not None:
                checked(name, vars(plan)[name], whole())
        if plan.iterations is not None:
            _check_iterations(plan.iterations)
        for name in (*(plan.methods or ()), *([plan.baseline] if plan.baseline is not None else [])):
            method(name)
        if plan.baseline == "vipaint":
            raise ValueError("baseline is a method other than vipaint, which it is set against")
        for name in ("methods", "labels"):
            values = vars(plan)[name] or ()
            if name in given and not values:
                raise ValueError(f"{name} is a list of at least one, but is empty")
            if len(set(values)) < len(values):
                raise ValueError(f"{name} is a list of different ones, but is {', '.join(map(str, values))}")
        return plan


def _check_iterations(iterations: tuple[int, ...]) -> None:
    ascending = all(a < b for a, b in pairwise(iterations))
    if not iterations or not ascending or not all(whole().check(k) for k in iterations):
        listed = ",".join(map(str, iterations))
        raise ValueError(f"iterations is a list of ascending whole numbers of at least 1, like 1,50,100, not {listed}")
