"""Guides as rows of the laboratory's table: ``mixture:num-components=4+smc``, ``package.module:Class+psis``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, cast

from vipaint_pyro.exact.likelihood import ExactGaussian
from vipaint_pyro.exact.problems import Problems
from vipaint_pyro.guides.base import Guide
from vipaint_pyro.guides.recipes import Recipe
from vipaint_pyro.guides.registry import GUIDES, make_guide, recipe
from vipaint_pyro.guides.settings import checked_settings
from vipaint_pyro.measurements.likelihoods import Gaussian, Laplace
from vipaint_pyro.measurements.measurement import Measurement
from vipaint_pyro.models import DiffusionModel
from vipaint_pyro.places import Places
from vipaint_pyro.samplers.base import Sampler
from vipaint_pyro.samplers.written import pairs

__all__ = ["CORRECTIONS", "GuideRow"]

CORRECTIONS = ("none", "psis", "smc", "tds")
_ROWS = Places("method", cast(Any, lambda: (Guide, Sampler)))
#: NAME, perhaps : and settings, perhaps + and a correction. A number may have a + in it, as in 1e+3.
_FORM = re.compile(r"(?P<name>[^+=]*?)(:(?P<settings>[^:=]+=.*?))?(\+(?P<correction>[A-Za-z]*))?")


@dataclass(frozen=True)
class GuideRow:
    """A guide of the table.

    Attributes:
        name: as :func:`~vipaint_pyro.guides.recipe` takes it.
        settings: as they are written.
        correction: of :data:`CORRECTIONS`, or what is none.
    """

    name: str
    settings: dict[str, str]
    correction: str

    @classmethod
    def of(cls, text: str) -> GuideRow:
        """Take a row's name apart; a name of another form is that of a guide that there is not.

        Raises:
            ValueError: for settings of another form.
        """
        found = _FORM.fullmatch(text)
        if found is None:
            return cls(text, {}, "none")
        written = found["settings"].split(";") if found["settings"] else []
        return cls(found["name"], pairs(written, f"{text}: a setting "), found["correction"] or "none")

    @property
    def recipe(self) -> Recipe:
        """Raises ValueError where there is no such guide."""
        return recipe(self.name)

    def check(self) -> None:
        """Raise ValueError for a guide or a setting that there is not, or another correction."""
        try:
            kind = self.recipe
        except ValueError:
            if ":" in self.name and self.name.partition(":")[0] not in GUIDES:
                _ROWS.at(self.name)  # which may have been meant for a sampler
            raise
        checked_settings(kind, self.settings)
        if self.correction not in CORRECTIONS:
            raise ValueError(f"a correction is one of {', '.join(CORRECTIONS)}, not {self.correction!r}")

    def built(
        self, problems: Problems, ratios: tuple[float, ...], beta: float, noise_scale: float | None = None
    ) -> tuple[DiffusionModel, Guide]:
        """Model and guide for problems.

        Args:
            problems: N of them.
            ratios: noise-to-signal ratios of the timesteps; a guide of fewer levels takes the first.
            beta: of the fit.
            noise_scale: b of a Laplace likelihood in the exact one's place.
        """
        kind = self.recipe
        times = tuple(problems.prior.schedule.time_of_ratio(ratio) for ratio in ratios[: kind.levels])
        likelihood = ExactGaussian(problems.sigma) if noise_scale is None else Laplace(noise_scale)
        model = DiffusionModel(problems.prior, problems.operator, times, likelihood, beta=beta, form="marginal")
        seen = Measurement(problems.operator, Gaussian(problems.sigma), problems.y)  # guides that know y know its noise
        return model, make_guide(self.name, model, seen, **checked_settings(kind, self.settings))
