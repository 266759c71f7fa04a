"""Guides of one's own: a class, or where it lies, ``package.module:Class``; and those that other packages bring.

A class says what it needs by its attribute ``recipe``, some of the fields of a
:class:`~vipaint_pyro.guides.recipes.Recipe`; the rest is taken from its bases.
"""

from __future__ import annotations

from dataclasses import replace
from importlib.metadata import EntryPoint, entry_points
from inspect import Parameter, signature
from typing import Any

from vipaint_pyro.guides.auto_names import AUTO_GUIDES
from vipaint_pyro.guides.recipes import Recipe
from vipaint_pyro.places import Places, check_written, facts_of, first_line, place_of
from vipaint_pyro.settings import Kind, choice, switch, whole
from vipaint_pyro.wording import shown

__all__ = ["GROUP", "entry_points_by_name", "recipe_at", "recipe_of", "recipe_of_entry_point"]

#: The group of entry points by which a package brings guides: ``name = package.module:Class``.
GROUP = "vipaint_pyro.guides"

_levels = whole()
#: What a class may say of itself in its ``recipe``.
_FACTS = {
    "summary": Kind(str, lambda value: isinstance(value, str), "is a text"),
    "form": choice(("bridge", "marginal")),
    "levels": Kind(int, lambda value: value is None or _levels.check(value), f"{_levels.text}, or None"),
    "joint": switch(),
    "point": switch(),
}


def _guide() -> type:
    from vipaint_pyro.guides.base import Guide

    return Guide


_PLACES = Places("guide", _guide)


def recipe_of(kind: type) -> Recipe:
    """The recipe of a class; its name is the place that the class lies at.

    Raises:
        ValueError: for a class that is no guide, cannot be made by (model, y), or says what cannot be.
    """
    found = _of_class(kind)
    _PLACES.remembered(kind)
    return found


def recipe_at(place: str) -> Recipe:
    """The recipe of the guide class, or the :class:`~vipaint_pyro.guides.Recipe`, that lies at ``"module:name"``.

    The module is looked for where Python looks for any, and then in the current folder.

    Raises:
        ValueError: where nothing lies there, or no guide; as :func:`recipe_of`.
    """
    return _recipe(_PLACES.at(place), place, place)


def entry_points_by_name() -> dict[str, EntryPoint]:
    """The guides that installed packages bring, by their names, none of them imported; of two of a name the first."""
    return {point.name: point for point in reversed(entry_points(group=GROUP))}


def recipe_of_entry_point(point: EntryPoint) -> Recipe:
    """The recipe of a guide that a package brings, by the name that it has there; raises as :func:`recipe_at`."""
    return _recipe(_PLACES.at(point.value), point.name, point.value)


def _recipe(found: object, name: str, place: str) -> Recipe:
    if isinstance(found, Recipe):
        return replace(found, name=name)
    if not isinstance(found, type):
        raise ValueError(f"{place} is no guide, but {shown(found)}: {_WANTED}")
    return replace(_of_class(found), name=name)


_WANTED = "give a subclass of vipaint_pyro.guides.Guide, as MarkovGuide is one, or a vipaint_pyro.guides.Recipe"


def _of_class(kind: type) -> Recipe:
    from vipaint_pyro.guides.base import Guide
    from vipaint_pyro.guides.red_diff import REDDiffGuide

    place = place_of(kind)
    if not issubclass(kind, Guide):
        pyros = kind.__name__ in AUTO_GUIDES and kind.__module__.startswith("pyro.")
        raise ValueError(
            f"{kind.__name__} of Pyro is asked for by its name, {kind.__name__!r}, and made for the model then"
            if pyros
            else f"{place} is no guide: {_WANTED}"
        )
    if issubclass(kind, REDDiffGuide):
        raise ValueError(f"{place} is a guide of the clean image, without levels: ask for method='red-diff'")
    check_written(kind)
    taken = signature(kind)
    places = [p for p in taken.parameters.values() if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    many = any(p.kind is p.VAR_POSITIONAL for p in taken.parameters.values())
    if (len(places) < 2 and not many) or any(p.default is Parameter.empty for p in places[2:]):
        raise ValueError(f"{place} is made by {taken}, but a guide is made by (model, y), its settings by keywords")
    facts: dict[str, Any] = {"point": kind.point is not Guide.point, "summary": first_line(kind)}
    return Recipe(place, build=kind, **(facts | facts_of(kind, "recipe", _FACTS)))
