"""From the options of a command to a sampler."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

from vipaint_pyro.cli.options import SETTINGS, option_name
from vipaint_pyro.samplers.base import Sampler
from vipaint_pyro.samplers.registry import NEEDS, Method, make_sampler, method
from vipaint_pyro.samplers.vipaint.effort import at_effort
from vipaint_pyro.samplers.vipaint.levels import DEFAULT_LEVELS, RATIOS, check_levels
from vipaint_pyro.samplers.written import GUIDE, in_words, listed, pairs, written, written_name
from vipaint_pyro.settings import check_settings, checked
from vipaint_pyro.wording import counted

if TYPE_CHECKING:
    from vipaint_pyro.priors.diffusion import DiffusionPrior

__all__ = ["described", "sampler_of", "settings_of", "spec_of"]

#: Options that say where the guide's levels are, and what they are called.
LEVELS = {"--levels": "levels", "--T_e": "top", "--T_s": "bottom"}


def settings_of(options: dict) -> dict[str, object]:
    """The settings that the options give, by their own names, by ``--set`` and by ``--effort``; no prior is asked.

    Raises:
        ValueError: for an unknown method, an option that it does not have, or a value that cannot be.
    """
    chosen = method(options["method"])
    settings = {n: options[n] for n in SETTINGS if options[n] is not None and options[n] != ()}
    if "guide_settings" in settings:
        settings["guide_settings"] = pairs(settings["guide_settings"], "--guide-set ")
    of_guide = [text for text in options["more"] if text.strip().startswith(GUIDE)]
    if of_guide:
        name = of_guide[0].strip().removeprefix(GUIDE)
        raise ValueError(f"settings of the guide are an option of their own: write --guide-set {name}")
    more = written(chosen, options["more"], "--set ")
    for name in settings:
        if name not in chosen.open():
            said = f"the method {chosen.name!r} has no {option_name(name)}: leave it out"
            raise ValueError(f"{said}. Its settings (--set) are {listed(chosen)}")
        if name in more:
            raise ValueError(f"{option_name(name)} and --set {name.replace('_', '-')} are the same: give one")
    levels = [name for name, key in LEVELS.items() if options[key] is not None]
    if levels and chosen.name != "vipaint":
        raise ValueError(f"the method {chosen.name!r} has no levels: leave {' and '.join(levels)} out")
    if "effort" in more:
        raise ValueError(f"effort is an option of its own: write --effort {more['effort']} in place of --set")
    if options["effort"] is not None:
        more["effort"] = options["effort"]
    settings |= more
    if chosen.name == "vipaint" and settings.keys() & {"guide_name", "guide_settings"}:
        from vipaint_pyro.guides.registry import recipe
        from vipaint_pyro.guides.settings import checked_settings

        # Where none is named it is one of two, of which this one has the other's settings too.
        checked_settings(recipe(settings.get("guide_name") or "hierarchical-guided"), settings.get("guide_settings"))
    settings = at_effort(chosen.name, settings)
    step = settings.get("refine", "dps")
    if settings.get("limit") is not None and step != "dps":  # --no-limit, too, which another step is settled on
        raise ValueError(f"--limit and --no-limit are of a DPS step, and --refine is {step}: leave them out")
    if settings.get("correct") == "smc" and step not in ("dps", "tds"):  # tds has another reason
        from vipaint_pyro.samplers.vipaint.refinement import TWISTED

        raise ValueError(TWISTED)
    if levels and settings.get("timesteps"):
        raise ValueError(f"--timesteps say which levels there are: leave {' and '.join(levels)} out")
    for name in settings.keys() & SETTINGS.keys():
        kind = SETTINGS[name].metadata["kind"]
        if kind.type is int and settings[name] == 0:  # what a settled one holds for none, and nobody writes
            checked(option_name(name), 0, kind)
    if levels:
        check_levels(options["levels"] or DEFAULT_LEVELS, options["top"], options["bottom"])
    check_settings(make_sampler(chosen.name, **settings))  # refuses values that no prior could take
    return settings


def sampler_of(prior: DiffusionPrior, options: dict, settings: dict) -> tuple[Sampler, dict]:
    """The sampler that the options ask for, and its settings: those of :func:`settings_of`, and what a prior settles.

    Raises:
        ValueError: for settings that cannot be.
    """
    from vipaint_pyro.guides.registry import recipe
    from vipaint_pyro.samplers import timesteps_for

    name = options["method"]
    if name == "vipaint" and not settings.get("timesteps"):
        kind = recipe(settings.get("guide_name") or "hierarchical")  # of that kind where none is named
        levels = options["levels"] or kind.levels or DEFAULT_LEVELS
        settings = {**settings, "timesteps": timesteps_for(prior, levels, options["top"], options["bottom"])}
    return make_sampler(name, **settings), settings


def spec_of(text: str) -> Any:
    """A method by name, or by a spec of a study, as a :class:`~vipaint_pyro.evaluation.study.specs.Spec`.

    Raises:
        ValueError: for an unknown method, or a spec that cannot be.
    """
    from vipaint_pyro.evaluation.study.specs import Spec

    spec = Spec.of(text)
    if spec.levels is not None and spec.levels not in RATIOS:
        known = ", ".join(f"vipaint-{k}" for k in sorted(RATIOS))
        raise ValueError(f"there are {known}, not {text}: for other levels write vipaint:timesteps=T_e,...,T_s")
    return spec


def described(text: str) -> list[str]:
    """A method in lines: what it is, where it is from, and its settings; of a spec of a study, first what that means.

    Raises:
        ValueError: as :func:`spec_of`; for a value that its setting cannot have.
    """
    spec = spec_of(text)
    check_settings(make_sampler(spec.method.name, **spec.settings))
    means = [
        *([f"with {counted(spec.levels, 'level')}, at VIPaint's noise-to-signal ratios"] if spec.levels else []),
        *([f"at about {counted(spec.calls, 'forward call')} of the network a sample"] if spec.calls else []),
        *(f"with {text}" for text in in_words(at_effort(spec.method.name, spec.settings))),
    ]
    meaning = [f"{text}, as vipaint evaluate takes it: {spec.method.name} {', '.join(means)}"] if means else []
    return meaning + _of_method(spec.method)


def _of_method(chosen: Method) -> list[str]:
    needs = ", ".join(NEEDS[need] for need in chosen.needs) or "nothing in particular"
    lines = [f"{chosen.name}: {chosen.summary} ({chosen.paper})", f"  needs {needs}"]
    if chosen.cost:
        lines.append(f"  costs {chosen.cost} a sample, with its defaults (F, B: network calls forward, backward)")
    for f in fields(chosen.kind):
        if f.name in chosen.open():
            default = f.metadata.get("stands_for") or f.default
            lines.append(f"  {written_name(f.name):24s} {f.metadata.get('text', '')} Default: {default}.")
    return lines
