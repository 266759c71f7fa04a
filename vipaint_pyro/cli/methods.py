"""From the options of a command to a sampler."""

from __future__ import annotations

from dataclasses import Field, fields

from vipaint_pyro.cli.options import SETTINGS
from vipaint_pyro.samplers.base import Sampler
from vipaint_pyro.samplers.registry import NEEDS, Method, make_sampler, method
from vipaint_pyro.wording import did_you_mean

__all__ = ["described", "sampler_of", "settings_of"]


def settings_of(options: dict) -> dict[str, object]:
    """The settings that the options give, by their own names and by ``--set``; nothing of a prior is asked.

    Raises:
        ValueError: for an unknown method, or an option that it does not have.
    """
    chosen = method(options["method"])
    settings, more = {n: options[n] for n in SETTINGS if options[n] is not None}, _set(chosen, options["more"])
    for name in settings:
        if name not in chosen.open():
            said = f"the method {chosen.name!r} has no {_option(name)}: leave it out"
            raise ValueError(f"{said}. Its settings (--set) are {_listed(chosen)}")
        if name in more:
            raise ValueError(f"{_option(name)} and --set {name.replace('_', '-')} are the same: give one")
    if options["levels"] and chosen.name != "vipaint":
        raise ValueError(f"the method {chosen.name!r} has no levels: leave --levels out")
    settings |= more
    if options["levels"] and settings.get("timesteps"):
        raise ValueError("--timesteps say how many levels there are: leave --levels out")
    return settings


def sampler_of(prior, options: dict, settings: dict) -> tuple[Sampler, dict]:
    """The sampler that the options ask for, and its settings: those of :func:`settings_of`, and what a prior settles.

    Raises:
        ValueError: for settings that cannot be.
    """
    from vipaint_pyro.guides.registry import recipe
    from vipaint_pyro.samplers import timesteps_for

    name = options["method"]
    if name == "vipaint" and not settings.get("timesteps"):
        kind = recipe(settings.get("guide_name", "hierarchical"))
        settings = {**settings, "timesteps": timesteps_for(prior, int(options["levels"] or kind.levels or 4))}
    return make_sampler(name, **settings), settings


def _option(name: str) -> str:
    """A setting as it is written on the command line."""
    return SETTINGS[name].metadata["option"] or "--" + name.replace("_", "-")


def _listed(chosen: Method) -> str:
    """The settings of a method as ``--set`` takes them."""
    return ", ".join(sorted(map(_written, chosen.open())))


def _written(name: str) -> str:
    """A setting as ``--set`` takes it."""
    return name.strip("_").replace("_", "-")


def _set(chosen: Method, given: tuple[str, ...]) -> dict[str, object]:
    """``--set NAME=VALUE`` by the kind of each setting."""
    known, found = {f.name: f for f in fields(chosen.kind) if f.name in chosen.open()}, {}
    for text in given:
        name, equals, value = text.partition("=")
        name = name.strip().replace("-", "_")
        name = f"{name}_" if f"{name}_" in known else name  # a word that Python keeps for itself
        if not equals:
            raise ValueError(f"--set takes NAME=VALUE, not {text!r}; {chosen.name} has {_listed(chosen)}")
        if name not in known:
            wrote = text.partition("=")[0].strip()
            hint = did_you_mean(wrote, map(_written, known))
            raise ValueError(f"{chosen.name} has no setting {wrote!r}. {hint}It has {_listed(chosen)}")
        if name in found:
            raise ValueError(f"--set {name.replace('_', '-')} is given twice: give one")
        found[name] = _read(known[name], value.strip())
    return found


def _read(f: Field, text: str) -> object:
    kind = f.metadata["kind"].type
    switches = {"true": True, "false": False, "yes": True, "no": False}
    try:
        if kind is bool:
            return switches[text.lower()]
        return tuple(int(part) for part in text.split(",")) if kind is tuple else kind(text)
    except (KeyError, ValueError):
        raise ValueError(f"--set {f.name}={text}: {f.name} {f.metadata['kind'].text}") from None


def described(name: str) -> list[str]:
    """A method in lines: what it is, where it is from, and its settings."""
    chosen = method(name)
    needs = ", ".join(NEEDS[need] for need in chosen.needs) or "nothing in particular"
    lines = [f"{chosen.name}: {chosen.summary} ({chosen.paper})", f"  needs {needs}"]
    if chosen.cost:
        lines.append(f"  costs {chosen.cost} a sample, with its defaults (F, B: network calls forward, backward)")
    for f in fields(chosen.kind):
        if f.name in chosen.open():
            default = f.metadata.get("stands_for") or f.default
            lines.append(f"  {_written(f.name):24s} {f.metadata.get('text', '')} Default: {default}.")
    return lines
