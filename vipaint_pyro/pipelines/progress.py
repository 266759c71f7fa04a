"""Progress bars of a pipeline's phases."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from diffusers import DiffusionPipeline

from vipaint_pyro.samplers.run import Progress

__all__ = ["Bars"]


def _settled(progress: Progress) -> str:
    """How many images' fits have ended, in words, where any has."""
    if progress.settled is None or not progress.settled.any():
        return ""
    done, every = int(progress.settled.sum()), len(progress.settled)
    return ", settled" if done == every else f", {done} of {every} images settled"


class Bars:
    """Progress bars, one per phase, under ``set_progress_bar_config``.

    Args:
        pipe: the pipeline.
        totals: phase -> its number of steps.
    """

    def __init__(self, pipe: DiffusionPipeline, totals: Mapping[str, int]) -> None:
        self._pipe, self._totals = pipe, totals
        self._open: dict = {}

    def _bar(self, name: str) -> Any:
        if name not in self._open:
            for bar in self._open.values():  # one phase ends where the next begins
                bar.close()
            self._open[name] = self._pipe.progress_bar(total=self._totals.get(name))
            self._open[name].set_description({"refinement": "refine"}.get(name, name))
        return self._open[name]

    def _show(self, progress: Progress) -> None:
        bar = self._bar(progress.phase)
        if progress.terms:
            total = sum(float(term.mean()) for term in progress.terms.values())
            bar.set_postfix_str(f"-bound {total:.3f} nats/dim{_settled(progress)}", refresh=False)
        bar.update(progress.step + 1 - bar.n if progress.phase == "fit" else 1)  # a fit may go on from a later step
        if progress.settled is not None and progress.settled.all():
            bar.total = bar.n  # there were fewer steps than there might have been
            bar.refresh()

    def __enter__(self):
        return self._show

    def __exit__(self, *error):
        for bar in self._open.values():
            bar.close()
