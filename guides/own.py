"""Guides of one's own: a class, or where it lies, ``package.module:Class``; and those that other packages bring.

A class says what it needs by its attribute ``recipe``, some of the fields of a
:class:`~vipaint_pyro.guides.recipes.Recipe`; the rest is taken from its bases.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Mapping
from dataclasses import replace
from functools import reduce
from importlib.metadata import EntryPoint, entry_points
from inspect import Parameter, signature
from types import FunctionType, ModuleType
from typing import Any

from vipaint_pyro.guides.auto_names import AUTO_GUIDES
from vipaint_pyro.guides.recipes import Recipe
from vipaint_pyro.settings import Kind, checked, choice, switch, whole
from vipaint_pyro.wording import did_you_mean, shown

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
#: Classes of this process that cannot be imported from where they say they lie, like those of a notebook's cell.
_HERE: dict[str, type] = {}


def recipe_of(kind: type) -> Recipe:
    """The recipe of a class; its name is the place that the class lies at.

    Raises:
        ValueError: for a class that is no guide, cannot be made by (model, y), or says what cannot be.
    """
    found, place = _of_class(kind), _place_of(kind)
    try:
        importable = _at(place) is kind
    except ValueError:
        importable = False
    if importable:
        _HERE.pop(place, None)
    else:
        _HERE[place] = kind
    return found


def recipe_at(place: str) -> Recipe:
    """The recipe of the guide class, or the :class:`~vipaint_pyro.guides.Recipe`, that lies at ``"module:name"``.

    The module is looked for where Python looks for any, and then in the current folder.

    Raises:
        ValueError: where nothing lies there, or no guide; as :func:`recipe_of`.
    """
    return _recipe(_HERE[place] if place in _HERE else _at(place), place, place)


def entry_points_by_name() -> dict[str, EntryPoint]:
    """The guides that installed packages bring, by their names, none of them imported; of two of a name the first."""
    return {point.name: point for point in reversed(entry_points(group=GROUP))}


def recipe_of_entry_point(point: EntryPoint) -> Recipe:
    """The recipe of a guide that a package brings, by the name that it has there; raises as :func:`recipe_at`."""
    return _recipe(_at(point.value), point.name, point.value)


def _recipe(found: object, name: str, place: str) -> Recipe:
    if isinstance(found, Recipe):
        return replace(found, name=name)
    if not isinstance(found, type):
        raise ValueError(f"{place} is no guide, but {shown(found)}: {_WANTED}")
    return replace(_of_class(found), name=name)


_WANTED = "give a subclass of vipaint_pyro.guides.Guide, as MarkovGuide is one, or a vipaint_pyro.guides.Recipe"


def _place_of(kind: type) -> str:
    return f"{kind.__module__}:{kind.__qualname__}"


def _of_class(kind: type) -> Recipe:
    from vipaint_pyro.guides.base import Guide
    from vipaint_pyro.guides.red_diff import REDDiffGuide

    place = _place_of(kind)
    if not issubclass(kind, Guide):
        pyros = kind.__name__ in AUTO_GUIDES and kind.__module__.startswith("pyro.")
        raise ValueError(
            f"{kind.__name__} of Pyro is asked for by its name, {kind.__name__!r}, and made for the model then"
            if pyros
            else f"{place} is no guide: {_WANTED}"
        )
    if issubclass(kind, REDDiffGuide):
        raise ValueError(f"{place} is a guide of the clean image, without levels: ask for method='red-diff'")
    own = {name: value for base in reversed(kind.__mro__) for name, value in vars(base).items()}
    missing = [n for n, f in own.items() if isinstance(f, FunctionType) and vars(f).get("__isabstractmethod__")]
    if missing:
        raise ValueError(f"{place} does not say what its {' and '.join(missing)} are: write them")
    taken = signature(kind)
    places = [p for p in taken.parameters.values() if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    many = any(p.kind is p.VAR_POSITIONAL for p in taken.parameters.values())
    if (len(places) < 2 and not many) or any(p.default is Parameter.empty for p in places[2:]):
        raise ValueError(f"{place} is made by {taken}, but a guide is made by (model, y), its settings by keywords")
    facts: dict[str, Any] = {"point": kind.point is not Guide.point, "summary": _first_line(kind)}
    for base in reversed(kind.__mro__):
        facts |= _facts_of(base)
    return Recipe(place, build=kind, **facts)


def _first_line(kind: type) -> str:
    lines = (kind.__doc__ or "").strip().splitlines()
    return lines[0].strip().rstrip(".") if lines else f"the class {kind.__name__}"


def _facts_of(base: type) -> Mapping[str, object]:
    """What a class itself says in its ``recipe``."""
    facts, where = vars(base).get("recipe", {}), f"the recipe of {_place_of(base)}"
    if not isinstance(facts, Mapping):
        raise ValueError(f"{where} is a dict of {', '.join(_FACTS)}, not {shown(facts)}")
    for name, value in facts.items():
        if name not in _FACTS:
            hint = did_you_mean(str(name), _FACTS)
            raise ValueError(f"{where} has no {name!r}. {hint}It may say {', '.join(_FACTS)}")
        checked(f"{name} in {where}", value, _FACTS[name])
    return facts


def _at(place: str) -> object:
    """What lies at ``"module:name"``; ValueError where nothing does."""
    name, _, inside = place.partition(":")
    parts = inside.split(".")
    if name.endswith(".py") or "/" in name:
        stem = os.path.basename(name).removesuffix(".py")
        raise ValueError(f"{place} is a file: write {stem}:{inside or 'Class'}, in the folder that it lies in")
    if not all(part.isidentifier() for part in name.split(".")) or not inside:
        raise ValueError(f"a guide of your own is written package.module:Class, not {place!r}")
    module = _module(name, place)
    try:
        return reduce(getattr, parts, module)
    except AttributeError:
        there = _guides_in(module)
        has = f"Its guides are {', '.join(there)}" if there else "It defines no guide"
        raise ValueError(f"{name} has no {inside!r}. {did_you_mean(inside, there)}{has}") from None


def _guides_in(module: ModuleType) -> list[str]:
    from vipaint_pyro.guides.base import Guide

    found = vars(module).items()
    return [n for n, v in found if isinstance(v, type) and issubclass(v, Guide) and v.__module__ == module.__name__]


def _module(name: str, place: str) -> ModuleType:
    try:
        return _imported(name)
    except Exception as error:  # whatever the module does when it is imported
        if _is_missing(name, error):
            raise ValueError(
                f"the guide {place} is not found: there is no module {name}, neither installed, nor on PYTHONPATH, nor "
                f"in {os.getcwd()}"
            ) from error
        said = " ".join(str(error).split())
        raise ValueError(f"the guide {place} cannot be imported: {type(error).__name__}: {said}") from error


def _imported(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        here = os.getcwd()
        if not _is_missing(name, error) or here in sys.path or "" in sys.path:
            raise
        # The command line knows the folder that it was installed in, not the one that it is called in.
        sys.path.append(here)
        importlib.invalidate_caches()
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError:
            sys.path.remove(here)
            raise


def _is_missing(name: str, error: Exception) -> bool:
    """Whether the module itself is not there, and not one that it imports."""
    lacking = error.name if isinstance(error, ModuleNotFoundError) else None
    return lacking is not None and f"{name}.".startswith(f"{lacking}.")
