"""What filling in regions leaves on disk: completions at the picture's own size, and a folder for each region."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import PIL.Image
import torch

from vipaint_pyro.cli.results import Run, write_run
from vipaint_pyro.cli.run_page import PAGE, run_page
from vipaint_pyro.evaluation.versions import versions
from vipaint_pyro.files import replacing
from vipaint_pyro.plots import most_different, observed_picture, samples_figure
from vipaint_pyro.regions import Region, completed

__all__ = ["Whole"]

_SIDE = 256  # pixels of a picture in the grid


class Whole:
    """A picture at its own size and what was drawn of its regions.

    Args:
        base: the PIL image whose known bytes stay.
        unit: the same in [0, 1], float (C, H, W), in the prior's channels.
        hidden: bool (H, W).
        facts: what run.json should say.

    Attributes:
        unfilled: regions whose holes stay as they were, since what was to fill them was ended before.
    """

    def __init__(self, base: PIL.Image.Image, unit: np.ndarray, hidden: np.ndarray, facts: dict):
        self.base, self.unit, self.hidden, self.facts = base, unit, hidden, facts
        self.runs: list[tuple[Region, Run]] = []
        self.unfilled: list[Region] = []

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
        """Write the samples, ``grid.png``, ``report.html``, ``run.json`` and ``region-0`` ..., all or none.

        A region's folder is what :func:`vipaint_pyro.cli.results.write_run` writes, at the prior's size.
        """
        observed = observed_picture(torch.from_numpy(self.unit), torch.from_numpy(~self.hidden)[None])
        samples, profile = self.completions(), self.base.info.get("icc_profile")
        with replacing(folder, overwrite) as out:
            observed.save(out / "observed.png", icc_profile=profile)
            for i, picture in enumerate(samples):
                picture.save(out / f"sample-{i:02d}.png", icc_profile=profile)
            figure = samples_figure(torch.stack([_shown(p) for p in samples]), observed=_shown(observed), side=_SIDE)
            figure.savefig(out / "grid.png")
            for k, (_, run) in enumerate(self.runs):
                write_run(out / f"region-{k}", False, run, folder / f"region-{k}")
            facts = self._facts()
            page = run_page(out, folder, facts, order=self._order(), regions=len(self.runs))
            (out / PAGE).write_text(page, encoding="utf-8")
            (out / "run.json").write_text(json.dumps(facts, indent=2, allow_nan=False) + "\n")

    def _order(self) -> list[int]:
        """The samples that differ most in the regions first."""
        drawn = [torch.as_tensor(run.output.images, device="cpu")[: self.count].flatten(1) for _, run in self.runs]
        return most_different(torch.cat(drawn, 1))

    def _facts(self) -> dict:
        first = self.runs[0][1].facts
        places = [_place(r) for r, _ in self.runs]
        hidden = float(self.hidden.mean())
        said = {key: value for key, value in first.items() if key not in ("region", "kind")}
        ended = {"unfilled": [_place(r) for r in self.unfilled]} if self.unfilled else {}
        ended["kind"] = [run.facts["kind"] for _, run in self.runs]
        count = {"num_samples": self.count, "hidden_fraction": hidden, "size": [*self.base.size]}
        return {**self.facts, **said, **ended, **count, "regions": places, "versions": versions()}


def _place(region: Region) -> dict[str, int]:
    return {"left": region.left, "top": region.top, "side": region.side}


def _shown(picture: PIL.Image.Image) -> torch.Tensor:
    """A picture for a grid, (3, H, W) in [0, 1]: a large one made smaller."""
    small = picture.convert("RGB")
    small.thumbnail((2 * _SIDE, 2 * _SIDE), PIL.Image.Resampling.BICUBIC)
    return torch.from_numpy(np.array(small)).permute(2, 0, 1) / 255
