"""How many samples are drawn at once: a setting that changes what a run needs in memory, and no result."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from vipaint_pyro.settings import setting, whole

__all__ = ["CHUNK", "chunk_for", "chunk_setting"]

#: At least so many samples are drawn at once where nothing else is asked for.
CHUNK = 25


def chunk_for(image_shape: Sequence[int]) -> int:
    """Samples at once by the size of an image: 25, and more of small ones, up to 2^18 entries in all."""
    return max(CHUNK, 2**18 // math.prod(image_shape))


def chunk_setting() -> Any:
    """The field of a sampler's settings."""
    return setting(
        None, whole(), "Samples drawn at once: memory grows with it, results do not change.",
        stands_for="25, of small images more", keyword=True,
    )  # fmt: skip
