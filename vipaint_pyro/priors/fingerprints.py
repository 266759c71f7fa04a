"""Short names of weights: what was computed with other weights is another result."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from itertools import chain

import torch
from torch import Tensor, nn

from vipaint_pyro.networks.kinds import unwrapped
from vipaint_pyro.priors.diffusion import DiffusionPrior

__all__ = ["fingerprint", "fingerprint_of", "same_weights"]


def fingerprint(prior: DiffusionPrior, *encoders: nn.Module | None) -> str:
    """A short name of a prior's weights: of its network, its codec and what embeds its classes, or of its numbers.

    Args:
        prior: which.
        encoders: of its prompts, which it does not hold itself.
    """
    return fingerprint_of(*_networks(prior), *encoders, numbers=prior.denoiser.numbers())


def same_weights(first: DiffusionPrior, second: DiffusionPrior) -> bool:
    """Whether two priors are of equal networks and numbers, which are looked at only where they are not the same."""
    ours, theirs = _networks(first), _networks(second)
    if len(ours) == len(theirs) and all(a is b for a, b in zip(ours, theirs)):
        if first.denoiser is second.denoiser or first.denoiser.network is not None:  # else it has numbers besides
            return True
    return fingerprint(first) == fingerprint(second)


def _networks(prior: DiffusionPrior) -> list[nn.Module]:
    """All that a prior's answers come from, out of their wrappers."""
    embedder = prior.conditioning.class_embedder  # perhaps a mere function
    embedders = [embedder] if isinstance(embedder, nn.Module) else []
    found = (prior.denoiser.network, prior.codec.network, *embedders)
    return [unwrapped(network) for network in found if network is not None]


def fingerprint_of(*networks: nn.Module | None, numbers: Mapping[str, Tensor] | None = None) -> str:
    """A short name of the weights of networks, and of other numbers by name."""
    digest = hashlib.sha256()
    weights = [unwrapped(network).state_dict() for network in networks if network is not None]
    for name, value in chain.from_iterable(held.items() for held in (*weights, numbers or {})):
        flat = value.detach().cpu().contiguous().reshape(-1)
        digest.update(name.encode() + flat.view(torch.uint8).numpy().tobytes())  # NumPy has no bfloat16
    return digest.hexdigest()[:12]
