"""A run: every part of a picture fitted and drawn in turn, then more of the same fits where asked for."""

from __future__ import annotations

from collections.abc import Sequence

import PIL.Image
import torch
from torch import Tensor

from vipaint_pyro.app.asked import Asked
from vipaint_pyro.app.jobs import Job
from vipaint_pyro.app.pieces import Known, Piece
from vipaint_pyro.app.scenes import Scene
from vipaint_pyro.app.turns import Turn
from vipaint_pyro.app.watched import CANCELLED, IN_FIT, Watched
from vipaint_pyro.faults import Fault
from vipaint_pyro.images import to_output
from vipaint_pyro.pipelines.vipaint import VIPaintPipeline
from vipaint_pyro.regions import Filled, Square
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
        turns: one for each part.
        ended: what ended the last call early, in a sentence, or None.

    Raises:
        ValueError, TypeError: for what does not go together, before anything is computed.
    """

    def __init__(
        self, pipe: VIPaintPipeline, knowns: Sequence[Known], asked: Asked, facts: dict, scene: Scene | None = None
    ) -> None:
        self.asked, self.facts, self.scene = asked, facts, scene
        self.ended: str | None = None
        self.turns = [
            Turn(pipe, known, self._asked_of(known, pipe), scene is not None and scene.parts[k].later)
            for k, known in enumerate(knowns)
        ]
        self._seeded = torch.Generator().manual_seed(int(asked.seed))
        self._batches: list[Filled] = []  # of a picture that is filled in squares: what each click has drawn
        self._watched = Watched()

    @classmethod
    def of_scene(cls, pipe: VIPaintPipeline, scene: Scene, asked: Asked, facts: dict) -> Filling:
        """Of a picture with a hole."""
        knowns = [Known(part.unit, part.observed, region=part.region) for part in scene.parts]
        return cls(pipe, knowns, asked, {**facts, **scene.facts}, scene)

    def _asked_of(self, known: Known, pipe: VIPaintPipeline) -> Asked:
        longer = 0 if self.scene is None else max(self.scene.hidden.shape)
        return self.asked.of_square(known.region, longer, pipe.prior.class_names)

    # -- what there is --------------------------------------------------------------------------

    @property
    def in_squares(self) -> bool:
        """Whether a picture is filled square by square, and kept at its size."""
        return self.scene is not None and bool(self.scene.squares)

    @property
    def pieces(self) -> list[Piece]:
        """All that was fitted, or is to be, in turn."""
        return [piece for turn in self.turns for piece in turn.pieces]

    @property
    def count(self) -> int:
        """How many samples there are of all that was filled."""
        return sum(batch.count for batch in self._batches) if self.in_squares else self.turns[0].count

    @property
    def unfilled(self) -> list[Turn]:
        """Whose part of the hole stays as in the picture, in samples that there are."""
        return [turn for turn in self.turns if not turn.count] if self.count else []

    @property
    def ready(self) -> bool:
        """Whether more can be drawn."""
        return all(turn.fitted and turn.count == self.count for turn in self.turns)

    def picture(self, number: int) -> PIL.Image.Image:
        """A sample, of the size of the picture that is filled."""
        if self.scene is None or not self.in_squares:
            output = self.turns[0].pieces[0].output
            assert output is not None
            return to_output(output.images[number][None], "pil")[0]
        for batch in self._batches:
            if number < batch.count:
                return batch.picture(self.scene.base, number)
            number -= batch.count
        raise IndexError("there are fewer samples")

    def glance(self, number: int) -> PIL.Image.Image:
        """What is shown of a sample: of a large picture what lies around a small hole."""
        picture = self.picture(number)
        return picture if self.scene is None else self.scene.glance(picture)

    def glances(self) -> tuple[PIL.Image.Image, ...]:
        """What is shown of all of them."""
        return tuple(self.glance(i) for i in range(self.count))

    def observed(self) -> PIL.Image.Image:
        """What the first part was given."""
        if self.scene is not None:
            return self.scene.parts[0].shown()
        return to_output(self.turns[0].known.restored()[None], "pil")[0]

    # -- what is done ---------------------------------------------------------------------------

    def run(self, job: Job) -> None:
        """Fit and draw; ends early, with what is finished, where the job is stopped."""
        self._draw_all(job, self.asked.samples, fresh=True)
        if not self.ended:
            job.show(text=f"Done: {counted(self.count, 'completion')}.", share=1.0)

    def more(self, count: int, job: Job) -> None:
        """Draw so many more from the same fits; what sees what was filled before is fitted anew for each.

        Raises:
            ValueError: where there is no fit to draw from.
        """
        if self.unfilled:
            raise ValueError("Part of the hole is not filled: fill it again, all of it, before more is drawn")
        if not self.ready:
            raise ValueError("There is no fit to draw from yet: fill the hole first")
        before = self.count
        job.show(samples=self.glances(), losses=self._watched.losses, course=self._watched.course)
        self._draw_all(job, count, fresh=False)
        if not self.ended:
            job.show(text=f"Done: {self.count - before} more, {self.count} in all.", share=1.0)

    def _draw_all(self, job: Job, count: int, fresh: bool) -> None:
        """So many samples of every part, in turn; what ends early keeps some parts in the first call alone."""
        self.ended, old, whole = None, self.count, False
        self._watched.begin(sum(turn.steps(count, not fresh) for turn in self.turns))
        batch = None if self.scene is None or not self.in_squares else self.scene.empty()
        self._batches += [] if batch is None else [batch]
        for turn in self.turns:
            before, square = turn.count, turn.known.region
            try:
                if turn.later and batch is not None and square is not None:
                    self._each(job, turn, square, batch)
                else:
                    self._together(job, turn, count, fresh)
            except Fault as error:
                if self.count == old and turn.count == before:
                    self._even(batch, old)
                    raise
                self.ended = str(error)
            whole = turn.count > before
            if batch is not None and square is not None and whole:
                batch.fill(square, turn.last(turn.count - before))
            if self.ended:
                break
            job.show(samples=self.glances())
        if self.ended:
            if not fresh and not (whole and turn is self.turns[-1]):
                self._even(batch, old)
            self._even(None, self.count)
            self._tell(job, count, old)

    def _even(self, batch: Filled | None, count: int) -> None:
        """As many samples of every part, and none of a batch that is given up."""
        self._batches = [other for other in self._batches if other is not batch]
        for turn in self.turns:
            turn.keep(count)

    def _tell(self, job: Job, count: int, old: int) -> None:
        """What ended the run, and what is kept."""
        made, left, alone = self.count - old, len(self.unfilled), len(self.turns) == 1
        if alone and self.ended and self.ended.startswith(IN_FIT):
            self.ended += ": nothing was drawn yet."
            job.show(text=self.ended + " “More samples” draws from the guide as it is.")
            return
        kept = f"{counted(made, 'sample')} of {count} {'is' if made == 1 else 'are'} kept."
        if left:
            stay = "stays" if left == 1 else "stay"
            kept += f" {counted(left, 'square')} of {len(self.turns)} {stay} as in the picture."
        self.ended = f"{self.ended}{':' if str(self.ended).startswith(CANCELLED) else '.'} {kept}"
        job.show(text=self.ended, samples=self.glances())

    def _together(self, job: Job, turn: Turn, count: int, fresh: bool) -> None:
        """All samples of a part, from one fit."""
        (piece,), scene, alone = turn.pieces, self.scene, len(self.turns) == 1
        self._watched.place = self._place(turn)

        def shown(x: Tensor) -> list[PIL.Image.Image]:
            return to_output(x, "pil") if scene is None else [scene.glance(scene.whole(one)) for one in x]

        if fresh and self.asked.fits:
            self.ended = self._watched.fit(job, piece, self._seeded)
        if not self.ended:
            # A generator that goes on would leave guides with other sites than Gaussian ones the same draws again.
            own = self._seeded if fresh else torch.Generator().manual_seed(self._seed())
            self.ended = self._watched.draw(job, piece, count, own, shown if alone else None)

    def _each(self, job: Job, turn: Turn, square: Square, batch: Filled) -> None:
        """A part that sees what was filled before it: each sample has a fit, as of ``vipaint inpaint``."""
        views, seen = batch.views(square, turn.known.hole()[0].shape[-1])
        for i, view in enumerate(views):
            seed = self._seed()
            piece, own = turn.seeing(view, seen, seed), torch.Generator().manual_seed(seed)
            self._watched.place = self._place(turn, f", sample {i + 1} of {len(views)}")
            if self.asked.fits:
                self.ended = self._watched.fit(job, piece, own)
            if not self.ended:
                self.ended = self._watched.draw(job, piece, 1, own, None)
            if piece.output is not None:
                turn.add(piece)
            if self.ended:
                return

    def _seed(self) -> int:
        return int(torch.randint(2**62, (), generator=self._seeded, device="cpu"))

    def _place(self, turn: Turn, more: str = "") -> str:
        if len(self.turns) == 1:
            return ""
        return f" (square {self.turns.index(turn) + 1} of {len(self.turns)}{more})"
