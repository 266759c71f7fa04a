"""What the settings of a guide mean, as its docstring says."""

from __future__ import annotations

import re
from inspect import cleandoc

from vipaint_pyro.guides.recipes import Recipe

__all__ = ["meanings"]

#: An argument of a docstring: its names, and its lines, those behind the first one further in.
_ARGUMENT = re.compile(r"^    (?P<names>\w+(?:, \w+)*): (?P<text>.+(?:\n {8,}.+)*)", re.MULTILINE)
_ROLE = re.compile(r":(?:class|meth|func|data|mod):`~?(?:[\w.]*\.)?(\w+)`|:math:`([^`]*)`|``([^`]*)``")


def meanings(recipe: Recipe) -> dict[str, str]:
    """Setting -> what it means, the first sentence of it; of a class the settings of its bases too."""
    build = recipe.maker
    found: dict[str, str] = {}
    for maker in build.__mro__ if isinstance(build, type) else [build]:
        _, _, arguments = cleandoc(maker.__doc__ or "").partition("Args:\n")
        section = re.split(r"^\S", arguments, maxsplit=1, flags=re.MULTILINE)[0]
        for said in _ARGUMENT.finditer(section):
            text = _first_sentence(said["text"])
            for name in said["names"].split(", "):
                if not text.startswith("as in "):  # a base says it itself
                    found.setdefault(name, text)
    return found


def _first_sentence(text: str) -> str:
    plain = _ROLE.sub(lambda role: next(filter(None, role.groups())), " ".join(text.split()))
    return re.split(r"(?<=[^.])\.(?:\s+(?=[A-Z])|$)", plain, maxsplit=1)[0]
