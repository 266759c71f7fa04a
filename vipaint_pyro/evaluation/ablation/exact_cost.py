"""What rows on exact problems would cost: each in short on one problem, and multiplied."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

from vipaint_pyro.evaluation.exact_methods import Lab, draw_named
from vipaint_pyro.evaluation.study.driver import span
from vipaint_pyro.exact.problems import mixture_problems

__all__ = ["cost_of"]

_STEPS, _SAMPLES = 3, 100


def cost_of(todo: Sequence[tuple[str, Lab, tuple[int, int]]], problems: int) -> str:
    """In words: calls of the denoiser, and the time at most.

    A fit has the same number of calls in every step, and what follows it for every sample. The time of one problem is
    multiplied by their number, though the problems of a cell share their steps: it is the most that it may be.

    Args:
        todo: guide, configuration and cell of each row.
        problems: of each cell.
    """
    calls = seconds = 0.0
    for n, (guide, lab, cell) in enumerate(todo):
        few = replace(lab, fit_steps=min(_STEPS, lab.fit_steps), samples=min(_SAMPLES, lab.samples))
        problem = mixture_problems(*cell, range(1), kernel=lab.kernel)
        for _ in range(2 if n == 0 else 1):  # the first call prepares things
            start = time.perf_counter()
            drawn = draw_named(guide, problem, few)
            rest = time.perf_counter() - start - drawn.fit_seconds
        steps, samples = lab.fit_steps / few.fit_steps, lab.samples / few.samples
        calls += problems * (drawn.fit_calls * steps + drawn.calls * lab.samples)
        seconds += problems * (drawn.fit_seconds * steps + rest * samples)
    return f"about {calls:,.0f} calls of the denoiser, at most about {span(seconds)}"
