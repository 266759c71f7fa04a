"""From the options of a command to a sampler."""

from __future__ import annotations

from dataclasses import fields

from vipaint_pyro.cli.options import SETTINGS
from vipaint_pyro.samplers.base import Sampler
from vipaint_pyro.samplers.registry import NEEDS, make_sampler, method
from vipaint_pyro.samplers.written import listed, written

__all__ = ["described", "sampler_of"]


def sampler_of(prior, options: dict) -> tuple[str, Sampler, dict]:
    """The method's name, the sampler that the options ask for, and its settings.

    Raises:
        ValueError: for an unknown method, or an option that it does not have.
    """
    chosen = method(options["method"])
    settings = {n: options[n] for n in SETTINGS if options[n] is not None}
    more = written(chosen, options["more"], "--set ")
    for name in settings:
        if name not in chosen.open():
            said = f"the method {chosen.name!r} has no {_option(name)}: leave it out"
            raise ValueError(f"{said}. Its settings (--set) are {listed(chosen)}")
        if name in more:
            raise ValueError(f"{_option(name)} and --set {name.replace('_', '-')} are the same: give one")
    settings |= more
    if chosen.name == "vipaint":
        settings["timesteps"] = _timesteps(prior, options["levels"], settings)
    elif options["levels"]:
        raise ValueError(f"the method {chosen.name!r} has no levels: leave --levels out")
    return chosen.name, make_sampler(chosen.name, **settings), settings


def _option(name: str) -> str:
    """A setting as it is written on the command line."""
    return SETTINGS[name].metadata["option"] or "--" + name.replace("_", "-")


def _timesteps(prior, levels: str | None, settings: dict) -> tuple[int, ...]:
    from vipaint_pyro.guides.registry import recipe
    from vipaint_pyro.samplers import timesteps_for

    if settings.get("timesteps") and levels:
        raise ValueError("--timesteps say how many levels there are: leave --levels out")
    kind = recipe(settings.get("guide_name", "hierarchical"))
    return settings.get("timesteps") or timesteps_for(prior, int(levels or kind.levels or 4))


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
            name = f.name.strip("_").replace("_", "-")
            lines.append(f"  {name:24s} {f.metadata.get('text', '')} Default: {default}.")
    return lines
