"""A sampler in words that JSON has."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from vipaint_pyro.places import code_of, is_ours, place_of

__all__ = ["codes_of", "described"]


def described(sampler: Any) -> dict:
    """A sampler's class and the settings that results depend on, as JSON gives them back; with the code of its class,
    and of its guide's, where that is one's own."""
    kind, settings = type(sampler), {name: value for name, value in asdict(sampler).items() if name != "chunk"}
    codes = {f"code of {place}": code for place, code in codes_of(sampler).items()}
    return json.loads(json.dumps({"class": kind.__name__, **settings, **codes}))


def codes_of(sampler: Any) -> dict[str, str]:
    """Of a sampler of one's own and a guide of one's own, place -> what their code hashes to."""
    own = [] if is_ours(type(sampler).__module__) else [place_of(type(sampler))]
    places = (*own, str(vars(sampler).get("guide_name")))
    return {place: code for place in places if (code := code_of(place))}
