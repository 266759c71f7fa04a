"""Methods as a study writes them: NAME, NAME@CALLS, NAME:setting=value;setting=value; a NAME may be a place."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass

from vipaint_pyro.samplers.registry import FOR_SCALE, METHODS, Method, method
from vipaint_pyro.samplers.written import written
from vipaint_pyro.wording import shown

__all__ = ["Spec", "check_chosen", "chosen_for", "file_name", "known_method", "parted", "split_specs"]

#: NAME, perhaps @CALLS, perhaps : and settings.
_REST = r"(@(?P<calls>\d+))?(:(?P<settings>.+))?"
_FORM = re.compile(r"(?P<name>[A-Za-z][\w.-]*)" + _REST)
#: The same of a sampler of one's own, by where it lies; a setting has a = in it.
_OWN = re.compile(r"(?P<name>[A-Za-z_][\w.]*:[A-Za-z_][\w.]*)" + _REST)
_LEVELS = re.compile(r"vipaint-(\d+)")
#: The longest name of a file that a spec becomes as it stands.
_LONGEST = 120


@dataclass(frozen=True)
class Spec:
    """A method as it is written, taken apart.

    Attributes:
        text: as written: the method's name in records and tables.
        name: of :data:`~vipaint_pyro.samplers.METHODS` or
            :data:`~vipaint_pyro.samplers.registry.FOR_SCALE`, ``vipaint-K``, or ``package.module:Class``.
        calls: forward calls per sample that it is to make, or None.
        settings: those written behind it.
    """

    text: str
    name: str
    calls: int | None
    settings: Mapping[str, object]

    @classmethod
    def of(cls, text: str) -> Spec:
        """Take a spec apart.

        Raises:
            ValueError: for one of another form, an unknown method, or a setting that it does not have.
        """
        name, calls, parts = parted(text)
        if calls is not None and int(calls) < 1:
            raise ValueError(f"{text}: a number of calls is at least 1")
        try:
            settings = written(known_method(name), parts)
        except ValueError as error:
            if late := re.fullmatch(r"(.+?)(:[^:]*=.*)(@\d+)", text):
                meant = f"{late[1]}{late[3]}{late[2]}"
                raise ValueError(f"{text}: calls are written before the settings, {meant}") from error
            raise
        if calls is not None and "effort" in settings:
            raise ValueError(f"{text}: calls and effort both say what a sample costs: give one")
        if "timesteps" in settings and _LEVELS.fullmatch(name):
            raise ValueError(f"{text}: the timesteps say how many levels there are: write vipaint:timesteps=...")
        return cls(text, name, int(calls) if calls else None, settings)

    @property
    def method(self) -> Method:
        """The method of the registry."""
        return known_method(self.name)

    @property
    def levels(self) -> int | None:
        """K of vipaint-K."""
        found = _LEVELS.fullmatch(self.name)
        return found and int(found[1])


def parted(text: str) -> tuple[str, str | None, list[str]]:
    """The name or the place, the number of calls and the settings of a spec, as they are written.

    Raises:
        ValueError: for one of another form.
    """
    found = _FORM.fullmatch(text)
    if found is None or not _is_known(found["name"]):
        found = _OWN.fullmatch(text) or found
    if found is None or (found.re is _FORM and not _is_known(found["name"]) and "=" not in (found["settings"] or "=")):
        raise ValueError(f"a method is NAME, NAME@CALLS or NAME:setting=value;setting=value, not {shown(text)}")
    return found["name"], found["calls"], found["settings"].split(";") if found["settings"] else []


def _is_known(name: str) -> bool:
    return name in METHODS or name in FOR_SCALE or _LEVELS.fullmatch(name) is not None


def known_method(name: str) -> Method:
    """The method of this name or place, ``vipaint-K`` being ``vipaint``; ValueError where there is none."""
    if name not in METHODS and _LEVELS.fullmatch(name):
        return method("vipaint")
    return method(name)


def split_specs(text: str) -> tuple[str, ...]:
    """Specs divided by commas; a comma before a number is part of a setting: ``vipaint:timesteps=550,400``."""
    return tuple(part.strip() for part in re.split(r",(?=\s*[A-Za-z_])", text.strip()))


def file_name(spec: str) -> str:
    """A method's name without what file names had better not have; ``@`` stays."""
    name = re.sub(r"[^\w.@+-]", "-", spec)
    return name if len(name) <= _LONGEST else f"{name[:_LONGEST]}-{hashlib.sha256(spec.encode()).hexdigest()[:8]}"


def check_chosen(settings: object) -> dict:
    """Chosen settings, ``{"methods": {name: {setting: value}}, "conditions": {condition: {name: {...}}}}``, checked.

    A third entry, ``"search"``, is the record of how they were chosen, and left out.

    Raises:
        ValueError: for another form, an unknown method, or a setting that it does not have.
    """
    form = '{"methods": {name: {setting: value}}, "conditions": {condition: {name: {setting: value}}}}'
    if not isinstance(settings, Mapping) or not settings.keys() <= {"methods", "conditions", "search"}:
        raise ValueError(f"chosen settings are {form}, not {shown(settings)}")
    conditions = settings.get("conditions", {})
    tables = [settings.get("methods", {}), *(conditions.values() if isinstance(conditions, Mapping) else [None])]
    for table in tables:
        if not isinstance(table, Mapping) or not all(isinstance(v, Mapping) for v in table.values()):
            raise ValueError(f"chosen settings are {form}, not {shown(settings)}")
        for text, values in table.items():
            chosen = Spec.of(text).method
            unknown = [name for name in values if name not in chosen.open()]
            if unknown:
                raise ValueError(f"chosen settings: {text} has no setting {unknown[0]!r}")
    return {"methods": dict(settings.get("methods", {})), "conditions": dict(conditions)}


def chosen_for(settings: Mapping, spec: Spec, condition: str) -> dict[str, object]:
    """What was chosen for a method under a condition: by its name, then by the whole spec; the condition's last."""
    found: dict[str, object] = {}
    for table in (settings.get("methods", {}), settings.get("conditions", {}).get(condition, {})):
        for name in dict.fromkeys((spec.name, spec.text)):
            found |= table.get(name, {})
    return found
