"""Networks that are only called: in evaluation mode, their weights out of every gradient, and left as they were."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

__all__ = ["frozen", "in_place", "weights_kept"]

_LOCK = threading.Lock()


class _Hold:
    """What one network was like before, for as many users as there are."""

    def __init__(self, network: nn.Module) -> None:
        modules = list(network.modules())
        self.users, self.network = 0, network
        self.training = [(m, m.training) for m in modules]
        # By owner and name: offloading puts other tensors in their places.
        self.weights = [(m, n) for m in modules for n, p in m._parameters.items() if p is not None and p.requires_grad]
        self.moved = any("_hf_hook" in vars(m) or "_diffusers_hook" in vars(m) for m in modules)

    def freeze(self) -> None:
        if any(training for _, training in self.training):
            self.network.eval()
        for module, name in self.weights:
            module.get_parameter(name).requires_grad_(False)

    def restore(self) -> None:
        for module, training in self.training:
            if module.training != training:
                module.training = training
        for module, name in self.weights:
            module.get_parameter(name).requires_grad_(True)


_HELD: dict[int, _Hold] = {}


@contextmanager
def frozen(network: nn.Module) -> Iterator[bool]:
    """A block in which a network is in evaluation mode and none of its weights takes part in a gradient.

    Afterwards, however it ends, ``training`` of every module and ``requires_grad`` of every weight are what they were.
    Blocks of one network may lie in each other, and in several threads: the outermost looks at every module, those
    inside cost next to nothing.

    Yields:
        Whether something moves or casts the weights between calls (accelerate's and diffusers' offloading, layerwise
        casting), so that a graph needs :func:`weights_kept`.
    """
    key, hold = id(network), None
    try:
        with _LOCK:
            hold = _HELD.get(key) or _HELD.setdefault(key, _Hold(network))
            hold.users += 1
            if hold.users == 1:
                hold.freeze()
        yield hold.moved
    finally:
        with _LOCK:
            if hold is not None:
                hold.users -= 1
                if hold.users == 0:
                    del _HELD[key]
                    hold.restore()


def in_place(network: nn.Module) -> bool:
    """Whether this is inside a :func:`frozen` block of the network that found nothing to move or cast its weights."""
    hold = _HELD.get(id(network))  # a hold keeps its network, so that no other can have the same id
    return hold is not None and not hold.moved


@contextmanager
def weights_kept(network: nn.Module | None) -> Iterator[None]:
    """A call whose graph keeps the weights as they are now, where something moves or casts them afterwards.

    A graph saves a weight itself, and offloading changes what it holds: a backward pass would find it elsewhere, or in
    the precision it is stored in. The price is memory, the weights of every call until its backward pass; with
    gradient checkpointing those of one call, since it saves nothing of the first.
    """
    if network is None:
        yield
        return
    with frozen(network) as moved:
        if not moved or not torch.is_grad_enabled():
            yield
            return
        # Only the innermost hooks are asked: those around, such as gradient checkpointing's, are asked from here.
        around = torch._C._autograd._top_saved_tensors_default_hooks(True)
        pack, unpack = (_itself, _itself) if around is None else around
        with torch.autograd.graph.saved_tensors_hooks(lambda saved: pack(_alias(saved)), unpack):
            yield


def _alias(saved: Tensor) -> Tensor:
    """The numbers that a weight holds now; anything else as it is."""
    return saved.detach() if isinstance(saved, nn.Parameter) else saved


def _itself(saved: Tensor) -> Tensor:
    return saved
