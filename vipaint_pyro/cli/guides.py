"""Guides in lines and in JSON: those there are, and the settings of each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from textwrap import wrap
from typing import TYPE_CHECKING

from vipaint_pyro.guides.own import entry_points_by_name, recipe_of_entry_point
from vipaint_pyro.guides.recipes import Recipe
from vipaint_pyro.guides.registry import GUIDES, recipe
from vipaint_pyro.wording import counted

if TYPE_CHECKING:
    from vipaint_pyro.guides.settings import GuideSetting

__all__ = ["described_guide", "facts_of_guide", "guide_lines", "guides_there_are", "own_facts"]


def guides_there_are(loading: Callable[[], None] = lambda: None) -> Iterator[tuple[str, Recipe | None, str]]:
    """The guides by name: ours, and those that installed packages bring, which are imported.

    Args:
        loading: called before the first of those is.

    Returns:
        Of each its name, its recipe, or None and why it has none.
    """
    yield from ((name, known, "") for name, known in GUIDES.items())
    for name, point in entry_points_by_name().items():
        loading()
        try:
            if name in GUIDES:
                raise ValueError(f"its name is that of a guide of ours: ask for {point.value}")
            yield name, recipe_of_entry_point(point), ""
        except ValueError as error:
            yield name, None, str(error)


def guide_lines(loading: Callable[[], None] = lambda: None) -> Iterator[str]:
    """A line for each guide."""
    there = [(n, known.summary if known else f"cannot be had: {why}") for n, known, why in guides_there_are(loading)]
    width = max(len(name) for name, _ in there)
    yield from (f"  {name:{width}s} {text}" for name, text in there)
    yield "One of your own is written package.module:Class. The settings of one (--guide-set): vipaint guides NAME"


def described_guide(name: str) -> list[str]:
    """A guide in lines: what it is, what it needs, and its settings.

    Raises:
        ValueError: for one that there is not.
    """
    from vipaint_pyro.guides.meanings import meanings
    from vipaint_pyro.guides.settings import settings_of
    from vipaint_pyro.samplers.written import written_name

    known = recipe(name)
    levels = "any number of levels" if known.levels is None else counted(known.levels, "level")
    images = "one image at a time" if known.joint else "any number of images"
    lines = [f"{known.name}: {known.summary}", f"  for the {known.form} form of the model, {levels}, {images}"]
    said = meanings(known)
    for s in settings_of(known).values():
        default = "" if s.needed else f" Default: {_written(s.default)}."
        lines.append(f"  {written_name(s.name):24s} {_takes(s)}.{default}")
        lines += wrap(said.get(s.name, ""), 110, initial_indent=" " * 27, subsequent_indent=" " * 27)
    return lines if len(lines) > 2 else [*lines, "  no settings"]


def facts_of_guide(name: str) -> dict[str, object]:
    """A guide as JSON has it, with its settings; see :func:`vipaint_pyro.cli.documents.guides_json`."""
    from vipaint_pyro.guides.meanings import meanings
    from vipaint_pyro.guides.settings import settings_of
    from vipaint_pyro.samplers.written import written_name

    known = recipe(name)
    said = meanings(known)
    settings = [
        {
            "name": written_name(s.name),
            "default": None if s.needed else s.default if s.kinds else _written(s.default),
            "needed": s.needed,
            "text": _takes(s),
            "meaning": said.get(s.name, ""),
        }
        for s in settings_of(known).values()
    ]
    return {**own_facts(known), "asked": name, "settings": settings}


def own_facts(known: Recipe) -> dict[str, object]:
    """The plain fields of a recipe."""
    return {key: vars(known)[key] for key in ("name", "summary", "form", "levels", "joint", "point")}


def _takes(setting: GuideSetting) -> str:
    return setting.expected.removeprefix("is ") if setting.kinds else "given in Python alone"


def _written(default: object) -> str:
    """A default as it would be written."""
    if isinstance(default, (list, tuple)):
        return ",".join(map(str, default))
    return str(default).lower() if default is None or isinstance(default, bool) else str(default)
