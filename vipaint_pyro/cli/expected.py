"""What a run will take: how often it calls the network, before it begins; how long, once steps of its fit are timed."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from time import perf_counter
from typing import TYPE_CHECKING, Any

import click
from tqdm import tqdm

from vipaint_pyro.evaluation.study.claims import Claim, claimed
from vipaint_pyro.samplers.vipaint.sampler import VIPaintSampler
from vipaint_pyro.settings import remade
from vipaint_pyro.wording import counted, span

if TYPE_CHECKING:
    from vipaint_pyro.priors.diffusion import DiffusionPrior
    from vipaint_pyro.samplers.base import Sampler

__all__ = ["Expected"]

#: Steps of a fit that are timed, after a first one, which prepares things.
_TIMED = 3


class Expected:
    """Says on stderr, in a line each, what a run will take.

    Args:
        settled: the settings, settled.
        prior: that is called.
        samples: to be drawn; 0 of a fit alone.
        part: of the run, whose time is told, where there are several: "region", "sample".
    """

    def __init__(self, settled: Sampler, prior: DiffusionPrior, samples: int, part: str = "") -> None:
        self._settled, self._prior, self._samples = settled, prior, samples
        self._steps = settled.fit_steps if isinstance(settled, VIPaintSampler) else 0
        self._step, self._rest = self._shares()
        self._start, self._part = 0.0, f" of this {part}" if part else ""

    def _shares(self) -> tuple[Claim | None, Claim | None]:
        """Calls of a step of the fit, and of each sample after it; None where they are not known ahead."""
        count = max(self._samples, 1)
        try:
            if not self._steps:
                return Claim(0, 0), claimed(self._settled, self._prior, count)
            # A fit's calls are shared among the samples, and in proportion to its steps.
            once, twice = (claimed(remade(self._settled, fit_steps=n), self._prior, count) for n in (1, 2))
        except ValueError:
            return None, None
        forward, backward = twice.forward - once.forward, twice.backward - once.backward
        return Claim(forward * count, backward * count), Claim(once.forward - forward, once.backward - backward)

    def say(self) -> None:
        """How often the network is called, where it is."""
        if self._step is None or self._rest is None:
            parts = [f"{counted(n, 'step')} of the {name}" for name, n in self._settled.phases().items()
                     if self._samples or name == "fit"]  # fmt: skip
            for_each = f" for {counted(self._samples, 'sample')}" if self._samples else ""
            if parts:
                click.echo(f"to do: {', then '.join(parts)}{for_each}", err=True)
            return
        fit, each = self._steps * self._step.forward, self._rest.forward
        parts = [f"{counted(self._steps, 'step')} of the fit, {fit:,.0f} calls of the network"] if fit else []
        if self._samples and each:
            parts.append(f"{counted(self._samples, 'sample')} of {each:,.0f} calls of the network each")
        if parts:
            most = "at most " if self._steps and vars(self._settled)["fit_patience"] else ""
            click.echo(f"to do: {most}{', then '.join(parts)}", err=True)

    def after_step(self, step: int, loss: float, terms: Mapping[str, Any]) -> None:
        """Says how much longer it takes, as soon as a few steps of a fit are timed; to be called after each."""
        if step == 0:
            self._start = perf_counter()
        if not self._steps:  # no fit of VIPaint's: of other methods the bar says it
            return
        if step == _TIMED and self._start and self._step is not None and self._rest is not None:
            each = (perf_counter() - self._start) / _TIMED
            steps = self._steps - step - 1 + self._samples * _cost(self._rest) / _cost(self._step)
            # By tqdm, since a progress bar is under way.
            tqdm.write(f"about {span(each * steps)} left{self._part}, as the first steps went", file=sys.stderr)


def _cost(calls: Claim) -> float:
    """In forward calls: the way back through a network takes about two of them."""
    return calls.forward + 2 * calls.backward
