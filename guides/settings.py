"""The settings of a guide: the keywords of what makes it, by name, with their types and defaults.

Values are what JSON has, numbers, words, switches and lists of numbers, so that a run can be written down and made
again.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from inspect import Parameter, formatannotation, signature
from typing import Any

from vipaint_pyro.guides.recipes import Recipe
from vipaint_pyro.settings import SWITCHES, Kind, choice, number, switch
from vipaint_pyro.wording import did_you_mean, shown

__all__ = ["GuideSetting", "checked_settings", "settings_of"]

_INTEGER = Kind(int, lambda v: number().check(v) and v == int(v) and not isinstance(v, float), "is a whole number")
_TEXT = Kind(str, lambda value: isinstance(value, str), "is a text")
_LIST = Kind(
    tuple,
    lambda v: isinstance(v, (tuple, list)) and all(number().check(n) for n in v),
    "is a list of numbers, like 64,64",
)
_NONE = Kind(type(None), lambda value: value is None, "is none")
_EACH = (_INTEGER, number(), switch(), _LIST, _TEXT, _NONE)
_ANY = Kind(
    object, lambda v: any(kind.check(v) for kind in _EACH), "is a number, a switch, a list of numbers, a text or none"
)
_KINDS = {"int": _INTEGER, "float": number(), "bool": switch(), "str": _TEXT, "None": _NONE}
_LISTS = ("Sequence", "tuple", "Tuple", "list", "List", "Iterable")


@dataclass(frozen=True)
class GuideSetting:
    """One setting of a guide.

    Attributes:
        name: the keyword.
        default: its value where it is not given; ``Parameter.empty`` where it has to be.
        kinds: what it may be, any of them; none where only Python can say it, as with a tensor.
    """

    name: str
    default: object
    kinds: tuple[Kind, ...]

    @property
    def needed(self) -> bool:
        """Whether it has no default."""
        return self.default is Parameter.empty

    @property
    def expected(self) -> str:
        """What it is, for errors and lists: "is a whole number or none"."""
        return "is " + " or ".join(kind.text.removeprefix("is ") for kind in self.kinds)

    def takes(self, value: object) -> bool:
        """Whether Python may give it so."""
        return not self.kinds or any(kind.check(value) for kind in self.kinds)

    def value(self, given: Any) -> Any:
        """A value as JSON has it, of a text what it says.

        Raises:
            ValueError: where it is none.
        """
        for value in (*_readings(given), given) if isinstance(given, str) else [given]:
            for kind in self.kinds:
                if kind.check(value):
                    return kind.type(value) if kind.type in (int, float, tuple) else value
        raise ValueError(f"{self.name} {self.expected}, but is {shown(given)}")


def _readings(text: str) -> Iterator[Any]:
    """What a text may say."""
    if text.lower() in SWITCHES:
        yield SWITCHES[text.lower()]
    if text.lower() == "none":
        yield None
    for read in (int, float, lambda t: tuple(float(n) if {*n} & {*".eE"} else int(n) for n in t.split(","))):
        try:
            yield read(text)
        except ValueError:
            continue


def settings_of(recipe: Recipe) -> dict[str, GuideSetting]:
    """The settings of a guide by name."""
    found: dict[str, GuideSetting] = {}
    for parameter in _parameters(recipe):
        kinds = tuple(_kinds(parameter))
        found.setdefault(parameter.name, GuideSetting(parameter.name, parameter.default, kinds))
    return found


def checked_settings(recipe: Recipe, given: Mapping[str, object] | None) -> dict[str, object]:
    """Settings of a guide as it takes them; a text is read as what the setting is, dashes are underscores.

    Raises:
        ValueError: for a setting that the guide does not have, with those that it has, a value that is none of its
            kind, or one that is missing.
    """
    known, found = settings_of(recipe), {}
    open_ = [name for name, setting in known.items() if setting.kinds]
    has = f"It has {', '.join(open_)}" if open_ else "It has none"
    for written, value in (given or {}).items():
        name = written.replace("-", "_")
        if name not in known:
            hint = did_you_mean(name, open_)
            raise ValueError(f"guide_settings: the guide {recipe.name!r} has no setting {written!r}. {hint}{has}")
        if not known[name].kinds:
            raise ValueError(
                f"guide_settings: {name} of the guide {recipe.name!r} is neither number, word nor list, and can be "
                f"given in Python alone, to the guide itself. {has}"
            )
        try:
            found[name] = known[name].value(value)
        except ValueError as error:
            many = " (settings are given one by one)" if isinstance(value, str) and "=" in value else ""
            raise ValueError(f"guide_settings: {error}{many}") from None
    missing = [name for name, setting in known.items() if setting.needed and name not in found]
    if missing:
        raise ValueError(f"guide_settings: the guide {recipe.name!r} needs {', '.join(missing)}")
    return found


def _parameters(recipe: Recipe) -> Iterator[Parameter]:
    """The keywords of what makes a guide; of a class that hands others on, those of its bases too."""
    build = recipe.build
    kinds = build.__mro__ if isinstance(build, type) else ()
    for maker in [vars(kind)["__init__"] for kind in kinds if "__init__" in vars(kind)] or [build]:
        taken = signature(maker).parameters.values()
        yield from (p for p in taken if p.kind is p.KEYWORD_ONLY)
        if not any(p.kind is p.VAR_KEYWORD for p in taken):
            break
    yield from recipe.options()


def _kinds(parameter: Parameter) -> Iterator[Kind]:
    """What a parameter may be, by its annotation, or by its default where it has none."""
    if parameter.annotation is Parameter.empty:
        yield from _of_default(parameter.default)
        return
    written = parameter.annotation
    text = written if isinstance(written, str) else formatannotation(written)
    try:
        members = [*_members(ast.parse(text, mode="eval").body)]
    except SyntaxError:
        return
    found = [kind for member in members for kind in _of_type(member)]
    if any(kind is not _NONE for kind in found):
        yield from sorted(found, key=lambda kind: kind is _NONE)


def _of_default(default: object) -> tuple[Kind, ...]:
    if default is None or default is Parameter.empty:  # of any kind
        return (_ANY,)
    kinds = {bool: switch(), int: _INTEGER, float: number(), str: _TEXT, tuple: _LIST, list: _LIST}
    return (kinds[type(default)],) if type(default) in kinds else ()


def _members(node: ast.expr) -> Iterator[ast.expr]:
    """The alternatives of an annotation: of ``A | B``, ``Union[A, B]``, ``Optional[A]``."""
    if isinstance(node, ast.BinOp):
        yield from _members(node.left)
        yield from _members(node.right)
    elif isinstance(node, ast.Subscript) and _called(node.value) in ("Union", "Optional"):
        for part in node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]:
            yield from _members(part)
        if _called(node.value) == "Optional":
            yield ast.Constant(None)
    else:
        yield node


def _of_type(node: ast.expr) -> Iterator[Kind]:
    name = _called(node)
    if name in _KINDS:
        yield _KINDS[name]
    elif isinstance(node, ast.Subscript):
        inside = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        if _called(node.value) == "Literal":
            said = [part.value for part in inside if isinstance(part, ast.Constant)]
            words = [value for value in said if isinstance(value, str)]
            if words:  # numbers in it are none
                yield choice(words)
            if None in said:
                yield _NONE
        elif _called(node.value) in _LISTS and _called(inside[0]) in ("int", "float"):
            yield _LIST


def _called(node: ast.expr) -> str:
    """The last word of a name; of a constant how it is written."""
    return node.attr if isinstance(node, ast.Attribute) else ast.unparse(node)
