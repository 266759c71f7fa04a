"""Fits and draws, one after another, that say how far they are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import PIL.Image
import torch
from torch import Tensor

from vipaint_pyro.app.glimpses import glimpse, worth_a_look
from vipaint_pyro.app.jobs import Job
from vipaint_pyro.app.pieces import Piece
from vipaint_pyro.faults import Stopped
from vipaint_pyro.images import to_output
from vipaint_pyro.samplers.run import Progress, Stop

__all__ = ["CANCELLED", "IN_FIT", "Watched"]

CANCELLED = "Cancelled"
IN_FIT = f"{CANCELLED} in the fit"


class Watched:
    """The steps of a run.

    Attributes:
        losses, course: of the latest fit, as a :class:`~vipaint_pyro.app.jobs.View` has them.
        place: which part is at work, said behind each step; empty where there is one.
    """

    def __init__(self) -> None:
        self.losses: tuple[float, ...] = ()
        self.course: tuple[tuple[int, tuple[PIL.Image.Image, ...]], ...] = ()
        self.place = ""
        self._made = self._steps = 0

    def begin(self, steps: int) -> None:
        """A run of so many steps in all."""
        self._made, self._steps = 0, steps

    def fit(self, job: Job, piece: Piece, generator: torch.Generator) -> str | None:
        """Fit a piece; what ended it early, if anything did."""
        steps = piece.fitter.fit_steps
        losses: list[float] = []
        course: list[tuple[int, tuple[PIL.Image.Image, ...]]] = []
        dims = torch.Size(piece.pipe.prior.latent_shape).numel()

        def on_step(progress: Progress) -> Stop | None:
            losses.append(cast(float, progress.loss) / dims)
            if worth_a_look(progress.step, steps) and progress.guide is not None:
                seen = glimpse(progress.guide)
                if seen is not None:
                    course.append((progress.step + 1, tuple(to_output(seen, "pil"))))
            text = f"Fitting the guide: step {progress.step + 1} of {steps}"
            self.losses, self.course = tuple(losses), tuple(course)
            self._step(job, text, losses=self.losses, course=self.course)
            return Stop() if job.stopped else None

        piece.fit(generator, on_step)
        self._made += steps - len(losses)  # a fit may settle before
        return f"{IN_FIT}, after {len(losses)} of {steps} steps{self.place}" if job.stopped else None

    def draw(
        self, job: Job, piece: Piece, count: int, generator: torch.Generator,
        shown: Callable[[Tensor], list[PIL.Image.Image]] | None,
    ) -> str | None:  # fmt: skip
        """Draw so many samples of a piece; what ended it early, if anything did.

        Args:
            job: is told of every step.
            piece: that is fitted, if its method fits.
            count: of samples.
            generator: of their noise.
            shown: what is shown of samples (S, C, H, W) as they arrive, beside those that are shown already; None for
                nothing.
        """
        old, new = job.view.samples, []
        number = 1

        def after() -> None:
            job.check()
            each = f"Drawing sample {min(number, count)} of {count}" if count > 1 or not self.place else "Drawing"
            self._step(job, each)

        def arrived(x: Tensor) -> None:
            nonlocal number
            number += len(x)
            if shown is not None:
                new.extend(shown(x))
                job.show(samples=(*old, *new))

        ended = piece.draw(count, generator, after, arrived)
        return None if ended is None else CANCELLED if isinstance(ended, Stopped) else str(ended)

    def _step(self, job: Job, text: str, **more: Any) -> None:
        self._made += 1
        job.show(text=text + self.place, share=min(1.0, self._made / max(1, self._steps)), **more)
