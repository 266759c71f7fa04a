"""``vipaint priors --for PICTURE``: which prior's kind a picture is of, nearest first."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import diffusers
import numpy as np
import PIL.Image
import torch

from vipaint_pyro.cli.prior_facts import size_in_words
from vipaint_pyro.images import read_image, to_model, to_observed
from vipaint_pyro.kind.check import KindCheck, checked_kind
from vipaint_pyro.measurements.inpainting import Inpainting
from vipaint_pyro.measurements.measurement import Measurement
from vipaint_pyro.pipelines.vipaint import VIPaintPipeline
from vipaint_pyro.priors.diffusion import DiffusionPrior
from vipaint_pyro.priors.pretrained.automatic import own_way
from vipaint_pyro.priors.pretrained.built_in import BUILT_IN
from vipaint_pyro.reading import InColour, one_to_unit
from vipaint_pyro.regions import Square, centred, keepable, regions_of, shrunk, tiles_of
from vipaint_pyro.wording import counted

__all__ = ["lines_of", "ranked"]


def ranked(picture: Path, mask: Path | None, folders: Sequence[str]) -> list[dict[str, object]]:
    """The built-in priors and those of folders, the one whose kind the picture is of first.

    Args:
        picture: its file.
        mask: white where it is to be filled; None looks at all of it.
        folders: priors besides, as ``--prior`` takes them.

    Returns:
        Of each ``{"prior", "size", "verdict", "strangeness", "limit", "text", "would"}``; those that it is not known of
        come after those that it is, and those that do not take the picture last.

    Raises:
        ValueError, OSError: for a file that is no picture, a mask of another size, or a prior that cannot be loaded.
    """
    diffusers.utils.logging.disable_progress_bar()
    image, _ = keepable(read_image(picture))
    if mask is None:
        hidden = np.zeros((image.height, image.width), bool)
    else:
        hidden = ~to_observed(read_image(mask), 1, (image.height, image.width))[0, 0].numpy()
    found = [_row(name, image, hidden) for name in dict.fromkeys([*BUILT_IN, *folders])]
    return sorted(found, key=_place)


def _place(row: dict) -> tuple[bool, bool, float]:
    known = row["strangeness"] is not None
    return row["would"] is None, not known, row["strangeness"] / row["limit"] if known else 0.0


def _row(name: str, image: PIL.Image.Image, hidden: np.ndarray) -> dict[str, object]:
    pipe = VIPaintPipeline.from_pretrained(name)
    channels, height, width = pipe.prior.image_shape
    row = {"prior": name, "size": size_in_words(pipe.prior.image_shape)}
    try:
        unit = one_to_unit(image, channels).numpy()
    except InColour:
        why = "the prior takes grey pictures, and this one is in colour"
        return {**row, "verdict": "does not take it", "strangeness": None, "limit": None, "text": why, "would": None}
    if height != width and (image.height, image.width) != (height, width):
        why = f"the prior takes {width}x{height}, no squares: resize or crop the picture yourself"
        return {**row, "verdict": "does not take it", "strangeness": None, "limit": None, "text": why, "would": None}
    squares, would = _squares(name, hidden, (height, width))
    worst = max((_look(pipe, unit, hidden, square) for square in squares), key=_strange)
    verdict = {True: "of its kind", False: "not of its kind", None: "unknown"}[worst.of_kind]
    said = {"verdict": verdict, "strangeness": worst.strangeness, "limit": worst.limit, "text": worst.text}
    return {**row, **said, "would": would}


def _strange(found: KindCheck) -> float:
    return -1.0 if found.strangeness is None else found.strangeness


def _squares(name: str, hidden: np.ndarray, size: tuple[int, int]) -> tuple[list[Square | None], str]:
    """The squares that would be looked at, None for the whole picture; and what a run would do with it, in words."""
    if hidden.shape == size:
        return [None], "is taken as it is"
    height, width = hidden.shape
    if hidden.any():
        way, of = ("tiles", tiles_of) if own_way(name, (width, height)) else ("auto", regions_of)
        squares: list[Square | None] = [*of(hidden, size[0])]
        sides = ", ".join(f"{s.side}x{s.side} at {s.left},{s.top}" for s in squares if s is not None)
        return squares, f"--region {way} takes {counted(len(squares), 'square')} of {width}x{height}: {sides}"
    square = centred(hidden, min(hidden.shape))
    return [square], f"--resize crop takes the middle {square.side}x{square.side} of {width}x{height}"


def _look(pipe: VIPaintPipeline, unit: np.ndarray, hidden: np.ndarray, square: Square | None) -> KindCheck:
    """What the check says of a square, at the prior's size."""
    if square is None:
        small, seen = unit, ~hidden
    else:
        known = square.crop(np.ones_like(hidden)) & ~square.crop(hidden)
        small, seen = shrunk(square.crop(unit), known, pipe.prior.image_shape[1])
    return checked_kind(_plain(pipe), _measured(small, seen, pipe.prior), pipe.kind)[0]


def _measured(small: np.ndarray, seen: np.ndarray, prior: DiffusionPrior) -> Measurement:
    operator = Inpainting(torch.from_numpy(np.ascontiguousarray(seen))[None, None])
    y = to_model(torch.from_numpy(np.ascontiguousarray(small))[None])
    return Measurement.of(operator, torch.where(operator.observed, y, 0).to(prior.dtype))


def _plain(pipe: VIPaintPipeline) -> DiffusionPrior:
    """The prior given what it needs: the empty prompt, where its kind is known at all."""
    return pipe.conditioned(1) if pipe.prior.needs and pipe.kind is not None else pipe.prior


def lines_of(rows: Sequence[dict[str, object]]) -> list[str]:
    """The same for people."""
    lines = []
    for k, row in enumerate(rows, 1):
        near = "" if row["strangeness"] is None else f", strangeness {row['strangeness']:.2f} of {row['limit']:.2f}"
        lines.append(f"{k}. {row['prior']} ({row['size']}): {row['verdict']}{near}")
        lines.append(f"   {row['would'] or row['text']}")
        if row["verdict"] == "unknown":
            lines.append(f"   {row['text']}")
    return lines
