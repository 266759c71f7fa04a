"""One fit at a time: Pyro's stack of handlers and its store of parameters are those of the whole process."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pyro
import torch

__all__ = ["alone", "in_turn"]

_LOCK = threading.RLock()


@contextmanager
def in_turn() -> Iterator[None]:
    """A block that waits for those of other threads: no handler of theirs is on Pyro's stack in it."""
    with _LOCK:
        yield


@contextmanager
def alone() -> Iterator[None]:
    """A block that waits for those of other threads, with a parameter store of its own.

    What is fitted inside keeps its parameters in its module; nothing is left behind in the store, so that a process may
    make any number of calls. ``torch.inference_mode`` around the block is left, since a fit needs gradients.
    """
    with in_turn(), pyro.get_param_store().scope(), torch.inference_mode(False):
        yield
