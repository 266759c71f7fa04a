"""``vipaint inpaint`` of a picture of another size than the prior's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

import click

from vipaint_pyro.cli.output import check_output
from vipaint_pyro.cli.region_options import check_region
from vipaint_pyro.cli.run import draw, generator_of, pipeline_of
from vipaint_pyro.samplers.for_scale import FOR_SCALE
from vipaint_pyro.wording import counted

if TYPE_CHECKING:
    import numpy as np
    import PIL.Image

    from vipaint_pyro.priors.diffusion import DiffusionPrior
    from vipaint_pyro.regions import Region, Square

__all__ = ["run_in_regions", "run_resized"]


def run_in_regions(
    pictures: tuple, region: str | tuple[int, int, int, int], out: Path, options: dict, facts: dict, *,
    inputs: Mapping[str, Path],
) -> None:  # fmt: skip
    """Fill each hole from its squares, and write the completions at the picture's size.

    Args:
        pictures: PIL images of one size: the picture whose bytes are kept, the same without transparency, the mask.
        region: ``"auto"``, ``"tiles"`` or (x, y, w, h).
        out, options, facts, inputs: as :func:`vipaint_pyro.cli.run.run` takes them. Where no label is given, a
            square's label is its share of the picture, if the prior has such.

    Raises:
        ValueError: for a picture that cannot keep its bytes, a hole outside of its region, or a mask of another size,
            before a prior is loaded.
    """
    from vipaint_pyro.cli.left import Left
    from vipaint_pyro.cli.methods import settings_of
    from vipaint_pyro.cli.turns import Turns
    from vipaint_pyro.cli.whole import Whole
    from vipaint_pyro.cli.writing import finish, said_of_end
    from vipaint_pyro.faults import Fault, Stopped
    from vipaint_pyro.regions import Filled, Region, regions_of, taken, tiles_of

    base, opaque, mask = pictures
    hidden = _hidden(opaque, mask)
    given = None
    if not isinstance(region, str):
        left, top, width, _ = region
        check_region(region, mask)
        given = Region(left, top, width, hidden)
    replaceable = check_output(out, options["overwrite"], {**inputs, "prior": Path(options["prior"])})
    settings = settings_of(options)
    pipe = pipeline_of(options)
    side, unit = _side(pipe.prior), _unit(opaque, pipe.prior)
    tiled = region == "tiles"
    squares: Sequence[Square] = [given] if given else tiles_of(hidden, side) if tiled else regions_of(hidden, side)
    for square in squares:  # refused before anything is computed
        taken(square, unit, hidden, side)
    filled = Filled(unit, hidden, joint=tiled)
    turns = Turns(pipe, settings, options, facts, generator_of(options))
    whole, ended = Whole(base, filled, facts, turns.by_share), None
    ahead = Left(squares, options["samples"])
    if fits := ahead.at_first():
        click.echo(fits)
    for k, square in enumerate(squares):
        start, label = perf_counter(), turns.label(square, filled)
        said = f"; label {label}, by its share of the picture" if label else ""
        said += _fits(filled.before(square), 0 if options["method"] in FOR_SCALE else options["samples"])
        click.echo(f"region {k + 1} of {len(squares)}: {_said(square, hidden, side)}{said}")
        try:
            runs, ended = turns.draw(square, filled)
        except (Fault, KeyboardInterrupt) as error:
            if not whole.runs:
                raise
            ended = error if isinstance(error, Fault) else Stopped()
            whole.unfilled = squares[k:]
            break
        whole.add(square, runs)
        if ended is not None:
            whole.unfilled = squares[k + 1 :]
            break
        if not options["quiet"] and (line := ahead.after(perf_counter() - start)):
            click.echo(line, err=True)
    if ended is not None:
        whole.facts["ended_early"] = said_of_end(ended, options["samples"])
    if whole.unfilled:
        click.echo(f"Warning: {_left(whole.unfilled, len(squares), tiled)}", err=True)
    count = f"{whole.count} of {options['samples']} samples in {len(whole.runs)} of {len(squares)} regions"
    finish(out, replaceable, whole.write, ended, count)


def run_resized(
    pictures: tuple, how: str, out: Path, options: dict, facts: dict, *, inputs: Mapping[str, Path]
) -> None:
    """Fill the picture at the prior's size: all of it (``fit``), or the square in its middle (``crop``).

    Args:
        pictures: PIL images of one size: the picture without transparency, and the mask.
        how: ``"fit"`` or ``"crop"``.
        out, options, facts, inputs: as :func:`vipaint_pyro.cli.run.run` takes them.

    Raises:
        ValueError: for a hole that is not in the picture's middle, or a mask of another size, before a prior is loaded.
    """
    import torch

    from vipaint_pyro.cli.metadata import metadata_of
    from vipaint_pyro.cli.methods import settings_of
    from vipaint_pyro.cli.results import write_run
    from vipaint_pyro.cli.turns import as_mask
    from vipaint_pyro.cli.writing import count_of, finish
    from vipaint_pyro.regions import centred, taken

    opaque, mask = pictures
    hidden = _hidden(opaque, mask)
    square = centred(hidden, (max if how == "fit" else min)(hidden.shape))
    inside = square.crop(hidden)
    if not inside.any() or inside.all():
        what = "none of the hole lies" if not inside.any() else "nothing but the hole lies"
        raise ValueError(f"{what} in the middle square, which is all that --resize crop keeps: take --resize fit")
    replaceable = check_output(out, options["overwrite"], {**inputs, "prior": Path(options["prior"])})
    settings = settings_of(options)
    pipe = pipeline_of(options)
    side = _side(pipe.prior)
    click.echo(f"--resize {how}: {_said(square, hidden, side)}{_loss(square, hidden)}")
    small, seen = taken(square, _unit(opaque, pipe.prior), hidden, side)
    images = torch.from_numpy(small), as_mask(seen)
    said = {**facts, "resized": {"how": how, **square.place()}}
    drawn, ended = draw(pipe, images, settings, options, said, seeded=generator_of(options))
    drawn.metadata = metadata_of(opaque)
    finish(out, replaceable, lambda at, replaced: write_run(at, replaced, drawn), ended, count_of(drawn, options))


def _hidden(image: PIL.Image.Image, mask: PIL.Image.Image) -> np.ndarray:
    """What is to be filled, bool (H, W)."""
    from vipaint_pyro.images import to_observed

    return ~to_observed(mask, 1, (image.height, image.width))[0, 0].numpy()


def _side(prior: DiffusionPrior) -> int:
    """The side of a prior's pictures; ValueError where they are no squares."""
    _, height, width = prior.image_shape
    if height != width:
        raise ValueError(f"the prior takes {width}x{height}, no squares: resize or crop the picture yourself")
    return height


