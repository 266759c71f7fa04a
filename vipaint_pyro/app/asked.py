"""What a visitor asks of a method."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from vipaint_pyro.datasets.shares import are_shares, share_name
from vipaint_pyro.regions import Square
from vipaint_pyro.samplers.base import Sampler
from vipaint_pyro.samplers.registry import make_sampler, method
from vipaint_pyro.samplers.written import written

__all__ = ["MOST_SAMPLES", "Asked"]

#: Of one click.
MOST_SAMPLES = 32


@dataclass(frozen=True)
class Asked:
    """Settings of a run, as the page has them.

    Attributes:
        prior: its name.
        method: one of :data:`vipaint_pyro.samplers.METHODS`.
        guide: of VIPaint, one of :data:`vipaint_pyro.guides.GUIDES`; None for the default.
        effort: of VIPaint.
        samples: 1 ... :data:`MOST_SAMPLES`.
        seed: from 0 on.
        label: of a class-conditional prior, by name or number; None for none.
        by_share: whether each square's label is its share of the picture; of a prior with such classes.
        prompt, negative_prompt: of a text-conditional prior.
        guidance: weight of classifier-free guidance.
        more: other settings, ``NAME=VALUE`` with spaces between.
    """

    prior: str
    method: str = "vipaint"
    guide: str | None = None
    effort: str | None = None
    samples: int = 4
    seed: int = 0
    label: str | None = None
    by_share: bool = False
    prompt: str | None = None
    negative_prompt: str | None = None
    guidance: float = 1.0
    more: str = ""

    @property
    def fits(self) -> bool:
        """Whether there is a guide, from which more can be drawn."""
        return self.method == "vipaint"

    def of_square(self, square: Square | None, longer: int, names: Sequence[str] | None) -> Asked:
        """The same for a square of a picture, with the label that its share of the picture stands for, if asked for.

        Args:
            square: None for what is no part of a larger picture.
            longer: side of the picture, in pixels.
            names: of the prior's classes.
        """
        if square is None or not self.by_share or not are_shares(names):
            return self
        return replace(self, label=share_name(square.side, longer))

    def check(self) -> None:
        """Raise ValueError for numbers that cannot be."""
        if self.samples != int(self.samples) or not 1 <= self.samples <= MOST_SAMPLES:
            raise ValueError(f"Samples are a whole number from 1 to {MOST_SAMPLES}, not {self.samples}")
        if self.seed is None or self.seed != int(self.seed) or not 0 <= self.seed < 2**63:
            raise ValueError(f"The seed is a whole number from 0 on, not {self.seed}")

    def sampler(self, one_by_one: bool) -> Sampler:
        """The method with its settings.

        Args:
            one_by_one: whether samples are drawn one at a time where nothing else is asked for, so that each is seen
                as soon as it is there.

        Raises:
            ValueError, TypeError: for settings that cannot be.
        """
        self.check()
        chosen = method(self.method)
        settings = written(chosen, self.more.split())
        own = {"effort": self.effort, "guide_name": self.guide} if self.fits else {}
        for name, value in own.items():
            if value is not None:
                settings.setdefault(name, value)
        if one_by_one and "chunk" in chosen.open() and settings.get("own_cloud", True):  # one cloud is drawn at once
            settings.setdefault("chunk", 1)
        return make_sampler(self.method, **settings)

    def condition(self) -> dict[str, Any]:
        """What the prior is conditioned on, by the pipeline's names."""
        label = int(self.label) if self.label is not None and self.label.isdecimal() else self.label
        texts = {"prompt": self.prompt, "negative_prompt": self.negative_prompt}
        return {"class_labels": label, **{name: text or None for name, text in texts.items()}}
