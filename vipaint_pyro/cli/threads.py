"""How long PyTorch's threads wait for each other before they give their core away."""

from __future__ import annotations

import os
import sys
from collections.abc import MutableMapping

__all__ = ["wait_briefly"]

#: Rounds of waiting, of GNU's OpenMP (its default is 300,000): some ten microseconds. On free cores no slower; beside
#: two other processes on two cores a step of the demo's fit took 2.7 s for 17 to 26 s.
_ROUNDS = "10000"


def wait_briefly(environment: MutableMapping[str, str] = os.environ) -> None:
    """Let threads wait briefly, where the environment says nothing of it; to be called before PyTorch is loaded.

    Args:
        environment: of this process, which its workers take over.
    """
    if "torch" not in sys.modules and not environment.keys() & {"GOMP_SPINCOUNT", "OMP_WAIT_POLICY"}:
        environment["GOMP_SPINCOUNT"] = _ROUNDS
