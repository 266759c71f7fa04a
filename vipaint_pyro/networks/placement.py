"""Where a network computes, and in what precision: not always where, and in what, its weights are kept."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

import torch
from torch import nn

from vipaint_pyro.networks.frozen import in_place
from vipaint_pyro.networks.kinds import unwrapped

__all__ = ["device_of", "dtype_of"]

#: How many modules are asked for hooks, which are on nearly every layer where they are on one: of diffusers' networks
#: the first that layerwise casting does not leave out (embeddings of places, norms) is within twenty.
_ASKED = 50


def device_of(network: nn.Module) -> torch.device:
    """Where a network takes its inputs: under offloading where it is brought for a call, not where it waits."""
    if "_hf_hook" in vars(unwrapped(network)):  # accelerate's, of enable_model_cpu_offload and its sequential kin
        for module in network.modules():
            device = getattr(vars(module).get("_hf_hook"), "execution_device", None)
            if device is not None:
                return torch.device(f"cuda:{device}" if isinstance(device, int) else device)
    for hook in _hooks(network, "group_offloading"):
        return torch.device(hook.config.onload_device)
    return next(network.parameters()).device


def dtype_of(network: nn.Module) -> torch.dtype:
    """The precision a network computes in: under layerwise casting not that of its stored weights."""
    for hook in _hooks(network, "layerwise_casting"):
        return hook.compute_dtype
    return next(p.dtype for p in network.parameters() if p.is_floating_point())


def _hooks(network: nn.Module, name: str) -> Iterator[Any]:
    """diffusers' own hooks of a network's modules."""
    if in_place(network):  # a walk at every call would cost as much as everything else beside the network
        return
    for module in islice(network.modules(), _ASKED):
        registry = vars(module).get("_diffusers_hook")
        hook = None if registry is None else registry.get_hook(name)
        if hook is not None:
            yield hook
