"""From the options of a command to a sampler."""

from __future__ import annotations

from dataclasses import Field, fields

from vipaint_pyro.cli.options import SETTINGS
from vipaint_pyro.samplers.base import Sampler
from vipaint_pyro.samplers.registry import Method, make_sampler, method

__all__ = ["described", "sampler_of"]


def sampler_of(prior, options: dict) -> tuple[str, Sampler, dict]:
    """The method's name, the sampler that the options ask for, and its settings.

    Raises:
        ValueError: for an unknown method, or an option that it does not have.
    """
    chosen = method(options["method"])
    settings = {name: options[name] for name in SETTINGS if options[name] is not None} | _set(chosen, options["more"])
    if chosen.name == "vipaint":
        settings["timesteps"] = _timesteps(prior, options)
    elif options["levels"]:
        raise ValueError(f"the method {chosen.name!r} has no levels: leave --levels out")
    for name in settings:
        if name not in chosen.open():
            its = ", ".join(sorted(chosen.open()))
            raise ValueError(f"the method {chosen.name!r} has no {name}: leave it out. Its settings (--set) are {its}")
    return chosen.name, make_sampler(chosen.name, **settings), settings


def _timesteps(prior, options: dict) -> tuple[int, ...]:
    from vipaint_pyro.guides.registry import recipe
    from vipaint_pyro.samplers import timesteps_for

    if options["timesteps"] and options["levels"]:
        raise ValueError("--timesteps say how many levels there are: leave --levels out")
    kind = recipe(options["guide_name"] or "hierarchical")
    return options["timesteps"] or timesteps_for(prior, int(options["levels"] or kind.levels or 4))


def _set(chosen: Method, given: tuple[str, ...]) -> dict[str, object]:
    """``--set NAME=VALUE`` by the kind of each setting."""
    known, found = {f.name: f for f in fields(chosen.kind) if f.name in chosen.open()}, {}
    for text in given:
        name, equals, value = text.partition("=")
        name = name.strip().replace("-", "_")
        if not equals or name not in known:
            raise ValueError(
                f"--set takes NAME=VALUE, not {text!r}; the settings of {chosen.name} are {', '.join(sorted(known))}"
            )
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
    lines = [f"{chosen.name}: {chosen.summary} ({chosen.paper})"]
    for f in fields(chosen.kind):
        if f.name in chosen.open():
            default = f.metadata["stands_for"] or f.default
            lines.append(f"  {f.name:24s} {f.metadata['text']} Default: {default}.")
    return lines