def _unit(image: PIL.Image.Image, prior: DiffusionPrior) -> np.ndarray:
    """The whole picture in [0, 1], in the prior's channels (C, H, W)."""
    from vipaint_pyro.images import to_unit

    return to_unit(image, (prior.image_shape[0], image.height, image.width))[0].numpy()


def _left(squares: Sequence[Square], count: int, tiled: bool) -> str:
    """Which holes stay as they were."""
    places = ", ".join(f"{r.side}x{r.side} at {r.left},{r.top}" for r in squares)
    what = "part of the hole" if tiled else "hole"
    some = f"{len(squares)} parts of the hole" if tiled and len(squares) > 1 else counted(len(squares), what)
    stays = "stays" if len(squares) == 1 else "stay"
    return f"{some} of {count} {stays} as in the picture, in the region{'s' * (len(squares) > 1)} {places}"


def _fits(before: Sequence[int], samples: int) -> str:
    """What a square goes on from, where it sees what others have filled; without samples no fits are told of."""
    if not before:
        return ""
    others = f"region{'s' * (len(before) > 1)} {', '.join(str(k + 1) for k in before)}"
    own = f", so that each of {counted(samples, 'sample')} has a fit of its own" if samples else ""
    return f"; sees what {others} filled{own}"


def _said(region: Square, hidden: np.ndarray, side: int) -> str:
    height, width = hidden.shape
    beyond = min(region.left, region.top) < 0
    note = "; what lies beyond the picture is filled too" if beyond else ""
    resized = "the prior's size" if region.side == side else f"resized to {side}x{side}"
    return f"{region.side}x{region.side} at {region.left},{region.top} of {width}x{height}, {resized}{note}"


def _loss(region: Region, hidden: np.ndarray) -> str:
    lost = int(hidden.sum()) - int(region.crop(hidden).sum())
    return f"; {lost} pixels of the hole are cut off" if lost else ""
