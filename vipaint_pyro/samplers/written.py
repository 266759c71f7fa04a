"""Settings of a method as they are written, NAME=VALUE."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import Field, fields
from typing import Any

from vipaint_pyro.samplers.registry import Method
from vipaint_pyro.samplers.vipaint.effort import at_effort
from vipaint_pyro.settings import SWITCHES
from vipaint_pyro.wording import did_you_mean

__all__ = ["GUIDE", "in_words", "listed", "named", "pairs", "written", "written_name"]

#: What stands before a setting of the guide, among those of its method: ``guide.rank=4``.
GUIDE = "guide."


def named(text: str, known: Container[str] = ()) -> tuple[str, str | None]:
    """The name or the place of a method, and the settings behind it, each of which has a = in it; None for none.

    Args:
        text: ``NAME``, ``package.module:Class``, either perhaps with ``:setting=value;setting=value``.
        known: names of which no place begins with one.
    """
    name, colon, rest = text.partition(":")
    if colon and name not in known and "=" not in rest.partition(":")[0]:
        inside, colon, rest = rest.partition(":")
        name = f"{name}:{inside}"
    return name, rest if colon else None


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
    given = [*given]
    of_guide = [text.strip().removeprefix(GUIDE) for text in given if text.strip().startswith(GUIDE)]
    if of_guide and "guide_settings" in known:
        given = [text for text in given if not text.strip().startswith(GUIDE)]
        found["guide_settings"] = pairs(of_guide, f"{said}{GUIDE}")
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


def pairs(given: Iterable[str], said: str = "") -> dict[str, str]:
    """Names and their texts, of texts ``NAME=VALUE``; dashes and underscores are the same.

    Raises:
        ValueError: for a text of another form, or a name that is given twice.
    """
    texts: dict[str, str] = {}
    for text in given:
        name, equals, value = text.partition("=")
        name = name.strip().replace("-", "_")
        if not equals or not name:
            raise ValueError(f"{said.strip()} takes NAME=VALUE, not {text!r}")
        if name in texts:
            raise ValueError(f"{said}{name.replace('_', '-')} is given twice: give one")
        texts[name] = value.strip()
    return texts


def written_name(name: str) -> str:
    """A setting's written name."""
    return f"{GUIDE}NAME" if name == "guide_settings" else name.strip("_").replace("_", "-")


def in_words(settings: Mapping[str, Any]) -> list[str]:
    """Settings in words, "zeta 1.0", those of a guide each by itself."""
    words = []
    for name, value in settings.items():
        each = {written_name(name): value}
        if name == "guide_settings":
            each = {f"{GUIDE}{written_name(n)}": v for n, v in value.items()}
        words += [f"{name} {value}" for name, value in each.items()]
    return words


def _read(f: Field, text: str, said: str) -> object:
    known: Any = f.metadata.get("kind")
    kind: Any = type(f.default) if known is None else known.type  # a plain field of somebody's own sampler
    if kind is dict:
        raise ValueError(f"{said}settings of the guide are written {GUIDE}NAME=VALUE, one by one")
    try:
        if kind is bool:
            return SWITCHES[text.lower()]
        return tuple(int(part) for part in text.split(",")) if kind is tuple else kind(text)
    except (KeyError, ValueError):
        words = f"is one of {', '.join(SWITCHES)}" if kind is bool else f"is read as its default {f.default!r} is"
        expected = words if known is None else known.text
        name = written_name(f.name)
        raise ValueError(f"{said}{name}={text}: {name} {expected}") from None
