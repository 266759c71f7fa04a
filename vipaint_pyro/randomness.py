r"""Seeded noise, one stream per image, without touching the global random state."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from pyro.poutine.messenger import Messenger
from torch import Tensor

__all__ = ["Draws", "NoiseStreams", "PerImageNoise", "isolated"]


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
        many = isinstance(generators, (list, tuple))
        for g in generators if many else [generators]:
            if g is not None and not isinstance(g, torch.Generator):
                raise TypeError(
                    f"generator is a torch.Generator or a list of them, not {type(g).__name__}; "
                    "for a seed write torch.Generator().manual_seed(seed)"
                )
        if many and len(generators) != num_images:
            raise ValueError(f"{len(generators)} generators for {num_images} images: give one each")
        self.num_images = num_images
        self._many = list(generators) if many else None
        self._one = None if many else generators

    def normal(self, shape: Sequence[int], dim: int, like: Tensor) -> Tensor:
        """Noise of this shape, ``dim`` being the axis of the images, where ``like`` is.

        It is drawn where the generator lives, so that a CPU generator gives the same noise
        whatever the device.
        """
        if self._many is None:
            return self._draw(shape, self._one, like)
        part = list(shape)
        part[dim] = 1
        return torch.cat([self._draw(part, g, like) for g in self._many], dim)

    def uniform(self, like: Tensor) -> Tensor:
        """One number per image, uniform on [0, 1), with shape (N,)."""
        many = self._many or [self._one] * self.num_images
        drawn = [torch.rand((), generator=g, device="cpu" if g is None else g.device) for g in many]
        return torch.stack([u.to(like.device, like.dtype) for u in drawn])

    def seeds(self) -> list[int]:
        """A seed per image, from its own stream."""
        many = self._many or [self._one] * self.num_images
        return [int(torch.randint(2**62, (), generator=g, device="cpu" if g is None else g.device)) for g in many]

    def states(self, device: torch.device) -> list[Tensor]:
        """Where each generator stands; in place of None the global one of this device."""
        return [_global_state(device) if g is None else g.get_state() for g in self._many or [self._one]]

    def return_to(self, states: Sequence[Tensor], device: torch.device) -> None:
        """Go back to where the generators stood."""
        for g, state in zip(self._many or [self._one], states, strict=True):
            if g is not None:
                g.set_state(state)
            elif device.type == "cuda":
                torch.cuda.set_rng_state(state, device)
            else:
                torch.set_rng_state(state)

    @staticmethod
    def _draw(shape, generator, like):
        device = like.device if generator is None else generator.device
        noise = torch.randn(tuple(shape), generator=generator, device=device, dtype=like.dtype)
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

    def normal(self, shape, dim, like):
        start, stop = self._range
        if shape[0] != stop - start or dim == 0:
            raise ValueError(f"noise of {stop - start} samples has the shape ({stop - start}, ...), not {tuple(shape)}")
        self._return(like.device)
        return super().normal((self._draws.num_samples, *shape[1:]), dim, like)[start:stop]

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


class PerImageNoise(Messenger):
    r"""An effect handler that draws a guide's Gaussian sites from :class:`NoiseStreams`.

    Each image's noise then comes from its own generator, so that its result does not depend on its
    neighbours in the batch. Subsampled plates (the noise levels, shared by the images) are
    stratified: one index from each part of equal size, from a stream of their own with a fixed
    seed. Every index is equally likely, so estimates stay unbiased, with less variance than
    Pyro's random subset.

    The two draws of a plate named "draws" (see ``DiffusionModel.draws``) are antithetic.

    Sites with another distribution than a Gaussian are left to Pyro.
    """

    def __init__(self, streams: NoiseStreams) -> None:
        super().__init__()
        self.streams = streams
        self._levels = torch.Generator().manual_seed(0)

    def _pyro_sample(self, msg) -> None:
        if msg["is_observed"] or msg["done"] or msg["value"] is not None:
            return
        fn = msg["fn"]
        if type(fn).__name__ == "_Subsample":
            msg["value"] = self._stratified(fn.size, fn.subsample_size or fn.size)
            msg["done"] = True
            return
        normal = fn
        # What a transform makes of a Gaussian is none.
        while hasattr(normal, "base_dist") and not isinstance(normal, torch.distributions.TransformedDistribution):
            normal = normal.base_dist
        if isinstance(normal, torch.distributions.Normal):
            noise = self._noise(fn, msg["cond_indep_stack"], normal.loc)
            msg["value"] = normal.loc + normal.scale * noise
            msg["done"] = True

    def _noise(self, fn, plates, like: Tensor) -> Tensor:
        """Noise of fn's shape; along the axis of a plate "draws" of two, xi and -xi."""
        shape, images = list(fn.shape()), len(fn.batch_shape) - 1
        pairs = [len(fn.batch_shape) + p.dim for p in plates if p.name == "draws" and p.size == 2]
        for dim in pairs:
            shape[dim] = 1
        noise = self.streams.normal(shape, images, like)
        for dim in pairs:
            noise = torch.cat([noise, -noise], dim)
        return noise

    def _stratified(self, size: int, n: int) -> Tensor:
        u = (torch.arange(n) + torch.rand((), generator=self._levels)) / n
        return (u * size).long().clamp_max(size - 1)


def _global_state(device: torch.device) -> Tensor:
    return torch.cuda.get_rng_state(device) if device.type == "cuda" else torch.get_rng_state()


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
