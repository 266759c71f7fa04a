"""Settings as fields of dataclasses: each value said once, with its help text and its check.

Imports nothing heavy, so that the command line can make options of the fields.
"""

from __future__ import annotations

import math
import numbers
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, TypeVar, cast

from vipaint_pyro.wording import shown

T = TypeVar("T")

__all__ = [
    "LARGEST",
    "MOST",
    "SWITCHES",
    "Kind",
    "check_settings",
    "checked",
    "choice",
    "filled",
    "mapping",
    "number",
    "path",
    "remade",
    "setting",
    "settled",
    "switch",
    "times",
    "whole",
]


@dataclass(frozen=True)
class Kind:
    """What a setting may be.

    Attributes:
        type: what the command line reads it as.
        check: whether a value is one.
        text: what it is, for errors: "is at least 1".
        choices: all values, where they are few.
        most: where ``text`` does not say it, the largest value.
    """

    type: type
    check: Callable[[Any], bool]
    text: str
    choices: tuple[str, ...] = ()
    most: float | None = None

    def expected(self, value: Any) -> str:
        """What a value that is none should have been."""
        beyond = self.most is not None and _is_number(value) and value > self.most
        return f"is at most {self.most}" if beyond else self.text


def _is_number(value: Any) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, bool) and -math.inf < float(value) < math.inf


#: The largest whole number that a count may be: of steps, samples, chains, particles.
MOST = 1_000_000


def whole(least: int = 1, most: int = MOST) -> Kind:
    """A whole number of at least ``least``, and no more than anything could be computed for."""

    def check(value: Any) -> bool:
        return isinstance(value, numbers.Integral) and not isinstance(value, bool) and least <= int(value) <= most

    return Kind(int, check, f"is a whole number of at least {least}", most=most)


#: The largest number of any other kind: beyond, float32 and whole numbers of 64 bits have an end.
LARGEST = 1e18


def number(above: float | None = None, least: float | None = None, most: float | None = None) -> Kind:
    """A finite number, in these bounds."""
    bounds = [f"above {above:g}"] if above is not None else []
    bounds += [f"at least {least:g}"] if least is not None else []
    bounds += [f"at most {most:g}"] if most is not None else []

    top = LARGEST if most is None else most

    def check(value: Any) -> bool:
        low = _is_number(value) and (above is None or value > above) and (least is None or value >= least)
        return low and -LARGEST <= value <= top

    text = f"is a finite number, {' and '.join(bounds)}" if bounds else "is a finite number"
    return Kind(float, check, text, most=LARGEST if most is None else None)


#: How a switch is written.
SWITCHES = {"true": True, "false": False, "yes": True, "no": False}


def switch() -> Kind:
    """True or False."""
    return Kind(bool, lambda value: isinstance(value, bool), "is True or False")


def choice(names: Iterable[str]) -> Kind:
    """One of a few words."""
    known = tuple(names)
    return Kind(str, lambda value: isinstance(value, str) and value in known, f"is one of {', '.join(known)}", known)


def path() -> Kind:
    """The name of a file, or of something that is looked up elsewhere."""
    return Kind(str, lambda value: isinstance(value, (str, os.PathLike)), "is a name or a path")


def times() -> Kind:
    """Timesteps T_e > ... > T_s; the prior's schedule looks at them."""
    def check(value: object) -> bool:
        return isinstance(value, (tuple, list)) and all(whole(0).check(t) for t in value)

    return Kind(tuple, check, "is a list of whole times, T_e > ... > T_s")


def mapping() -> Kind:
    """Names and values."""

    def check(value: object) -> bool:
        return isinstance(value, Mapping) and all(isinstance(name, str) for name in value)

    return Kind(dict, check, "is a dict from names to values")


def setting(
    default: object,
    kind: Kind,
    text: str,
    *,
    stands_for: str = "",
    option: str = "",
    keyword: bool = False,
    nothing: object = None,
) -> Any:
    """A field of a settings dataclass.

    Args:
        default: its value; None stands for what prior and measurement call for.
        kind: what it may be.
        text: half a line of help.
        stands_for: what None stands for, in words.
        option: its name on the command line, where that is not the field's with dashes.
        keyword: whether it is given by its name alone.
        nothing: what a settled sampler holds where there is nothing to settle on; it may come again, to be settled
            once more.
    """
    said = {"kind": kind, "text": text, "stands_for": stands_for, "option": option, "nothing": nothing}
    # A dict has no hash; settings that are equal have the same without it.
    return field(default=default, metadata=said, kw_only=keyword, hash=False if kind.type is dict else None)


def checked(name: str, value: Any, kind: Kind) -> Any:
    """The value; a ValueError in one line that names it where it is none of this kind."""
    if not kind.check(value):
        raise ValueError(f"{name} {kind.expected(value)}, but is {shown(value)}")
    return value


def check_settings(settings: Any) -> None:
    """Raise ValueError for the first setting that cannot be, by its name."""
    for f in fields(settings):
        kind, value = f.metadata.get("kind"), vars(settings)[f.name]
        if kind is None or (value is None and f.default is None):
            continue
        nothing = f.metadata.get("nothing")
        if nothing is not None and type(value) is type(nothing) and value == nothing:
            continue
        checked(f.name, value, kind)


def filled(settings: T, **defaults: Any) -> T:
    """The same settings, with these values in place of None."""
    return remade(settings, **{name: value for name, value in defaults.items() if vars(settings)[name] is None})


def remade(settings: T, **values: Any) -> T:
    """The same settings, with other values of some."""
    return replace(cast(Any, settings), **values)


def settled(value: T | None) -> T:
    """A setting that is no longer None.

    Raises:
        ValueError: where it is, which those of a sampler are until :meth:`~vipaint_pyro.samplers.base.Sampler.settle`.
    """
    if value is None:
        raise ValueError("these settings are not settled: sampler.settle(prior, measurement) says what None stands for")
    return value
