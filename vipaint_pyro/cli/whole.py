"""What filling in regions leaves on disk: completions at the picture's own size, and a folder for each region."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import PIL.Image
import torch

from vipaint_pyro.cli.metadata import fitting, metadata_of
from vipaint_pyro.cli.results import Run, write_run
from vipaint_pyro.cli.run_page import PAGE, run_page
from vipaint_pyro.cli.shown import shown_spread
from vipaint_pyro.evaluation.versions import versions
from vipaint_pyro.files import replacing
from vipaint_pyro.plots import most_different, observed_picture, samples_figure
from vipaint_pyro.regions import Filled, Square
from vipaint_pyro.regions.near import Box, near, reduced

__all__ = ["Whole"]

_SIDE = 256  # pixels of a picture in the grid
_WRITERS = 2  # a picture of each is in memory
_LEVEL = 1  # of zlib: of photographs files as small as at the usual 6, in a quarter of the time


class Whole:
    """A picture at its own size and what was drawn of its regions.

    Args:
        base: the PIL image whose known bytes stay.
        filled: the same in the prior's channels, with nothing filled yet.
        facts: what run.json should say.
        by_share: whether a square has a label of its own.

    Attributes:
        runs: square by square one run of all samples, or one of each.
        unfilled: regions whose holes stay as they were, since what was to fill them was ended before.
    """

    def __init__(self, base: PIL.Image.Image, filled: Filled, facts: dict, by_share: bool = False):
        self.base, self.filled, self.facts, self.by_share = base, filled, facts, by_share
        self.runs: list[tuple[Square, list[Run]]] = []
        self.unfilled: Sequence[Square] = []
        self._before: list[list[int]] = []
        self._metadata = metadata_of(base)

    def add(self, square: Square, runs: list[Run]) -> None:
        """What was drawn of a square: a run of all samples, or where it sees what was filled before one of each."""
        self._before.append(self.filled.before(square))
        self.runs.append((square, runs))
        self.filled.fill(square, _images(runs).float().numpy())

    @property
    def count(self) -> int:
        """How many samples every region has."""
        return self.filled.count

    def write(self, folder: Path, overwrite: bool | Callable[[Path], bool]) -> None:
        """Write the folder, all or none.

        At the picture's own size ``observed.png``, ``sample-00.png`` ..., ``mean.png`` and ``std.png`` (white =
        ``std_white`` of run.json); of what is shown of a large picture ``grid.png`` and ``spread.png``;
        ``report.html``, ``run.json``, and ``region-1`` ....

        A region's folder is what :func:`vipaint_pyro.cli.results.write_run` writes, at the prior's size; where each
        sample has a fit of its own, there is such a folder for each in it, ``sample-00`` ....
        """
        boxes = near([square for square, _ in self.runs], self.base.size)
        with replacing(folder, overwrite) as out:
            small = self._pictures(out, boxes)
            first, *samples = (_for_grid(picture) for picture in small.values())
            samples_figure(torch.stack(samples), observed=first, side=_SIDE).savefig(out / "grid.png")
            shown = {"spread": shown_spread(torch.stack(samples), first)}
            shown["spread"].figure.savefig(out / "spread.png")
            spread, white = self.filled.spread()
            self._save(spread, out / "std.png")
            self._save(self.filled.mean(self.base), out / "mean.png")
            parts = dict(self._folders())
            for name, run in parts.items():
                write_run(out / name, False, run, folder / name)
            facts = self._facts() | {"std_white": white} | ({"shown": [[*box] for box in boxes]} if boxes else {})
            page = run_page(out, folder, facts, shown=shown, order=self._order(), regions=list(parts), small=small)
            (out / PAGE).write_text(page, encoding="utf-8")
            (out / "run.json").write_text(json.dumps(facts, indent=2, allow_nan=False) + "\n")

    def _pictures(self, out: Path, boxes: Sequence[Box]) -> Mapping[str, PIL.Image.Image]:
        """Write what was given and the samples; file name -> what is shown of each."""
        made = {"observed.png": self._observed}
        made |= {f"sample-{i:02d}.png": partial(self.filled.picture, self.base, i) for i in range(self.count)}

        def write(name: str) -> PIL.Image.Image:
            picture = made[name]()
            self._save(picture, out / name)
            return reduced(picture, boxes)

        with ThreadPoolExecutor(_WRITERS) as writers:
            return dict(zip(made, writers.map(write, made)))

    def _save(self, picture: PIL.Image.Image, path: Path) -> None:
        picture.save(path, **fitting(self._metadata, picture.mode), compress_level=_LEVEL)

    def _observed(self) -> PIL.Image.Image:
        """The picture with its holes in lilac, made strip by strip: whole, its copies in floats would take much."""
        unit, hidden = self.filled.unit, self.filled.hidden
        picture = PIL.Image.new("RGB", hidden.shape[::-1])
        for top in range(0, len(hidden), _SIDE):
            rows = slice(top, top + _SIDE)
            strip = observed_picture(torch.from_numpy(unit[:, rows]), torch.from_numpy(~hidden[rows])[None])
            picture.paste(strip, (0, top))
        return picture

    def _folders(self) -> Iterator[tuple[str, Run]]:
        """Name -> what is written there."""
        for k, (_, runs) in enumerate(self.runs):
            if self._before[k]:
                yield from ((f"region-{k + 1}/sample-{i:02d}", run) for i, run in enumerate(runs))
            else:
                yield f"region-{k + 1}", runs[0]

    def _order(self) -> list[int]:
        """The samples that differ most in the regions first."""
        return most_different(torch.cat([_images(runs)[: self.count].flatten(1) for _, runs in self.runs], 1))

    def _facts(self) -> dict:
        first = self.runs[0][1][0].facts
        own = ("region", "kind", "ended_early", *(("label", "label_name") if self.by_share else ()))
        said = {key: value for key, value in first.items() if key not in own}
        ended = {"unfilled": [square.place() for square in self.unfilled]} if self.unfilled else {}
        ended["kind"] = [runs[0].facts["kind"] for _, runs in self.runs]
        hidden = float(self.filled.hidden.mean())
        count = {"num_samples": self.count, "hidden_fraction": hidden, "size": [*self.base.size]}
        return {**self.facts, **said, **ended, **count, "regions": self._regions(), "versions": versions()}

    def _regions(self) -> list[dict]:
        """In turn: where each lies; of tiles how much each filled and which, from 1 on, it saw; the class by share."""
        found = []
        for (square, runs), before in zip(self.runs, self._before):
            place: dict = square.place()
            if self.filled.joint:
                place |= {"filled": len(square.pixels()[0]), "sees": [k + 1 for k in before], "fits": len(runs)}
            if self.by_share:
                place["label"] = runs[0].facts["label"]
            found.append(place)
        return found


def _images(runs: Sequence[Run]) -> torch.Tensor:
    """All samples of a square, (S, C, H, W) in [0, 1]."""
    return torch.cat([torch.as_tensor(run.output.images, device="cpu") for run in runs])


def _for_grid(picture: PIL.Image.Image) -> torch.Tensor:
    """A picture for a grid, (3, H, W) in [0, 1]: a large one made smaller."""
    small = picture.convert("RGB")
    small.thumbnail((2 * _SIDE, 2 * _SIDE), PIL.Image.Resampling.BICUBIC)
    return torch.from_numpy(np.array(small)).permute(2, 0, 1) / 255
