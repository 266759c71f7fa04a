"""Which versions a result was computed with."""

from __future__ import annotations

import platform
from functools import lru_cache
from importlib.metadata import version

__all__ = ["versions"]

_PACKAGES = ("vipaint-pyro", "torch", "pyro-ppl", "diffusers", "lpips", "pillow")


@lru_cache(maxsize=1)
def versions() -> dict[str, str]:
    """Package -> version, Python's own among them."""
    return {p: version(p) for p in _PACKAGES} | {"python": platform.python_version()}
