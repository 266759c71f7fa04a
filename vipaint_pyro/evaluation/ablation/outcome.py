"""What came of a grid of settings: its records, their means, and a picture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vipaint_pyro.evaluation.ablation.axes import chosen_axes
from vipaint_pyro.evaluation.ablation.figure import settings_figure
from vipaint_pyro.evaluation.ablation.ground import Combination, Ground
from vipaint_pyro.evaluation.ablation.summary import summary

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Sweep"]


@dataclass(frozen=True)
class Sweep:
    """What came of a grid.

    Attributes:
        ground: what it was measured on.
        combinations: settings by name, one for each row that differs.
        rows: the records of each combination.
        left_out: of combinations that cannot be, in words, the reason.
        failed: how many computations failed; their records say why.
    """

    ground: Ground
    combinations: list[Combination]
    rows: list[list[dict]]
    left_out: Mapping[str, str]
    failed: int = 0

    @property
    def settings(self) -> tuple[str, ...]:
        """The names of the grid's settings."""
        return tuple(self.combinations[0])

    @property
    def records(self) -> list[dict]:
        """One per combination and problem: ``on``, ``problem``, the settings, ``timesteps``, ``error``, measures."""
        return [
            {"on": r["on"], "problem": r["problem"], **combination, **r}
            for combination, own in zip(self.combinations, self.rows)
            for r in own
        ]

    def table(self) -> list[dict]:
        """One per combination and what it was measured on: means, standard errors, and differences to the first.

        See :func:`~vipaint_pyro.evaluation.ablation.summary.summary`.
        """
        return summary(self.combinations, self.rows, self.ground.shared)

    def figure(
        self, x: str | None = None, color: str | None = None, panels: str | None = None, measure: str | None = None
    ) -> Figure:
        """A measure against a setting, as a matplotlib figure; see
        :func:`~vipaint_pyro.evaluation.ablation.figure.settings_figure`.

        Args:
            x: the setting along the axis; by default that of the most numbers.
            color: the setting that has a line for each value; by default the guide, or the next that varies. What
                varies besides makes lines of its own.
            panels: the setting that has a panel for each value.
            measure: any of the table; by default the bound's gap, or sliced W1 where no guide has one; LPIPS on
                pictures.

        Raises:
            ValueError: for a setting or a measure there is none of.
        """
        table = self.table()
        if measure is None:
            there = [m for m in self.ground.shown if any(row.get(m) is not None for row in table)]
            measure = there[0] if there else self.ground.shown[0]
        self.ground.check_measure(measure)
        x, lines, panels = chosen_axes(self.combinations, x, color, panels)
        metric = self.ground.metrics[measure]
        label = metric.text + {-1: "\n(lower is better)", 1: "\n(higher is better)", 0: ""}[metric.better]
        names = {"levels": "K", "T_e": "σ/α at T_e", "T_s": "σ/α at T_s", "noise_scale": "b"}
        return settings_figure(table, measure, x, lines, panels, label, names)
