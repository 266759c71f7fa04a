"""A part of a picture in its turn: one fit for all samples, or where it sees what others have filled one for each."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from vipaint_pyro.app.asked import Asked
from vipaint_pyro.app.pieces import Known, Piece
from vipaint_pyro.pipelines.vipaint import VIPaintPipeline

__all__ = ["Turn"]


class Turn:
    """A part.

    Args:
        pipe: the prior's pipeline.
        known: what is known before anything is filled.
        asked: of the method.
        later: whether it sees what other parts fill, another thing in each sample.

    Attributes:
        pieces: one that has all samples; of a later part one for each, in their order.

    Raises:
        ValueError, TypeError: for what does not go together.
    """

    def __init__(self, pipe: VIPaintPipeline, known: Known, asked: Asked, later: bool) -> None:
        self.known, self.later = known, later
        self._pipe, self._asked = pipe, replace(asked, samples=1) if later else asked
        self._first = Piece(pipe, known, self._asked)
        self.pieces = [] if later else [self._first]

    @property
    def count(self) -> int:
        """How many samples there are."""
        return sum(0 if piece.output is None else len(piece.output.images) for piece in self.pieces)

    @property
    def fitted(self) -> bool:
        """Whether more can be drawn; a later part is fitted anew for them."""
        return self.later or self._first.guide is not None or not self._asked.fits

    def steps(self, count: int, fitted: bool) -> int:
        """How many steps so many samples take, after the fit or with it."""
        return count * self._first.steps(1, False) if self.later else self._first.steps(count, fitted)

    def seeing(self, view: np.ndarray, seen: np.ndarray, seed: int) -> Piece:
        """The piece of one sample of a later part, which has to be fitted; its sample counts once it is :meth:`add`-ed.

        Args:
            view: what this sample has, float (C, H, W) in [0, 1] at the prior's size.
            seen: bool (H, W), where it has it.
            seed: of its noise.
        """
        known = replace(self.known, unit=torch.from_numpy(view), observed=torch.from_numpy(seen)[None])
        return Piece(self._pipe, known, replace(self._asked, seed=seed))

    def add(self, piece: Piece) -> None:
        """Take a piece of :meth:`seeing` that has its sample."""
        self.pieces.append(piece)

    def last(self, count: int) -> np.ndarray:
        """The latest so many samples, float (S, C, H, W) in [0, 1]."""
        images = [torch.as_tensor(p.output.images, device="cpu") for p in self.pieces if p.output is not None]
        return torch.cat(images)[-count:].float().numpy()

    def keep(self, count: int) -> None:
        """Give up all samples but the first so many."""
        if self.later:
            del self.pieces[count:]
        elif count < self.count:
            self._first.keep(count)
