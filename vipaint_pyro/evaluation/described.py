"""A sampler in words that JSON has."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

__all__ = ["described"]


def described(sampler: Any) -> dict:
    """A sampler's class and the settings that results depend on, as JSON gives them back."""
    settings = {name: value for name, value in asdict(sampler).items() if name != "chunk"}
    return json.loads(json.dumps({"class": type(sampler).__name__, **settings}))
