"""Images whose fit has ended, in a batch that goes on: their parameters and their noise stay where they were."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from vipaint_pyro.guides.base import Guide
from vipaint_pyro.randomness import NoiseStreams

__all__ = ["Resting"]


class Resting:
    """Which images of a fit rest; none at first.

    An image that rests is computed with the others, and nothing of that is kept: what is its own of each parameter
    moves no more, and at the end its stream returns to where it stood. So its result is that of the image alone.

    Args:
        guide: that is fitted. Of more images than one, a :class:`~vipaint_pyro.guides.Guide`, whose
            :meth:`~vipaint_pyro.guides.Guide.share` says what is an image's own.
        streams: noise of each image.
        device: where the global state is that streams of None draw from.
    """

    def __init__(self, guide: Any, streams: NoiseStreams, device: torch.device) -> None:
        self._guide, self._streams, self._device = guide, streams, device
        self._num_images = streams.num_images
        self._rest: dict[int, tuple[int, Tensor | None]] = {}  # after how many steps, and where the stream stood

    @property
    def every(self) -> bool:
        """Whether no image is left to be fitted."""
        return len(self._rest) == self._num_images

    def add(self, images: Tensor, step: int) -> None:
        """Let these images rest as well, bool (N,), from after this step on.

        Raises:
            ValueError: for a tensor of another shape.
            TypeError: of more images than one, for a guide that is no :class:`~vipaint_pyro.guides.Guide`.
        """
        if images.shape != (self._num_images,) or images.dtype != torch.bool:
            raise ValueError(
                f"a callback gives a tensor of bools ({self._num_images},) of images whose fit has ended, or True, "
                f"not {images.dtype} {tuple(images.shape)}"
            )
        chosen = images.nonzero().flatten().tolist()
        if chosen and self._num_images > 1 and not isinstance(self._guide, Guide):
            raise TypeError(
                "the fit of each image ends by itself, which needs a vipaint_pyro.guides.Guide to say what of its "
                f"parameters is an image's own: fit one image at a time, not {self._num_images}"
            )
        states = self._streams.states(self._device) if chosen else []
        for i in chosen:
            # A stream that images share cannot stand in two places.
            self._rest.setdefault(i, (step + 1, states[i] if len(states) == self._num_images else None))

    def state(self) -> dict[str, Tensor]:
        """Who rests, for :meth:`return_to`: after how many steps (N,), 0 of who does not, and where streams stood."""
        steps = [self._rest.get(i, (0, None))[0] for i in range(self._num_images)]
        streams = {str(i): stream for i, (_, stream) in self._rest.items() if stream is not None}
        return {"steps": torch.tensor(steps, dtype=torch.int64, device="cpu"), **streams}

    def return_to(self, state: Mapping[str, Tensor]) -> None:
        """Let those rest who did in :meth:`state`."""
        self._rest = {i: (n, state.get(str(i))) for i, n in enumerate(state["steps"].tolist()) if n}

    @contextmanager
    def kept(self, parameters: Mapping[str, Tensor]) -> Iterator[None]:
        """A block that moves parameters: what is of images that rest is put back.

        Raises:
            ValueError: where a parameter has no part that is an image's own.
        """
        with torch.no_grad():
            shares = [self._guide.share(name, p, i) for name, p in parameters.items() for i in self._rest]
            before = [share.clone() for share in shares]
        yield
        with torch.no_grad():
            for share, value in zip(shares, before, strict=True):
                share.copy_(value)

    def end(self) -> None:
        """The streams of images that rest return to where they stood when they came to rest."""
        now = self._streams.states(self._device) if self._rest else []
        if len(now) == self._num_images:
            there = [self._rest.get(i, (0, state))[1] for i, state in enumerate(now)]
            self._streams.return_to(there, self._device)

    def record(self, made: int, most: int) -> tuple[list[int], list[str]]:
        """Of each image its steps, of so many that were made and at most could be, and why there were no more."""
        images, others = range(self._num_images), "all steps" if made == most else "stopped"
        steps = [self._rest[i][0] if i in self._rest else made for i in images]
        return steps, ["settled" if i in self._rest else others for i in images]
