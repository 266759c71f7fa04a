"""How long squares that are still to come will take, as those before them went."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from vipaint_pyro.wording import counted, span

if TYPE_CHECKING:
    from vipaint_pyro.regions import Square

__all__ = ["Left"]


class Left:
    """What is said of the squares of a picture that are to come.

    Args:
        squares: in turn; one that sees what others fill has a fit for each sample.
        samples: how many there are of each.
    """

    def __init__(self, squares: Sequence[Square], samples: int) -> None:
        self._fits = [
            samples if any(square.sees(before) for before in squares[:k]) else 1 for k, square in enumerate(squares)
        ]
        self._seconds: list[float] = []

    def at_first(self) -> str | None:
        """How many fits there will be; None where each square has one."""
        several = [fits for fits in self._fits if fits > 1]
        if not several:
            return None
        once = len(self._fits) - len(several)
        return (
            f"{counted(len(self._fits), 'region')}: {once} with one fit, {len(several)} with a fit for each of "
            f"{counted(several[0], 'sample')}: {sum(self._fits)} fits"
        )

    def after(self, seconds: float) -> str | None:
        """What is left of all once the next square has taken so long; None after the last.

        A square like those that were timed takes their mean time, and one with more fits than any of them at most so
        many times as long.
        """
        self._seconds.append(seconds)
        done, to_come = self._fits[: len(self._seconds)], self._fits[len(self._seconds) :]
        if not to_come:
            return None
        taken = {fits: [s for f, s in zip(done, self._seconds) if f == fits] for fits in done}
        each = {fits: sum(times) / len(times) for fits, times in taken.items()}
        unknown = set(to_come) - set(each)
        each |= {fits: min(mean * fits / known for known, mean in each.items()) for fits in unknown}
        most = "at most " if unknown else ""
        left = f"{counted(len(to_come), 'region')} that {'is' if len(to_come) == 1 else 'are'} left"
        return f"{most}about {span(sum(each[fits] for fits in to_come))} for the {left}, as those before went"
