"""Short names of weights: what was computed with other weights is another result."""

from __future__ import annotations

import hashlib

import torch
from torch import nn

from vipaint_pyro.networks.kinds import unwrapped
from vipaint_pyro.priors.diffusion import DiffusionPrior

__all__ = ["fingerprint", "fingerprint_of"]


def fingerprint(prior: DiffusionPrior, *encoders: nn.Module | None) -> str:
    """A short name of a prior's weights: of its network, its codec and what embeds its classes.

    Args:
        prior: which.
        encoders: of its prompts, which it does not hold itself.
    """
    embedder = prior.conditioning.class_embedder  # perhaps a mere function
    embedders = [embedder] if isinstance(embedder, nn.Module) else []
    return fingerprint_of(prior.denoiser.network, prior.codec.network, *embedders, *encoders)


def fingerprint_of(*networks: nn.Module | None) -> str:
    """A short name of the weights of networks."""
    digest = hashlib.sha256()
    for network in networks:
        for name, value in unwrapped(network).state_dict().items() if network is not None else ():
            flat = value.detach().cpu().contiguous().reshape(-1)
            digest.update(name.encode() + flat.view(torch.uint8).numpy().tobytes())  # NumPy has no bfloat16
    return digest.hexdigest()[:12]
