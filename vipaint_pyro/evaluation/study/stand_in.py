"""A prior whose networks cost nothing: how often a method calls them follows from its settings, whatever they say."""

from __future__ import annotations

from contextlib import suppress
from copy import copy
from typing import Any

import torch
from torch import Tensor, nn

from vipaint_pyro.evaluation.study.claims import claimed
from vipaint_pyro.measurements.measurement import Measurement
from vipaint_pyro.places import is_ours
from vipaint_pyro.priors.codecs import Codec
from vipaint_pyro.priors.denoisers import Denoiser
from vipaint_pyro.priors.diffusion import DiffusionPrior
from vipaint_pyro.samplers.base import Sampler

__all__ = ["forward_calls", "stand_in"]


class _Free(Denoiser):
    """In a network's place: shrinks z, so that gradients pass and nothing overflows."""

    def __init__(self, device: torch.device, dtype: torch.dtype) -> None:
        vars(self).update(device=device, dtype=dtype)

    def __call__(self, z: Tensor, t: Tensor, condition: Any = None) -> Tensor:
        return (z / (1 + z.square().mean((-3, -2, -1), keepdim=True))).clamp(-1, 1)


class _FreeCodec(Codec):
    """In an autoencoder's place: repeats and averages pixels."""

    def __init__(self, codec: Codec, latent_channels: int) -> None:
        self.factor, self.channels, self._latent = codec.factor, codec.channels, latent_channels

    def encode(self, x: Tensor) -> Tensor:
        z = nn.functional.avg_pool2d(x, self.factor).mean(1, keepdim=True)
        return z.expand(-1, self._latent, -1, -1)

    def decode(self, z: Tensor) -> Tensor:
        x = nn.functional.interpolate(z.mean(1, keepdim=True), scale_factor=float(self.factor))
        return x.expand(-1, self.channels or self._latent, -1, -1).clamp(-1, 1)


def stand_in(prior: DiffusionPrior) -> DiffusionPrior:
    """The prior with networks that cost nothing in place of its own."""
    new = copy(prior)
    new.denoiser = _Free(prior.device, prior.dtype)
    if prior.is_latent:
        new.codec = _FreeCodec(prior.codec, prior.latent_shape[0])
    return new


def forward_calls(settled: Sampler, prior: DiffusionPrior, measurement: Measurement, num_samples: int) -> float:
    """Forward calls per sample of settings that are settled: as it is claimed, or as a draw of them counts on the
    stand-in, of a class that is not this package's, whatever it is derived from, and where none can be claimed, as of
    VIPaint with another guide."""
    if is_ours(type(settled).__module__):
        with suppress(ValueError):
            return claimed(settled, prior, num_samples).forward
    generator = torch.Generator().manual_seed(0)
    samples = settled.sample(stand_in(prior), measurement.to(prior.device, prior.dtype), num_samples, generator)
    return sum(samples.calls.values()) / num_samples
