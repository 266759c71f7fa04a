"""Settings of a method as they are written, NAME=VALUE."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import Field, fields
from typing import Any

from vipaint_pyro.samplers.registry import Method
from vipaint_pyro.samplers.vipaint.effort import at_effort
from vipaint_pyro.wording import did_you_mean

__all__ = ["listed", "written", "written_name"]


def listed(chosen: Method) -> str:
    """The settings of a method by their written names."""
    return ", ".join(sorted(map(written_name, chosen.open())))


def written(chosen: Method, given: Iterable[str], said: str = "") -> dict[str, object]:
    """Settings by the kind of each, from texts ``NAME=VALUE``; dashes and underscores are the same. An effort is one.

    Args:
        chosen: whose settings they are.
        given: the texts.
        said: what stands before each of them where it was written, for the errors: ``"--set "``.

    Raises:
        ValueError: for a text of another form, a setting that the method does not have, one given twice, or a value
            that is not of its kind.
    """
    known = {f.name: f for f in fields(chosen.kind) if f.name in chosen.open()}
    found: dict[str, Any] = {}
    for text in given:
        name, equals, value = text.partition("=")
        name = name.strip().replace("-", "_")
        name = f"{name}_" if f"{name}_" in known else name  # a word that Python keeps for itself
        if name in found:
            raise ValueError(f"{said}{name.replace('_', '-')} is given twice: give one")
        if not equals:
            form = f"{said.strip()} takes NAME=VALUE" if said else "a setting is NAME=VALUE"
            raise ValueError(f"{form}, not {text!r}; {chosen.name} has {listed(chosen)}")
        if name == "effort":
            found[name] = value.strip()
            at_effort(chosen.name, found)  # checks it
            continue
        if name not in known:
            wrote = text.partition("=")[0].strip()
            hint = did_you_mean(wrote, map(written_name, known))
            raise ValueError(f"{chosen.name} has no setting {wrote!r}. {hint}It has {listed(chosen)}")
        found[name] = _read(known[name], value.strip(), said)
    return found


def written_name(name: str) -> str:
    """A setting's written name."""
    return name.strip("_").replace("_", "-")


def _read(f: Field, text: str, said: str) -> object:
    kind: Any = f.metadata["kind"].type if "kind" in f.metadata else type(f.default)
    switches = {"true": True, "false": False, "yes": True, "no": False}
    try:
        if kind is bool:
            return switches[text.lower()]
        return tuple(int(part) for part in text.split(",")) if kind is tuple else kind(text)
    except (KeyError, ValueError):
        raise ValueError(f"{said}{f.name}={text}: {f.name} {f.metadata['kind'].text}") from None
