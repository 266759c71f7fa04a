"""A line that says how far a figure is."""

from __future__ import annotations

from vipaint_pyro.samplers.base import Sampler
from vipaint_pyro.samplers.run import OnStep, Progress

__all__ = ["Watch", "steps_of"]


class Watch:
    """A progress bar for all runs of a figure: its steps are those of the samplers.

    Args:
        quiet: whether there is none.
    """

    def __init__(self, quiet: bool = False) -> None:
        from tqdm import tqdm

        self._bar = tqdm(disable=quiet, unit="step", leave=False, dynamic_ncols=True, mininterval=0.5)

    def expect(self, steps: int) -> None:
        """So many steps are to come, more than were said before."""
        self._bar.total = (self._bar.total or 0) + steps

    def of(self, name: str) -> OnStep:
        """What to call after each step of a run."""

        def on_step(progress: Progress) -> None:
            self._bar.set_description_str(f"{name}: {progress.phase}", refresh=False)
            self._bar.update()

        return on_step

    def __enter__(self) -> Watch:
        return self

    def __exit__(self, *error: object) -> None:
        self._bar.close()


def steps_of(sampler: Sampler, num_samples: int) -> int:
    """How many steps a settled sampler reports."""
    chunks = -(-num_samples // sampler.at_once(num_samples))
    return sum(n * (1 if phase == "fit" else chunks) for phase, n in sampler.phases().items())
