"""What is looked at before anything that takes its time is loaded. Imports nothing heavy."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import click

from vipaint_pyro.cli.loading import loading_libraries
from vipaint_pyro.cli.options import SAMPLES, option_name
from vipaint_pyro.cli.output import check_output
from vipaint_pyro.guides.registry import check_name as check_guide_name
from vipaint_pyro.priors.pretrained.built_in import BUILT_IN
from vipaint_pyro.priors.pretrained.folder import check_name
from vipaint_pyro.samplers.method import Method
from vipaint_pyro.samplers.registry import method
from vipaint_pyro.samplers.vipaint.effort import at_effort
from vipaint_pyro.samplers.written import pairs

__all__ = ["check_guide", "check_words", "ready"]


def ready(out: Path, options: dict, inputs: Mapping[str, Path]) -> None:
    """Look at what costs nothing, settle how many samples are drawn, and say that what takes its time is loaded.

    Raises:
        ValueError: as :func:`check_output`; for a method, a prior or a guide that there is none of; for several samples
            of a method that has no more than one.
    """
    check_output(out, options["overwrite"], {**inputs, "prior": Path(options["prior"])})
    chosen = method(options["method"])
    check_name(options["prior"])
    check_words(options, chosen.name)
    check_guide(options, chosen.name)
    options["samples"] = _samples(chosen, options["samples"])
    if chosen.slow and not options["quiet"] and not any(text.strip().startswith("fast") for text in options["more"]):
        click.echo(f"{chosen.name} {chosen.slow}", err=True)
    loading_libraries(options["quiet"])


def check_words(options: dict, method: str = "vipaint") -> None:
    """Raise ValueError for an effort that there is none of, or a text for a built-in prior, of which none takes any."""
    if options["effort"] is not None:
        at_effort(method, {"effort": options["effort"]})
    if options["prior"] in BUILT_IN:
        for name in ("prompt", "negative_prompt"):
            if options[name] is not None:
                raise ValueError(f"the built-in prior {options['prior']} takes no text: leave {name} out")


def check_guide(options: dict, method: str = "vipaint") -> None:
    """Raise ValueError for a guide that there is none of, or what is no setting of one, as far as names tell."""
    for name in ("guide_name", "guide_settings"):
        if method != "vipaint" and options[name]:
            raise ValueError(f"the method {method!r} has no {option_name(name)}: leave it out")
    pairs(options["guide_settings"], f"{option_name('guide_settings')} ")
    if options["guide_name"] is not None:
        check_guide_name(options["guide_name"])


def _samples(chosen: Method, asked: int | None) -> int:
    """How many samples are drawn: of a method without chance one, which is said."""
    if chosen.chance:
        return SAMPLES if asked is None else asked
    if asked is None:
        click.echo(f"{chosen.name} has no chance in it, and one completion: that one is written", err=True)
    elif asked > 1:
        raise ValueError(f"{chosen.name} has no chance in it, so that {asked} samples would be the same: leave "
                         "--samples out")  # fmt: skip
    return 1
