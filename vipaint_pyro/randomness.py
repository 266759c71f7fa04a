r"""Seeded noise, one stream per image, without touching the global random state."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import cast

import torch
from torch import Tensor

from vipaint_pyro.wording import counted

__all__ = ["Draws", "NoiseStreams", "drawn_on", "isolated", "one_generator", "usual_defaults"]


def drawn_on(generator: torch.Generator | None) -> torch.device:
    """Where a generator draws; the CPU for the global state."""
    return torch.device("cpu") if generator is None else generator.device


def one_generator(generator: torch.Generator | None) -> torch.Generator | None:
    """The generator as it is; a TypeError where it is none. None is the global state."""
    if generator is not None and not isinstance(generator, torch.Generator):
        raise TypeError(
            f"generator is a torch.Generator, not {type(generator).__name__}; "
            "for a seed write torch.Generator().manual_seed(seed)"
        )
    return generator


class NoiseStreams:
    """Standard normal noise for N images, each from its own generator.

    Args:
        generators: one for all images, or a list with one per image; None takes the global state.
        num_images: N.

    Attributes:
        first: the number of the first sample that is drawn; above 0 for a part of :class:`Draws`.

    Raises:
        TypeError: for anything but torch generators.
        ValueError: for a list of another length.
    """

    first = 0

    def __init__(
        self, generators: torch.Generator | Sequence[torch.Generator] | None, num_images: int
    ) -> None:
        many = list(generators) if isinstance(generators, (list, tuple)) else None
        one = None if many is not None else cast("torch.Generator | None", generators)
        for g in [one] if many is None else many:
            if g is not None and not isinstance(g, torch.Generator):
                raise TypeError(
                    f"generator is a torch.Generator or a list of them, not {type(g).__name__}; "
                    "for a seed write torch.Generator().manual_seed(seed)"
                )
        if many is not None and len(many) != num_images:
            given, images = counted(len(many), "generator"), counted(num_images, "image")
            raise ValueError(f"{given} for {images}: give one each")
        self.num_images = num_images
        self._many, self._one = many, one

    def normal(self, shape: Sequence[int], dim: int, like: Tensor) -> Tensor:
        """Noise of this shape, ``dim`` being the axis of the images, where ``like`` is.

        It is drawn where the generator lives, so that a CPU generator gives the same noise
        whatever the device.
        """
        return self._drawn(torch.randn, shape, dim, like)

    def uniforms(self, shape: Sequence[int], dim: int, like: Tensor) -> Tensor:
        """The same of numbers that are uniform on [0, 1)."""
        return self._drawn(torch.rand, shape, dim, like)

    def _drawn(self, kind: Callable, shape: Sequence[int], dim: int, like: Tensor) -> Tensor:
        if self._many is None:
            return self._draw(kind, shape, self._one, like)
        part = list(shape)
        part[dim] = 1
        return torch.cat([self._draw(kind, part, g, like) for g in self._many], dim)

    def uniform(self, like: Tensor) -> Tensor:
        """One number per image, uniform on [0, 1), with shape (N,)."""
        many = self._many or [self._one] * self.num_images
        drawn = [torch.rand((), generator=g, dtype=torch.float32, device=drawn_on(g)) for g in many]
        return torch.stack([u.to(like.device, like.dtype) for u in drawn])

    def seeds(self) -> list[int]:
        """A seed per image, from its own stream."""
        many = self._many or [self._one] * self.num_images
        return [int(torch.randint(2**62, (), generator=g, device=drawn_on(g))) for g in many]

    def states(self, device: torch.device) -> list[Tensor]:
        """Where each generator stands; in place of None the global one of this device."""
        return [_global_state(device) if g is None else g.get_state() for g in self._many or [self._one]]

    def return_to(self, states: Sequence[Tensor | None], device: torch.device) -> None:
        """Go back to where the generators stood; one whose state is None stays where it is."""
        for g, state in zip(self._many or [self._one], states, strict=True):
            if state is None:
                continue
            if g is not None:
                g.set_state(state)
            elif device.type == "cuda":
                torch.cuda.set_rng_state(state, device)
            else:
                torch.set_rng_state(state)

    @staticmethod
    def _draw(kind, shape, generator, like):
        device = like.device if generator is None else generator.device
        noise = kind(tuple(shape), generator=generator, device=device, dtype=like.dtype)
        return noise.to(like.device)


class Draws:
    """The noise of S samples that are drawn some at a time, the same as if all were drawn at once.

    Every part has to ask for the same noise, in the same order. The first one leaves the streams' states behind, to
    which the next ones return, and each takes its samples out of the noise of all: what is drawn is never kept.

    Args:
        streams: noise of each image.
        num_samples: S.
    """

    def __init__(self, streams: NoiseStreams, num_samples: int) -> None:
        self.streams, self.num_samples = streams, num_samples
        self.states: list[list[Tensor]] = []

    def part(self, start: int, stop: int) -> NoiseStreams:
        """The noise of the samples start ... stop - 1, which is asked for with shapes (stop - start, ...)."""
        return _Part(self, start, stop)


class _Part(NoiseStreams):
    def __init__(self, draws: Draws, start: int, stop: int) -> None:
        vars(self).update(vars(draws.streams))
        self._draws, self._range, self._asked, self.first = draws, (start, stop), 0, start

    def _drawn(self, kind, shape, dim, like):
        start, stop = self._range
        if shape[0] != stop - start or dim == 0:
            raise ValueError(f"noise of {stop - start} samples has the shape ({stop - start}, ...), not {tuple(shape)}")
        self._return(like.device)
        return super()._drawn(kind, (self._draws.num_samples, *shape[1:]), dim, like)[start:stop]

    def uniform(self, like):
        self._return(torch.device("cpu"))
        return super().uniform(like)

    def seeds(self):
        self._return(torch.device("cpu"))
        return super().seeds()

    def _return(self, device: torch.device) -> None:
        """To where the streams stood when the first part asked for the same."""
        known = self._draws.states
        if self._asked < len(known):
            self._draws.streams.return_to(known[self._asked], device)
        else:
            known.append(self._draws.streams.states(device))
        self._asked += 1


def _global_state(device: torch.device) -> Tensor:
    return torch.cuda.get_rng_state(device) if device.type == "cuda" else torch.get_rng_state()


@contextmanager
def usual_defaults() -> Iterator[None]:
    """A block for other packages' code that names no device and no precision: the CPU and float32, as torch starts."""
    before = torch.get_default_dtype()
    try:
        torch.set_default_dtype(torch.float32)
        with torch.device("cpu"):
            yield
    finally:
        torch.set_default_dtype(before)


@contextmanager
def isolated(seed: int | None = None) -> Iterator[None]:
    """A block that leaves the global random state of every device as it found it.

    Args:
        seed: what the global state starts from inside; None goes on from where it is.
    """
    devices = range(torch.cuda.device_count()) if torch.cuda.is_available() else []
    with torch.random.fork_rng(devices=devices):
        if seed is not None:
            torch.manual_seed(seed)
        yield
