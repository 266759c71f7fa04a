"""What a network is: by its class or the one it derives from, whatever it is wrapped in."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from torch import nn

__all__ = ["config_of", "kind_of", "kinds", "offering", "unwrapped"]

_PARALLEL = (nn.DataParallel, nn.parallel.DistributedDataParallel)
#: Networks of diffusers and transformers: a config of theirs is their own, though parts of them may share it.
_OWN_CONFIG = {"ConfigMixin", "PreTrainedModel"}


def unwrapped(network: nn.Module) -> Any:
    """The network inside ``torch.compile``, ``DataParallel``, or a module that shows the config of one it holds."""
    inner = _inside(network)
    while inner is not None:
        network, inner = inner, _inside(inner)
    return network


def _inside(network: nn.Module) -> nn.Module | None:
    """What a wrapper wraps; None for a network itself."""
    if isinstance(network, _PARALLEL):
        return network.module
    if "_orig_mod" in network._modules:  # torch.compile's OptimizedModule
        return network.get_submodule("_orig_mod")
    if not _OWN_CONFIG.isdisjoint(kinds(network)):
        return None
    config = getattr(network, "config", None)
    shown = [m for m in network.children() if config is not None and getattr(m, "config", None) is config]
    return shown[0] if len(shown) == 1 else None


def offering(network: nn.Module, *methods: str) -> Any:
    """The network, or where its wrapper lacks one of these methods, what is inside."""
    there = all(callable(getattr(network, method, None)) for method in methods)
    return network if there else unwrapped(network)


def kinds(thing: object) -> list[str]:
    """The name of its class, and of those that derives from, the nearest first."""
    return [c.__name__ for c in type(thing).__mro__]


def kind_of(network: nn.Module, known: Collection[str]) -> str | None:
    """Which of these classes a network is of, wrapped, derived or neither; None for none."""
    return next((name for name in kinds(unwrapped(network)) if name in known), None)


def config_of(network: nn.Module, what: str, known: Collection[str]) -> Any:
    """The config of a network, whatever it is wrapped in.

    Args:
        network: any object.
        what: it is to be, for the error.
        known: the classes that are known, for the error.

    Raises:
        TypeError: where it is no module, or has no config as diffusers' have; names its class.
    """
    if isinstance(network, nn.Module):
        config = getattr(unwrapped(network), "config", None)
        if isinstance(config, Mapping):
            return config
    raise TypeError(
        f"the {what} is a {type(network).__name__}, which has no config of diffusers' kind; known here are "
        f"{', '.join(known)}, classes derived from them, and these in torch.compile or DataParallel. A module "
        "around one of them shows its config: config = property(lambda self: self.network.config)"
    )
