"""What an ablation is measured on: the contract that exact problems and pictures keep."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any, ClassVar, Generic, TypeVar

from vipaint_pyro.evaluation.study.titles import Metric
from vipaint_pyro.wording import did_you_mean

__all__ = ["Combination", "Ground", "in_words"]

#: What a row is.
R = TypeVar("R", bound=Hashable)
#: Settings by name; None leaves one to its default.
Combination = Mapping[str, Any]


class Ground(ABC, Generic[R]):
    """What a grid is measured on, where its records are kept, and who computes them.

    A *row* is what a combination of settings comes to; two that come to the same are one row.

    Attributes:
        noun: what it is made of, in words.
        problem: what a record is of, in words.
        about: what may be said of it beside the grid.
        shared: measures that all problems of a row have one value of, so that there is no standard error.
        metrics: measure -> how it is called, and which way is better.
        shown: measures that tables for reading have, if they are there; the first of those is drawn.
    """

    noun: ClassVar[str]
    problem: ClassVar[str]
    about: ClassVar[tuple[str, ...]]
    metrics: ClassVar[Mapping[str, Metric]]
    shown: ClassVar[tuple[str, ...]]
    shared: ClassVar[tuple[str, ...]] = ()

    @property
    @abstractmethod
    def known(self) -> tuple[str, ...]:
        """The settings that a grid may be of."""

    def check_name(self, name: str) -> None:
        """Raise ValueError for a setting there is none of."""
        if name not in self.known:
            hint = did_you_mean(name, (*self.known, *self.about))
            raise ValueError(
                f"{self.noun} have no setting {name!r}. {hint}There are {', '.join(self.known)}; and of the "
                f"{self.problem}s {', '.join(self.about)}"
            )

    def check_measure(self, name: str) -> None:
        """Raise ValueError for a measure there is none of."""
        if name not in self.metrics:
            hint = did_you_mean(name, self.metrics)
            raise ValueError(f"{self.noun} have no measure {name!r}. {hint}There are {', '.join(self.metrics)}")

    @abstractmethod
    def read(self, name: str, text: str) -> object:
        """A setting's value from its text; ValueError where it is none."""

    @abstractmethod
    def row(self, combination: Combination) -> R:
        """What a combination comes to; ValueError or TypeError where it cannot be."""

    def refused(self, rows: Sequence[R]) -> dict[R, str]:
        """Of rows, those that cannot be after all, and why."""
        return {}

    @abstractmethod
    def check(self, rows: Sequence[R]) -> None:
        """Raise ValueError where the folder cannot keep these rows."""

    @abstractmethod
    def done(self, rows: Sequence[R]) -> tuple[int, int]:
        """How many of the rows' records are there, and how many there are to be."""

    @abstractmethod
    def cost(self, rows: Sequence[R]) -> str:
        """What those that are not there would cost, in words."""

    @abstractmethod
    def compute(self, rows: Sequence[R], log: Callable[[str], None], workers: int) -> int:
        """Compute what is missing, and keep each record as soon as it is there; how many failed."""

    @abstractmethod
    def records(self, rows: Sequence[R]) -> list[list[dict]]:
        """What was measured of each row: ``on``, ``problem``, ``timesteps``, ``error``, and measures by name."""


def in_words(combination: Combination) -> str:
    """ "guide gaussian, beta 0.3"; without a value that is left to its default."""
    return ", ".join(f"{name} {value}" for name, value in combination.items() if value is not None) or "the defaults"

