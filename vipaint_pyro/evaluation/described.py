"""A sampler in words that JSON has."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from vipaint_pyro.places import code_of, place_of

__all__ = ["described"]


def described(sampler: Any) -> dict:
    """A sampler's class and the settings that results depend on, as JSON gives them back; with the code of its class,
    and of its guide's, where that is one's own."""
    kind, settings = type(sampler), {name: value for name, value in asdict(sampler).items() if name != "chunk"}
    own = [] if kind.__module__.startswith("vipaint_pyro.") else [place_of(kind)]
    codes = {f"code of {place}": code_of(place) for place in (*own, str(settings.get("guide_name"))) if code_of(place)}
    return json.loads(json.dumps({"class": kind.__name__, **settings, **codes}))
