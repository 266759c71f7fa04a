"""Each image's noise from its own generator: a handler around guides and models."""

from __future__ import annotations

from typing import Any

import torch
from pyro.distributions import Delta
from pyro.poutine.messenger import Messenger
from torch import Tensor

from vipaint_pyro.distributions import Estimated, FromNoise
from vipaint_pyro.randomness import NoiseStreams, isolated

__all__ = ["PerImageNoise"]


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

    Attributes:
        streams: noise of each image.
        levels: what indices of subsampled plates are drawn from.
    """

    def __init__(self, streams: NoiseStreams) -> None:
        super().__init__()
        self.streams = streams
        self.levels = torch.Generator().manual_seed(0)

    def _pyro_sample(self, msg: Any) -> None:
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

    def _noise(self, fn: Any, plates: Any, like: Tensor) -> Tensor:
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
        shift = torch.rand((), generator=self.levels, dtype=torch.float32, device="cpu")
        u = (torch.arange(n, device="cpu") + shift) / n
        return (u * size).long().clamp_max(size - 1)
