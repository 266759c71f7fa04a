"""What filling in regions leaves on disk: completions at the picture's own size, and a folder for each region."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import PIL.Image
import torch

from vipaint_pyro.cli.results import Run, write_run
from vipaint_pyro.evaluation.versions import versions
from vipaint_pyro.files import replacing
from vipaint_pyro.plots import grid, observed_picture
from vipaint_pyro.regions import Region, completed

__all__ = ["Whole"]


class Whole:
    """A picture at its own size and what was drawn of its regions.

    Args:
        base: the PIL image whose known bytes stay.
        unit: the same in [0, 1], float (C, H, W), in the prior's channels.
        hidden: bool (H, W).
        facts: what run.json should say.
    """

    def __init__(self, base: PIL.Image.Image, unit: np.ndarray, hidden: np.ndarray, facts: dict):
        self.base, self.unit, self.hidden, self.facts = base, unit, hidden, facts
        self.runs: list[tuple[Region, Run]] = []

    def add(self, region: Region, run: Run) -> None:
        """What was drawn of a region."""
        self.runs.append((region, run))

    @property
    def count(self) -> int:
        """How many samples every region has."""
        return min(len(run.output.images) for _, run in self.runs)

    def completions(self) -> list[PIL.Image.Image]:
        """The picture, in its own mode, with each sample in its holes; every other byte is as it was."""
        return [self._completion(i) for i in range(self.count)]

    def _completion(self, i: int) -> PIL.Image.Image:
        squares = [
            (region, torch.as_tensor(run.output.images[i], device="cpu").float().numpy()) for region, run in self.runs
        ]
        return completed(self.base, self.unit, self.hidden, squares)

    def write(self, folder: Path, overwrite: bool | Callable[[Path], bool]) -> None:
        """Write ``observed.png``, ``sample-00.png`` ..., ``grid.png``, ``run.json`` and ``region-0`` ..., all or none.

        A region's folder is what :func:`vipaint_pyro.cli.results.write_run` writes, at the prior's size.
        """
        observed = observed_picture(torch.from_numpy(self.unit), torch.from_numpy(~self.hidden)[None])
        samples, profile = self.completions(), self.base.info.get("icc_profile")
        with replacing(folder, overwrite) as out:
            observed.save(out / "observed.png", icc_profile=profile)
            for i, picture in enumerate(samples):
                picture.save(out / f"sample-{i:02d}.png", icc_profile=profile)
            labels = ["observed", *[f"sample {i}" for i in range(len(samples))]]
            grid([[_in_square(p) for p in (observed, *samples)]], labels, 224).save(out / "grid.png")
            for k, (_, run) in enumerate(self.runs):
                write_run(out / f"region-{k}", False, run)
            (out / "run.json").write_text(json.dumps(self._facts(), indent=2, allow_nan=False) + "\n")

    def _facts(self) -> dict:
        first = self.runs[0][1].facts
        places = [{"left": r.left, "top": r.top, "side": r.side} for r, _ in self.runs]
        hidden = float(self.hidden.mean())
        said = {key: value for key, value in first.items() if key != "region"}
        count = {"num_samples": self.count, "hidden_fraction": hidden, "size": [*self.base.size]}
        return {**self.facts, **said, **count, "regions": places, "versions": versions()}


def _in_square(picture: PIL.Image.Image, side: int = 224) -> PIL.Image.Image:
    """A picture made to fit a square of white, for a grid."""
    shown = picture.convert("RGB")
    scale = side / max(shown.size)
    size = tuple(max(1, round(scale * length)) for length in shown.size)
    sheet = PIL.Image.new("RGB", (side, side), (255, 255, 255))
    small = shown.resize(size, PIL.Image.Resampling.BICUBIC)
    sheet.paste(small, ((side - size[0]) // 2, (side - size[1]) // 2))
    return sheet
