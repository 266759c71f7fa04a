"""``vipaint figure``: the paper's figures, drawn again on the built-in priors."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from vipaint_pyro.cli.loading import loading_libraries, loading_prior
from vipaint_pyro.cli.output import NamedPath
from vipaint_pyro.cli.reporting import one_line_warnings, reporting

if TYPE_CHECKING:
    from vipaint_pyro.evaluation.figures.plan import Plan

__all__ = ["figure"]

# Those of a plan, which not every figure has a use for.
_OF_THE_PLAN = ("images", "samples", "iterations", "methods", "baseline", "labels")


def _list(context: Any, _: Any, value: str | None) -> tuple[str, ...] | None:
    return None if value is None else tuple(part.strip() for part in value.split(",") if part.strip())


def _whole(context: Any, parameter: Any, value: str | None) -> tuple[int, ...] | None:
    try:
        return None if value is None else tuple(int(part) for part in value.split(","))
    except ValueError:
        raise click.BadParameter(f"{value!r} is no comma-separated list of whole numbers, like 1,50,100") from None


@click.command()
@click.argument("number", type=int, required=False)
@click.option("--list", "listed", is_flag=True, help="List the figures, and the options that each has.")
@click.option("--out", type=NamedPath(), help="The picture, NAME.png or NAME.pdf; NAME.json is written beside it.")
@click.option("--prior", type=click.Choice(["fashion-mnist", "cartoon-faces"]), help="Default: by the figure.")
@click.option("--full", is_flag=True, help="As large as the paper's, nearly: hours on one core.")
@click.option("--images", type=int, help="How many test images.")
@click.option("--samples", type=int, help="Of each image.")
@click.option("--iterations", callback=_whole, metavar="K,K,...", help="Of fits.")
@click.option("--methods", callback=_list, metavar="NAME,NAME,...", help="The columns; vipaint methods lists them.")
@click.option("--baseline", help="What VIPaint is set against. Default: the best of --records, else the figure's.")
@click.option(
    "--records", type=NamedPath(), metavar="DIR",
    help="Of a figure with a baseline: a study of vipaint evaluate, whose best method besides VIPaint it is.",
)  # fmt: skip
@click.option("--labels", callback=_list, metavar="LABEL,LABEL,...", help="By number or name.")
@click.option(
    "--first", type=click.IntRange(0), default=200, show_default=True,
    help="Number of the first test image. No setting was chosen on any from 200 on.",
)  # fmt: skip
@click.option("--seed", type=click.IntRange(0, 2**31), default=0, show_default=True, help="Of the methods' noise.")
@click.option("--data", type=NamedPath(), help="Folder of pictures or of Fashion-MNIST's files. Default: the prior's.")
@click.option("--overwrite", is_flag=True, help="Replace the picture and the numbers that are there.")
@click.option("--quiet", is_flag=True, help="No progress line, and not what is being loaded.")
@click.pass_context
def figure(context: click.Context, number: int | None, listed: bool, **options: Any) -> None:
    """Draw figure NUMBER of the paper (arXiv:2411.18929) again, on a built-in prior.

    Writes the picture, and beside it as .json every number of it, with settings, seeds, versions and this command.
    Takes up to five minutes on one core with the figure's usual prior.
    """
    with reporting():
        if listed != (number is None):
            raise ValueError("give either the NUMBER of a figure, or --list")
        if number is None:
            _listed()
        else:
            _drawn(number, options, _command(context))


def _listed() -> None:
    from vipaint_pyro.evaluation.figures.registry import FIGURES

    for known in FIGURES.values():
        click.echo(f"  {known.number:<3d} {known.title} ({' or '.join(known.priors)})")
        click.echo(f"  {'':3s} {', '.join(f'--{name}' for name in known.quick.options())}")


def _command(context: click.Context) -> str:
    """The command as it was given; options in the order of the help."""
    words = ["vipaint", "figure"]
    for parameter in context.command.params:
        if context.get_parameter_source(parameter.name) is not ParameterSource.COMMANDLINE:
            continue
        value = context.params[parameter.name]
        text = ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
        name = [] if isinstance(parameter, click.Argument) else [parameter.opts[0]]
        words += name if isinstance(value, bool) else [*name, text]
    return shlex.join(words)


def _drawn(number: int, options: dict, command: str) -> None:
    loading_libraries(options["quiet"])
    from vipaint_pyro.evaluation.figures.drawing import check_names
    from vipaint_pyro.evaluation.figures.registry import figure as known_figure

    known = known_figure(number)
    if options["out"] is None:
        raise ValueError("out is missing: name the picture, --out NAME.png or NAME.pdf")
    prior = options["prior"] or known.priors[0]
    given = {name: options[name] for name in _OF_THE_PLAN if options[name] is not None}
    if "labels" in given:
        given["labels"] = tuple(int(label) if label.isdecimal() else label for label in given["labels"])
    plan = (known.full if options["full"] else known.quick).asked(**given)
    if options["records"] is not None and plan.baseline is None:
        raise ValueError("--records settles a baseline, which this figure has not: leave it out")
    known.check(plan, prior)
    check_names(options["out"], options["overwrite"])

    facts: dict = {"prior": prior, "command": command}
    if plan.baseline is not None:
        plan, facts["baseline"] = _against(plan, known.masks, prior, options)
        known.check(plan, prior)

    from vipaint_pyro.evaluation.figures.record import facts_of
    from vipaint_pyro.evaluation.figures.scene import scene_of
    from vipaint_pyro.evaluation.figures.watch import Watch

    loading_prior(prior, options["quiet"])
    scene = scene_of(prior, known.masks, plan.images or 1, options["first"], options["seed"], options["data"])
    with one_line_warnings(), Watch(options["quiet"]) as watch:
        drawing = known.draw(scene, plan, watch)
    _written(options["out"], drawing, facts_of(known, scene, plan, facts))


def _against(plan: Plan, masks: str, prior: str, options: dict) -> tuple[Plan, dict]:
    """The plan with the baseline that is settled on, and what is said of the choice."""
    from vipaint_pyro.evaluation.figures.baseline import best_of, by_default, by_name

    if options["baseline"] is not None:
        found = by_name(plan.baseline, options["records"])
    elif options["records"] is not None:
        found = best_of(options["records"], prior, masks)
    else:
        found = by_default(plan.baseline)
    if not options["quiet"]:
        click.echo(f"baseline {found.name}: {found.why}", err=True)
    settings = {**plan.settings, found.name: {**plan.settings.get(found.name, {}), **found.settings}}
    return replace(plan, baseline=found.name, settings=settings), found.said()


def _written(out: Path, drawing: Any, facts: dict) -> None:
    from vipaint_pyro.evaluation.figures.drawing import numbers_beside, write

    write(out, drawing, facts)
    click.echo(f"wrote {out} and {numbers_beside(out)}")
