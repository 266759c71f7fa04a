"""What filling in regions leaves on disk: completions at the picture's own size, and a folder for each region."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import PIL.Image
import torch

from vipaint_pyro.cli.results import Run, write_run
from vipaint_pyro.cli.run_page import PAGE, run_page
from vipaint_pyro.evaluation.versions import versions
from vipaint_pyro.files import replacing
from vipaint_pyro.plots import most_different, observed_picture, samples_figure
from vipaint_pyro.regions import Filled, Square, put

__all__ = ["Whole"]

_SIDE = 256  # pixels of a picture in the grid


class Whole:
    """A picture at its own size and what was drawn of its regions.

    Args:
        base: the PIL image whose known bytes stay.
        filled: the same in the prior's channels, with nothing filled yet.
        facts: what run.json should say.

    Attributes:
        runs: square by square one run of all samples, or one of each.
        unfilled: regions whose holes stay as they were, since what was to fill them was ended before.
    """

    def __init__(self, base: PIL.Image.Image, filled: Filled, facts: dict):
        self.base, self.filled, self.facts = base, filled, facts
        self.runs: list[tuple[Square, list[Run]]] = []
        self.unfilled: Sequence[Square] = []
        self._before: list[list[int]] = []

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
        """Write the samples, ``grid.png``, ``report.html``, ``run.json`` and ``region-0`` ..., all or none.

        A region's folder is what :func:`vipaint_pyro.cli.results.write_run` writes, at the prior's size; where each
        sample has a fit of its own, there is such a folder for each in it, ``sample-00`` ....
        """
        unit, hidden = self.filled.unit, self.filled.hidden
        observed = observed_picture(torch.from_numpy(unit), torch.from_numpy(~hidden)[None])
        profile, shown = self.base.info.get("icc_profile"), []
        with replacing(folder, overwrite) as out:
            observed.save(out / "observed.png", icc_profile=profile)
            for i in range(self.count):
                picture = put(self.base, self.filled.pieces(i))
                picture.save(out / f"sample-{i:02d}.png", icc_profile=profile)
                shown.append(_shown(picture))
            figure = samples_figure(torch.stack(shown), observed=_shown(observed), side=_SIDE)
            figure.savefig(out / "grid.png")
            for name, run in self._folders():
                write_run(out / name, False, run, folder / name)
            facts = self._facts()
            page = run_page(out, folder, facts, order=self._order(), regions=[name for name, _ in self._folders()])
            (out / PAGE).write_text(page, encoding="utf-8")
            (out / "run.json").write_text(json.dumps(facts, indent=2, allow_nan=False) + "\n")

    def _folders(self) -> Iterator[tuple[str, Run]]:
        """Name -> what is written there."""
        for k, (_, runs) in enumerate(self.runs):
            if self._before[k]:
                yield from ((f"region-{k}/sample-{i:02d}", run) for i, run in enumerate(runs))
            else:
                yield f"region-{k}", runs[0]

    def _order(self) -> list[int]:
        """The samples that differ most in the regions first."""
        return most_different(torch.cat([_images(runs)[: self.count].flatten(1) for _, runs in self.runs], 1))

    def _facts(self) -> dict:
        first = self.runs[0][1][0].facts
        own = ("region", "kind", *(("label",) if self.facts.get("automatic") else ()))
        said = {key: value for key, value in first.items() if key not in own}
        ended = {"unfilled": [_place(square) for square in self.unfilled]} if self.unfilled else {}
        ended["kind"] = [runs[0].facts["kind"] for _, runs in self.runs]
        hidden = float(self.filled.hidden.mean())
        count = {"num_samples": self.count, "hidden_fraction": hidden, "size": [*self.base.size]}
        return {**self.facts, **said, **ended, **count, "regions": self._regions(), "versions": versions()}

    def _regions(self) -> list[dict]:
        """In turn: where each lies; of squares that see what others fill what each did; of a chosen prior the class."""
        found = []
        for (square, runs), before in zip(self.runs, self._before):
            place: dict = _place(square)
            if self.filled.joint:
                place |= {"filled": len(square.pixels()[0]), "sees": before, "fits": len(runs)}
            if self.facts.get("automatic"):
                place["label"] = runs[0].facts["label"]
            found.append(place)
        return found


def _images(runs: Sequence[Run]) -> torch.Tensor:
    """All samples of a square, (S, C, H, W) in [0, 1]."""
    return torch.cat([torch.as_tensor(run.output.images, device="cpu") for run in runs])


def _place(region: Square) -> dict[str, int]:
    return {"left": region.left, "top": region.top, "side": region.side}


def _shown(picture: PIL.Image.Image) -> torch.Tensor:
    """A picture for a grid, (3, H, W) in [0, 1]: a large one made smaller."""
    small = picture.convert("RGB")
    small.thumbnail((2 * _SIDE, 2 * _SIDE), PIL.Image.Resampling.BICUBIC)
    return torch.from_numpy(np.array(small)).permute(2, 0, 1) / 255
