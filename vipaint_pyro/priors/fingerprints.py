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
    embedder = prior.conditioning.class_embedder  # perhaps a mere function
    embedders = [embedder] if isinstance(embedder, nn.Module) else []
    numbers = prior.denoiser.numbers()
    return fingerprint_of(prior.denoiser.network, prior.codec.network, *embedders, *encoders, numbers=numbers)


def same_weights(first: DiffusionPrior, second: DiffusionPrior) -> bool:
    """Whether two priors are of the same networks, or of equal ones: only of others are the weights looked at."""
    ours, theirs = ([p.denoiser.network, p.codec.network] for p in (first, second))
    shared = all(a is b or (a is not None and b is not None and unwrapped(a) is unwrapped(b))
                 for a, b in zip(ours, theirs))  # fmt: skip
    return (shared and ours[0] is not None) or fingerprint(first) == fingerprint(second)


def fingerprint_of(*networks: nn.Module | None, numbers: Mapping[str, Tensor] | None = None) -> str:
    """A short name of the weights of networks, and of other numbers by name."""
    digest = hashlib.sha256()
    weights = [unwrapped(network).state_dict() for network in networks if network is not None]
    for name, value in chain.from_iterable(held.items() for held in (*weights, numbers or {})):
        flat = value.detach().cpu().contiguous().reshape(-1)
        digest.update(name.encode() + flat.view(torch.uint8).numpy().tobytes())  # NumPy has no bfloat16
    return digest.hexdigest()[:12]
