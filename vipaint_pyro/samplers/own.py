"""Methods of one's own: a sampler class, or where it lies, ``package.module:Class``.

A class says what its table has to know by its attribute ``method``, some of the fields of a
:class:`~vipaint_pyro.samplers.method.Method`; what it does not say is taken from its bases.
"""

from __future__ import annotations

from dataclasses import MISSING, fields, is_dataclass, replace
from inspect import get_annotations
from typing import Any, cast

from vipaint_pyro.places import Places, check_written, facts_of, first_line, place_of
from vipaint_pyro.samplers.method import NEEDS, Method
from vipaint_pyro.settings import Kind, switch
from vipaint_pyro.wording import shown

__all__ = ["FACTS", "is_sampler_at", "method_at", "method_of"]

_text = Kind(str, lambda value: isinstance(value, str), "is a text")
#: What a class may say of itself in its ``method``.
FACTS = {
    "summary": _text,
    "paper": _text,
    "cost": _text,
    "needs": Kind(
        tuple,
        lambda value: isinstance(value, tuple) and all(isinstance(v, str) and v in NEEDS for v in value),
        f"is a tuple of words, of {', '.join(NEEDS)}",
    ),
    "chance": switch(),
}


def _sampler() -> type:
    from vipaint_pyro.samplers.base import Sampler

    return Sampler


_PLACES = Places("sampler", _sampler)
_WANTED = "give a subclass of vipaint_pyro.samplers.Sampler, as ReverseSampler is one, or a Method of such a class"


def method_of(kind: type) -> Method:
    """The method of a sampler class; its name is the place that the class lies at.

    Raises:
        ValueError: for a class that is no sampler, is no dataclass, cannot be made without settings, or says what
            cannot be.
    """
    found = _of_class(kind)
    _PLACES.remembered(kind)
    return found


def method_at(place: str) -> Method:
    """The method of the sampler class, or the :class:`Method`, that lies at ``"module:name"``.

    Raises:
        ValueError: where nothing lies there, or no sampler; as :func:`method_of`.
    """
    found = _PLACES.at(place)
    if isinstance(found, Method):
        _of_class(found.kind)  # refuses what is none
        return replace(found, name=place)
    if not isinstance(found, type):
        raise ValueError(f"{place} is no sampler, but {shown(found)}: {_WANTED}")
    return replace(_of_class(found), name=place)


def is_sampler_at(place: str) -> bool:
    """Whether a sampler, or a :class:`Method`, lies at ``"module:name"``, be it one that can be made or not."""
    try:
        found = _PLACES.at(place)
    except ValueError:
        return False
    return isinstance(found, Method) or (isinstance(found, type) and issubclass(found, _sampler()))


def _of_class(kind: object) -> Method:
    if not isinstance(kind, type) or not issubclass(kind, _sampler()):
        raise ValueError(f"{place_of(kind) if isinstance(kind, type) else shown(kind)} is no sampler: {_WANTED}")
    place = place_of(kind)
    check_written(kind)
    if not is_dataclass(kind) or (get_annotations(kind) and "__dataclass_fields__" not in vars(kind)):
        raise ValueError(f"{place} is no dataclass: write @dataclass(frozen=True) above it, its fields are settings")
    if needed := [f.name for f in fields(kind) if f.init and f.default is MISSING]:
        raise ValueError(f"{place} has no default of {' and '.join(needed)}: give its settings defaults, as = 100")
    facts: dict[str, Any] = {"summary": first_line(kind), "paper": "your own"}
    return Method(place, sampler=cast(Any, kind), **(facts | facts_of(kind, "method", FACTS)))
