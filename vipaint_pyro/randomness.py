r"""Seeded noise, one stream per image, without touching the global random state."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from pyro.distributions import Delta
from pyro.poutine.messenger import Messenger
from torch import Tensor

from vipaint_pyro.distributions import Estimated, FromNoise
from vipaint_pyro.wording import counted

__all__ = ["NoiseStreams", "PerImageNoise", "drawn_on", "isolated", "usual_defaults"]


def drawn_on(generator: torch.Generator | None) -> torch.device:
    """Where a generator draws; the CPU for the global state."""
    return torch.device("cpu") if generator is None else generator.device


class NoiseStreams:
    """Standard normal noise for N images, each from its own generator.

    Args:
        generators: one for all images, or a list with one per image; None takes the global state.
        num_images: N.

    Raises:
        TypeError: for anything but torch generators.
        ValueError: for a list of another length.
    """

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
            given, images = counted(len(generators), "generator"), counted(num_images, "image")
            raise ValueError(f"{given} for {images}: give one each")
        self.num_images = num_images
        self._many = list(generators) if many else None
        self._one = None if many else generators

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

    @staticmethod
    def _draw(kind, shape, generator, like):
        device = like.device if generator is None else generator.device
        noise = kind(tuple(shape), generator=generator, device=device, dtype=like.dtype)
        return noise.to(like.device)


class PerImageNoise(Messenger):
    r"""An effect handler that draws a guide's sites from :class:`NoiseStreams`.

    Each image's noise then comes from its own generator, so that its result does not depend on its
    neighbours in the batch. Subsampled plates (the noise levels, shared by the images) are
    stratified: one index from each part of equal size, from a stream of their own with a fixed
    seed. Every index is equally likely, so estimates stay unbiased, with less variance than
    Pyro's random subset.

    Densities that are estimated with noise (:class:`~vipaint_pyro.distributions.Estimated`) take it from there too.

    The two draws of a plate named "draws" (see ``DiffusionModel.draws``) are antithetic.

    Gaussian sites and those of a :class:`~vipaint_pyro.distributions.FromNoise` are drawn; of
    others, those of a single image start from a seed of its stream, and those of a batch are left to Pyro.
    """

    def __init__(self, streams: NoiseStreams) -> None:
        super().__init__()
        self.streams = streams
        self._levels = torch.Generator().manual_seed(0)

    def _pyro_sample(self, msg) -> None:
        fn = msg["fn"]
        if isinstance(fn, Estimated):
            fn.streams = self.streams
        if msg["is_observed"] or msg["done"] or msg["value"] is not None:
            return
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
        elif isinstance(normal, FromNoise):
            images = len(normal.batch_shape) - 1
            msg["value"] = normal.from_noise(lambda shape, like: self.streams.normal(shape, images, like))
            msg["done"] = True
        elif self.streams.num_images == 1 and not isinstance(normal, Delta):
            (seed,) = self.streams.seeds()
            with isolated(seed):
                msg["value"] = fn(*msg["args"], **msg["kwargs"])
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
        shift = torch.rand((), generator=self._levels, dtype=torch.float32, device="cpu")
        u = (torch.arange(n, device="cpu") + shift) / n
        return (u * size).long().clamp_max(size - 1)


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
