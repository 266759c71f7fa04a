"""Particles of several independent clouds of equal size, held as one axis: S = K n."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor

from vipaint_pyro.randomness import NoiseStreams

__all__ = ["NoiseOfClouds", "apart", "joined"]


def apart(values: Tensor, clouds: int) -> Tensor:
    """Of each particle (K n, N, ...), cloud by cloud: (n, K N, ...), as if every cloud were of an image of its own."""
    return values.unflatten(0, (clouds, -1)).transpose(0, 1).flatten(1, 2)


def joined(values: Tensor, clouds: int) -> Tensor:
    """The other way: (n, K N, ...) as (K n, N, ...)."""
    return values.unflatten(1, (clouds, -1)).transpose(0, 1).flatten(0, 1)


class NoiseOfClouds(NoiseStreams):
    """Noise whose axis of K n particles, that before the images', is drawn as K times n: some of the clouds have their
    part of the noise of all.

    Args:
        streams: a stream per image, or those of the clouds of a chunk.
        clouds: K.
    """

    def __init__(self, streams: NoiseStreams, clouds: int) -> None:
        vars(self).update(vars(streams))
        self._streams, self._clouds = streams, clouds

    def normal(self, shape: Sequence[int], dim: int, like: Tensor) -> Tensor:
        return self._of_clouds(self._streams.normal, shape, dim, like)

    def uniforms(self, shape: Sequence[int], dim: int, like: Tensor) -> Tensor:
        return self._of_clouds(self._streams.uniforms, shape, dim, like)

    def uniform(self, like: Tensor) -> Tensor:
        """One number per cloud and image, with shape (K N,)."""
        return self._streams.uniforms((self._clouds, self.num_images), 1, like).flatten()

    def _of_clouds(self, drawn: Callable, shape: Sequence[int], dim: int, like: Tensor) -> Tensor:
        k, (*others, size), images = self._clouds, shape[:dim], shape[dim:]
        found: Tensor = drawn((k, *others, size // k, *images), dim + 1, like)
        return found.movedim(0, dim - 1).flatten(dim - 1, dim)
