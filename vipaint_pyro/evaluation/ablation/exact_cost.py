"""What rows on exact problems would cost: their calls counted on one problem, the time of a call on all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from vipaint_pyro.evaluation.exact_methods import Lab, draw_named
from vipaint_pyro.exact.problems import mixture_problems
from vipaint_pyro.wording import span

__all__ = ["cost_of"]

#: Of the short runs: steps of the fit and from T_s on, and samples.
_FIT_STEPS, _STEPS, _SAMPLES = 3, 5, 100

Row = tuple[str, Lab, tuple[int, int]]


def cost_of(todo: Sequence[Row], problems: int) -> str:
    """In words: calls of the denoiser, and about how long they take.

    A fit has the same number of calls in every step, and what follows it for every sample. How long a call takes is
    measured once for each guide and cell, on as many problems and samples as there are to be, in few steps.

    Args:
        todo: guide, configuration and cell of each row.
        problems: of each cell.
    """
    calls = seconds = 0.0
    timed: dict[tuple, tuple[float, float]] = {}
    for guide, lab, cell in todo:
        fit, rest = _calls(guide, lab, cell)
        if (guide, cell) not in timed:
            timed[guide, cell] = _timed(guide, lab, cell, problems)
        calls += problems * (fit + rest)
        seconds += problems * (fit * timed[guide, cell][0] + rest * timed[guide, cell][1])
    return f"about {calls:,.0f} calls of the denoiser, which take about {span(seconds)}"


def _calls(guide: str, lab: Lab, cell: tuple[int, int]) -> tuple[float, float]:
    """Calls of the fit, and of all samples after it, of one problem."""
    few = replace(lab, fit_steps=min(_FIT_STEPS, lab.fit_steps), samples=min(_SAMPLES, lab.samples))
    drawn = draw_named(guide, mixture_problems(*cell, range(1), kernel=lab.kernel), few)
    return drawn.fit_calls * lab.fit_steps / few.fit_steps, drawn.calls * lab.samples


def _timed(guide: str, lab: Lab, cell: tuple[int, int], problems: int) -> tuple[float, float]:
    """Seconds of a call of the fit, and of one after it."""
    few = replace(lab, fit_steps=min(_FIT_STEPS, lab.fit_steps), steps=min(_STEPS, lab.steps))
    drawn = draw_named(guide, mixture_problems(*cell, range(problems), kernel=lab.kernel), few)
    of_samples = problems * lab.samples * drawn.calls
    return drawn.fit_seconds / (problems * drawn.fit_calls), drawn.seconds / of_samples
