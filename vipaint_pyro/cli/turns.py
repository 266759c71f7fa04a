"""Square by square: one fit for all samples, or where a square sees what others have filled a fit for each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click
import numpy as np
import PIL.Image
import torch

from vipaint_pyro.cli.run import draw
from vipaint_pyro.datasets.shares import are_shares, share_name
from vipaint_pyro.faults import Fault, Stopped
from vipaint_pyro.samplers.for_scale import FOR_SCALE

if TYPE_CHECKING:
    from vipaint_pyro.cli.results import Run
    from vipaint_pyro.regions import Filled, Square

__all__ = ["Turns", "as_mask"]


@dataclass
class Turns:
    """What all squares of a picture are drawn with.

    Attributes:
        pipe: of :func:`vipaint_pyro.cli.run.pipeline_of`.
        settings, options, facts: as :func:`vipaint_pyro.cli.run.draw` takes them.
        seeded: what all randomness comes from.
    """

    pipe: Any
    settings: dict
    options: dict
    facts: dict
    seeded: torch.Generator

    @property
    def side(self) -> int:
        """Of the prior's pictures."""
        return self.pipe.prior.image_shape[-1]

    @property
    def by_share(self) -> bool:
        """Whether a square's class is how much of the picture it spans; a method without a network asks for none."""
        return self.options["method"] not in FOR_SCALE and are_shares(self.pipe.prior.class_names)

    def label(self, square: Square, filled: Filled) -> str | None:
        """The class that is taken for a square because none is given: its share of the picture."""
        if not self.by_share or self.options["label"] is not None:
            return None
        return share_name(square.side, max(filled.hidden.shape))

    def draw(self, square: Square, filled: Filled) -> tuple[list[Run], Fault | Stopped | None]:
        """Fit and draw a square: one run of all samples, or one of each; and what ended it early.

        Raises:
            As :func:`vipaint_pyro.cli.run.draw`, where nothing came of it.
        """
        images, seen = filled.views(square, self.side)
        options = {**self.options, "label": self.label(square, filled) or self.options["label"]}
        facts = {**self.facts, "region": square.place()}
        if not filled.before(square):
            pictures = torch.from_numpy(images[0]), as_mask(seen)
            run, ended = draw(self.pipe, pictures, dict(self.settings), options, facts, seeded=self.seeded)
            return [run], ended
        runs: list[Run] = []
        for i, image in enumerate(images):
            click.echo(f"sample-{i:02d}, {i + 1} of {len(images)}")
            # Guides with other sites than Gaussian ones draw from the global state, which each run sets to its seed.
            seed = int(torch.randint(2**62, (), generator=self.seeded, device="cpu"))
            own = {**options, "samples": 1, "seed": seed, "check_kind": options["check_kind"] and not i}
            pictures = torch.from_numpy(image), as_mask(seen)
            try:
                run, ended = draw(
                    self.pipe, pictures, dict(self.settings), own, {**facts, "sample": i},
                    seeded=torch.Generator().manual_seed(seed),
                )  # fmt: skip
            except (Fault, KeyboardInterrupt) as error:
                if not runs:
                    raise
                return runs, error if isinstance(error, Fault) else Stopped()
            runs.append(run)
            if ended is not None:
                return runs, ended
        return runs, None


def as_mask(seen: np.ndarray) -> PIL.Image.Image:
    """What is not seen, bool (side, side), in white."""
    return PIL.Image.fromarray((~seen).astype(np.uint8) * np.uint8(255))
