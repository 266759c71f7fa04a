"""A run: every part of a picture fitted and drawn in turn, then more of the same fits where asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import PIL.Image
import torch
from torch import Tensor

from vipaint_pyro.app.asked import Asked
from vipaint_pyro.app.glimpses import glimpse, worth_a_look
from vipaint_pyro.app.jobs import Job
from vipaint_pyro.app.pieces import Known, Piece
from vipaint_pyro.app.scenes import Scene
from vipaint_pyro.faults import Stopped
from vipaint_pyro.images import to_output
from vipaint_pyro.pipelines.vipaint import VIPaintPipeline
from vipaint_pyro.samplers.run import Progress, Stop
from vipaint_pyro.wording import counted

__all__ = ["Filling"]


class Filling:
    """What is made of a picture.

    Args:
        pipe: the prior's pipeline.
        knowns: of each part what is known.
        asked: of the method.
        facts: what run.json says besides.
        scene: of an inpainting.

    Attributes:
        pieces: one for each part.
        ended: what ended the last call early, in a sentence, or None.

    Raises:
        ValueError, TypeError: for what does not go together, before anything is computed.
    """

    def __init__(
        self, pipe: VIPaintPipeline, knowns: Sequence[Known], asked: Asked, facts: dict, scene: Scene | None = None
    ) -> None:
        self.asked, self.facts, self.scene = asked, facts, scene
        self.ended: str | None = None
        self.pieces = [Piece(pipe, known, asked) for known in knowns]
        self._seeded = torch.Generator().manual_seed(int(asked.seed))
        self._made = self._steps = 0
        self._which = ""
        self._losses: tuple[float, ...] = ()
        self._course: tuple[tuple[int, tuple[PIL.Image.Image, ...]], ...] = ()

    @classmethod
    def of_scene(cls, pipe: VIPaintPipeline, scene: Scene, asked: Asked, facts: dict) -> Filling:
        """Of a picture with a hole."""
        knowns = [Known(part.unit, part.observed, region=part.region) for part in scene.parts]
        return cls(pipe, knowns, asked, {**facts, **scene.facts}, scene)

    # -- what there is --------------------------------------------------------------------------

    @property
    def count(self) -> int:
        """How many samples every part has."""
        return min(0 if piece.output is None else len(piece.output.images) for piece in self.pieces)

    @property
    def ready(self) -> bool:
        """Whether more can be drawn."""
        return all(piece.guide is not None or not self.asked.fits for piece in self.pieces)

    def picture(self, number: int) -> PIL.Image.Image:
        """A sample, of the size of the picture that is filled."""
        squares = [piece.output.images[number] for piece in self.pieces if piece.output is not None]
        return to_output(squares[0][None], "pil")[0] if self.scene is None else self.scene.whole(squares)

    def pictures(self) -> tuple[PIL.Image.Image, ...]:
        """All of them."""
        return tuple(self.picture(i) for i in range(self.count))

    def observed(self) -> PIL.Image.Image:
        """What the first part was given."""
        if self.scene is not None:
            return self.scene.parts[0].shown()
        return to_output(self.pieces[0].known.restored()[None], "pil")[0]

    # -- what is done ---------------------------------------------------------------------------

    def run(self, job: Job) -> None:
        """Fit and draw; ends early, with what is finished, where the job is stopped."""
        self._begin(sum(piece.steps(self.asked.samples, False) for piece in self.pieces))
        for piece in self.pieces:
            if self.asked.fits:
                self._fit(job, piece)
                if self.ended:
                    return
            self._draw(job, piece, self.asked.samples, self._seeded)
            if self.ended:
                return
        job.show(text=f"Done: {counted(self.count, 'completion')}.", share=1.0)

    def more(self, count: int, job: Job) -> None:
        """Draw so many more from the same fits.

        Raises:
            ValueError: where there is no fit to draw from.
        """
        if not self.ready:
            raise ValueError("There is no fit to draw from yet: fill the hole first")
        before = self.count
        job.show(samples=self.pictures(), losses=self._losses, course=self._course)
        self._begin(sum(piece.steps(count, True) for piece in self.pieces))
        for piece in self.pieces:
            # A generator that goes on would leave guides with other sites than Gaussian ones the same draws again.
            seed = int(torch.randint(2**62, (), generator=self._seeded, device="cpu"))
            self._draw(job, piece, count, torch.Generator().manual_seed(seed))
            if self.ended:
                break
        if not self.ended:
            job.show(text=f"Done: {self.count - before} more, {self.count} in all.", share=1.0)

    def _begin(self, steps: int) -> None:
        self._made, self._steps, self.ended = 0, steps, None

    def _step(self, job: Job, text: str, **more: Any) -> None:
        self._made += 1
        job.show(text=text + self._which, share=min(1.0, self._made / max(1, self._steps)), **more)

    def _fit(self, job: Job, piece: Piece) -> None:
        steps = piece.fitter.fit_steps
        losses: list[float] = []
        course: list[tuple[int, tuple[PIL.Image.Image, ...]]] = []
        dims = torch.Size(piece.pipe.prior.latent_shape).numel()
        self._which = self._place(piece)

        def on_step(progress: Progress) -> Stop | None:
            losses.append(cast(float, progress.loss) / dims)
            if worth_a_look(progress.step, steps) and progress.guide is not None:
                seen = glimpse(progress.guide)
                if seen is not None:
                    course.append((progress.step + 1, tuple(to_output(seen, "pil"))))
            text = f"Fitting the guide: step {progress.step + 1} of {steps}"
            self._losses, self._course = tuple(losses), tuple(course)
            self._step(job, text, losses=self._losses, course=self._course)
            return Stop() if job.stopped else None

        piece.fit(self._seeded, on_step)
        self._made = self._made - len(losses) + steps  # a fit may settle before
        if job.stopped:
            self.ended = said = f"Cancelled in the fit, after {len(losses)} of {steps} steps: nothing was drawn yet."
            job.show(text=said + " “More samples” draws from the guide as it is.")

    def _draw(self, job: Job, piece: Piece, count: int, generator: torch.Generator) -> None:
        shown: list[PIL.Image.Image] = []
        old, scene = self.count, self.scene if len(self.pieces) == 1 else None
        self._which = self._place(piece)

        def after() -> None:
            job.check()
            number = min(len(shown) + 1, count)
            self._step(job, f"Drawing sample {number} of {count}")

        def arrived(x: Tensor) -> None:
            shown.extend(to_output(x, "pil") if scene is None else [scene.whole([one]) for one in x])
            job.show(samples=(*job.view.samples[:old], *shown))

        ended = piece.draw(count, generator, after, arrived)
        if ended is None:
            job.show(samples=self.pictures() or job.view.samples)
            return
        kept = f"{counted(self.count - old, 'sample')} of {count} {'is' if self.count - old == 1 else 'are'} kept."
        self.ended = f"Cancelled: {kept}" if isinstance(ended, Stopped) else f"{ended}. {kept}"
        job.show(text=self.ended, samples=self.pictures())

    def _place(self, piece: Piece) -> str:
        if len(self.pieces) == 1:
            return ""
        return f" (square {self.pieces.index(piece) + 1} of {len(self.pieces)})"
