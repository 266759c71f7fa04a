"""``vipaint ablate``: a grid of settings in one table and one picture."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from vipaint_pyro.cli.completion import COMPLETERS
from vipaint_pyro.cli.loading import loading_libraries
from vipaint_pyro.cli.output import NamedPath, NameOrPath
from vipaint_pyro.cli.reporting import one_line_warnings, reporting

if TYPE_CHECKING:
    from vipaint_pyro.evaluation.ablation.grids import Grid
    from vipaint_pyro.evaluation.ablation.ground import Ground

__all__ = ["ablate"]

#: Options of settings, and which: any other is --set NAME=V,V.
_GRID = {
    "guide": "guide", "beta": "beta", "levels": "levels", "top": "T_e", "bottom": "T_s", "noise_scale": "noise_scale",
}  # fmt: skip
_HOW = ("on", "more", "x", "color", "panels", "measure", "skip_impossible", "dry_run", "workers", "out")


def _options() -> list[Callable]:
    def values(option: str, name: str, text: str) -> Callable:
        return click.option(option, name, metavar="V,V", help=text, shell_complete=COMPLETERS.get(option))

    whole = click.IntRange(1)
    return [
        click.option("--on", type=NameOrPath(), multiple=True, required=True, metavar="D,D_Y|PRIOR",
                     help="A cell of exact problems, like 8,1, may be repeated; or a prior, to be measured on "
                          "pictures: a built-in name, a diffusers folder or a hub id."),
        values("--guide", "guide", "Guides, of exact problems also NAME+psis, NAME+smc and NAME+tds."),
        values("--beta", "beta", "Weights of the KL terms in the bound."),
        values("--levels", "levels", "Numbers of levels K. With neither --T_e nor --T_s they lie where VIPaint-K has "
                                     "them, else geometrically from T_e down to T_s."),
        values("--T_e", "top", "Highest level, as its ratio of noise to signal."),
        values("--T_s", "bottom", "Lowest level, likewise. One level is at T_e."),
        values("--noise-scale", "noise_scale", "b of the Laplace likelihood that the fit has."),
        click.option("--set", "more", multiple=True, metavar="NAME=V,V",
                     help="Any other setting, may be repeated: on pictures of VIPaint (vipaint methods vipaint), on "
                          "exact problems fit-steps, fit-chains, steps, likelihood, kernel. A value default leaves a "
                          "setting out."),
        click.option("--problems", type=click.IntRange(2), help="Of each cell.  [default: 20]"),
        click.option("--tune", is_flag=True, default=None, help="The problems to tune on (from 20 on) instead."),
        click.option("--samples", type=whole, help="Of each problem, 100 at least, or picture.  [default: 2000; 5]"),
        click.option("--masks", help="Of pictures, by commas: rotated, random, small, box."),
        click.option("--task", help="Of pictures, by commas: super-resolution, deblur, motion-deblur, colorization."),
        click.option("--data", type=NameOrPath(),
                     help="Of pictures: as vipaint evaluate takes them.  [default: the prior's own]"),
        click.option("--split", help="Of the data.  [default: test]"),
        click.option("--images", type=whole, help="How many.  [default: 20]"),
        click.option("--first", type=click.IntRange(0), help="The number of the first image.  [default: 0]"),
        click.option("--labels", type=NameOrPath(), help="true, none, or a file of prompts.  [default: true]"),
        click.option("--seed", type=click.IntRange(0, 2**63 - 1), help="Of pictures.  [default: 0]"),
        click.option("--device", help="Of pictures: cpu, cuda ...; auto: the accelerator.  [default: cpu]"),
        click.option("--workers", default=1, show_default=True, type=whole, help="Of pictures: how many at once."),
        click.option("--x", help="Setting along the picture's axis.  [default: that of the most numbers]"),
        click.option("--color", help="Setting that has a line for each value.  [default: the guide, or the next]"),
        click.option("--panels", help="Setting that has a panel for each value.  [default: the next]"),
        click.option("--measure", help="What is drawn, any column of summary.csv.  [default: bound_gap, LPIPS]"),
        click.option("--skip-impossible", is_flag=True, help="Leave combinations out that cannot be."),
        click.option("--dry-run", is_flag=True, help="Say how many there are and what they cost; compute nothing."),
        click.option("--out", type=NamedPath(), default="vipaint-ablate", show_default=True,
                     help="Where records are kept, and a run goes on."),
    ]  # fmt: skip


def _with_options(command: Callable) -> Callable:
    for option in reversed(_options()):
        command = option(command)
    return command


@click.command()
@_with_options
def ablate(**options: Any) -> None:
    """Measure every combination of settings, on exact problems or on pictures.

    Each setting takes values by commas, and the grid is their product: --guide hierarchical,mean-field --beta 0.3,1
    --levels 1,2,4. Writes records.csv (a row per combination and problem), summary.csv and summary.md (means, standard
    errors, paired differences to the first combination) and ablation.png. The same command goes on where an ended one
    was; with more values it computes what is new.
    """
    with reporting():
        _check_set(options["more"])
        loading_libraries()
        from vipaint_pyro.evaluation.ablation.grids import grid_of
        from vipaint_pyro.evaluation.ablation.grounds import ground_of

        out = options["out"]
        about = {n: v for n, v in options.items() if n not in (*_GRID, *_HOW) and v is not None}
        with one_line_warnings():
            ground = ground_of(options["on"], out, _read(about))
            for name in about:
                if name not in ground.about:
                    raise ValueError(f"--{name} is not for {ground.noun}: leave it out")
            grid = grid_of(ground, out, _values(ground, options), options["skip_impossible"])
            grid.check_figure(**_axes(options))
            click.echo(grid.size())
            for combination, said in grid.left_out.items():
                click.echo(f"left out: {combination}: {said}")
            if options["dry_run"]:
                click.echo(grid.cost() or "nothing is to be computed")
                return
            _compute(grid, options)


def _compute(grid: Grid, options: Mapping) -> None:
    from vipaint_pyro.evaluation.ablation.written import draw, markdown

    out = options["out"]
    try:
        found = grid.compute(click.echo, options["workers"])
    except KeyboardInterrupt as error:
        raise KeyboardInterrupt(f"what was finished is kept in {out}, and the same command goes on") from error
    draw(found, out, **_axes(options))
    click.echo(markdown(found))
    click.echo(f"wrote {out}/records.csv, summary.csv, summary.md and ablation.png")
    if found.failed:
        click.echo(f"{found.failed} failed, as records.csv says: the same command tries them again")
        raise SystemExit(1)


def _axes(options: Mapping) -> dict[str, str | None]:
    return {name: options[name] for name in ("x", "color", "panels", "measure")}


def _read(about: Mapping[str, Any]) -> dict[str, object]:
    """What is measured on, as the library takes it."""
    found = dict(about)
    for name in ("masks", "task"):
        if name in found:
            found[name] = tuple(word.strip() for word in found[name].split(","))
    if "device" in found:
        from vipaint_pyro.cli.devices import chosen_device

        found["device"] = str(chosen_device(found["device"]))
    return found


def _check_set(more: Sequence[str]) -> None:
    for text in more:
        name, equals, given = text.partition("=")
        if not (name.strip() and equals and given.strip()):
            raise ValueError(f"--set takes NAME=V,V, not {text!r}")


def _values(ground: Ground, options: Mapping) -> dict[str, list]:
    """The values of each setting that is given, in the order of the options, then of --set."""
    texts = {name: options[option] for option, name in _GRID.items() if options[option] is not None}
    for text in options["more"]:
        name, _, given = text.partition("=")
        name = name.strip().replace("-", "_")
        if name in texts:
            raise ValueError(f"--set {name} is given besides: give all of its values at once")
        texts[name] = given
    found: dict[str, list] = {}
    for name, given in texts.items():
        ground.check_name(name)
        words = [word.strip() for word in given.split(",")]
        found[name] = [None if word == "default" else ground.read(name, word) for word in words]
    return found
