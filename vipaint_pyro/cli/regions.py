"""``vipaint inpaint`` of a picture of another size than the prior's."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vipaint_pyro.cli.output import check_output
from vipaint_pyro.cli.run import draw, generator_of, pipeline_of
from vipaint_pyro.wording import counted

if TYPE_CHECKING:
    import numpy as np
    import PIL.Image

    from vipaint_pyro.priors.diffusion import DiffusionPrior
    from vipaint_pyro.regions import Region

__all__ = ["run_in_regions", "run_resized"]


def run_in_regions(
    pictures: tuple, region: str | tuple[int, int, int, int], out: Path, options: dict, facts: dict, *,
    inputs: Mapping[str, Path],
) -> None:  # fmt: skip
    """Fill each hole from its square, with its own fit, and write the completions at the picture's size.

    Args:
        pictures: PIL images of one size: the picture whose bytes are kept, the same without transparency, the mask.
        region: ``"auto"`` or (x, y, w, h).
        out, options, facts, inputs: as :func:`vipaint_pyro.cli.run.run` takes them.

    Raises:
        ValueError: for a picture that cannot keep its bytes, a hole outside of its region, or a mask of another size,
            before a prior is loaded.
    """
    from vipaint_pyro.cli.methods import settings_of
    from vipaint_pyro.cli.whole import Whole
    from vipaint_pyro.cli.writing import finish
    from vipaint_pyro.faults import Fault, Stopped
    from vipaint_pyro.regions import Region, regions_of

    base, opaque, mask = pictures
    hidden = _hidden(opaque, mask)
    given = None
    if not isinstance(region, str):
        left, top, width, _ = region
        given = _checked(Region(left, top, width, hidden), hidden)
    replaceable = check_output(out, options["overwrite"], {**inputs, "prior": Path(options["prior"])})
    settings = settings_of(options)
    pipe = pipeline_of(options)
    side, unit = _side(pipe.prior), _unit(opaque, pipe.prior)
    regions = regions_of(hidden, side) if given is None else [given]
    whole, ended, seeded = Whole(base, unit, hidden, facts), None, generator_of(options)
    small = [_small(square, unit, hidden, side) for square in regions]  # refused before anything is computed
    for k, square in enumerate(regions):
        click.echo(f"region {k + 1} of {len(regions)}: {_said(square, hidden, side)}")
        said = {**facts, "region": _place(square)}
        try:
            drawn, ended = draw(pipe, small[k], dict(settings), options, said, seeded=seeded)
        except (Fault, KeyboardInterrupt) as error:
            if not whole.runs:
                raise
            ended = error if isinstance(error, Fault) else Stopped()
            whole.unfilled = regions[k:]
            break
        whole.add(square, drawn)
        if ended is not None:
            whole.unfilled = regions[k + 1 :]
            break
    count = f"{whole.count} of {options['samples']} samples in {len(whole.runs)} of {len(regions)} regions"
    if whole.unfilled:
        places = ", ".join(f"{r.side}x{r.side} at {r.left},{r.top}" for r in whole.unfilled)
        left = len(whole.unfilled)
        stays = f"{counted(left, 'hole')} of {len(regions)} {'stays' if left == 1 else 'stay'} as in the picture"
        click.echo(f"Warning: {stays}, in the region{'s' * (left > 1)} {places}", err=True)
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
    from vipaint_pyro.cli.methods import settings_of
    from vipaint_pyro.cli.results import write_run
    from vipaint_pyro.cli.writing import count_of, finish
    from vipaint_pyro.regions import centred

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
    images = _small(square, _unit(opaque, pipe.prior), hidden, side)
    said = {**facts, "resized": {"how": how, **_place(square)}}
    drawn, ended = draw(pipe, images, settings, options, said, seeded=generator_of(options))
    finish(out, replaceable, lambda at, replaced: write_run(at, replaced, drawn), ended, count_of(drawn, options))


def _hidden(image: PIL.Image.Image, mask: PIL.Image.Image) -> np.ndarray:
    """What is to be filled, bool (H, W)."""
    from vipaint_pyro.images import to_observed

    return ~to_observed(mask, 1, (image.height, image.width))[0, 0].numpy()


def _checked(region: Region, hidden: np.ndarray) -> Region:
    """A region of the user's; ValueError where it leaves the picture or the hole, or knows nothing."""
    height, width = hidden.shape
    said = f"--region {region.left},{region.top},{region.side},{region.side}"
    if region.left + region.side > width or region.top + region.side > height:
        raise ValueError(f"{said} leaves the picture, which is {width}x{height}")
    if not region.holds(hidden):
        raise ValueError(f"the hole leaves {said}: take a larger square, or --region auto")
    if region.crop(hidden).all():
        raise ValueError(f"{said} is all hole, so that nothing is known there: take a larger square")
    return region


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


def _small(region: Region, unit: np.ndarray, hidden: np.ndarray, side: int) -> tuple:
    """A square at the prior's size: a tensor, and its mask as a picture."""
    import numpy as np
    import PIL.Image
    import torch

    from vipaint_pyro.regions import taken

    small, seen = taken(region, unit, hidden, side)
    return torch.from_numpy(small), PIL.Image.fromarray((~seen).astype(np.uint8) * np.uint8(255))


def _place(region: Region) -> dict:
    return {"left": region.left, "top": region.top, "side": region.side}


def _said(region: Region, hidden: np.ndarray, side: int) -> str:
    height, width = hidden.shape
    beyond = min(region.left, region.top) < 0
    note = "; what lies beyond the picture is filled too" if beyond else ""
    resized = "the prior's size" if region.side == side else f"resized to {side}x{side}"
    return f"{region.side}x{region.side} at {region.left},{region.top} of {width}x{height}, {resized}{note}"


def _loss(region: Region, hidden: np.ndarray) -> str:
    lost = int(hidden.sum()) - int(region.crop(hidden).sum())
    return f"; {lost} pixels of the hole are cut off" if lost else ""
