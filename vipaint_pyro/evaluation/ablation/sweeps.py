"""A grid of settings computed, and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING

from vipaint_pyro.evaluation.ablation.axes import chosen_axes
from vipaint_pyro.evaluation.ablation.figure import settings_figure
from vipaint_pyro.evaluation.ablation.ground import Combination, Ground, in_words
from vipaint_pyro.evaluation.ablation.grounds import ground_of
from vipaint_pyro.evaluation.ablation.summary import summary
from vipaint_pyro.evaluation.ablation.written import check_out, draw, write_tables
from vipaint_pyro.wording import counted, shown

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Grid", "Sweep", "grid_of", "sweep"]


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


@dataclass(frozen=True)
class Grid:
    """A grid that can be computed.

    Attributes:
        ground: what it is measured on.
        out: the folder.
        values: of each setting.
        rows: what is to be computed -> the first combination that comes to it.
        left_out: of combinations that cannot be, in words, the reason.
    """

    ground: Ground
    out: Path
    values: Mapping[str, Sequence]
    rows: Mapping[object, Combination]
    left_out: Mapping[str, str]

    def size(self) -> str:
        """How large it is, in words: "6 combinations (3 guide x 2 beta), 12 records, 4 of them there"."""
        number = prod(map(len, self.values.values()))
        by = " x ".join(f"{len(values)} {name}" for name, values in self.values.items())
        text = f"{counted(number, 'combination')} ({by})"
        text += f", {len(self.left_out)} of them impossible" if self.left_out else ""
        same = number - len(self.left_out) - len(self.rows)
        text += f", {same} the same as another" if same else ""
        done, there = self.ground.done([*self.rows])
        return f"{text}: {counted(there, 'record')}, {done} of them there"

    def cost(self) -> str:
        """What is not there would cost, in words; empty where all is."""
        done, there = self.ground.done([*self.rows])
        return self.ground.cost([*self.rows]) if done < there else ""

    def check_figure(self, x: str | None, color: str | None, panels: str | None, measure: str | None) -> None:
        """Raise ValueError where its picture cannot be so; see :meth:`Sweep.figure`."""
        chosen_axes([*self.rows.values()], x, color, panels)
        if measure is not None:
            self.ground.check_measure(measure)

    def compute(self, log: Callable[[str], None] = lambda text: None, workers: int = 1) -> Sweep:
        """Compute what is not there, and write the tables.

        Raises:
            ValueError: for several workers where one process does all.
        """
        rows = [*self.rows]
        failed = self.ground.compute(rows, log, workers)
        found = Sweep(self.ground, [*self.rows.values()], self.ground.records(rows), self.left_out, failed)
        write_tables(found, self.out)
        return found


def grid_of(
    ground: Ground, out: str | Path, values: Mapping[str, Sequence], skip_impossible: bool = False
) -> Grid:
    """A grid, looked at before anything is computed.

    Args:
        ground: what it is measured on.
        out: the folder.
        values: of each setting, in their order.
        skip_impossible: whether combinations that cannot be are left out.

    Raises:
        ValueError: for no settings, unknown ones, or values given twice; combinations that cannot be, all of them
            listed; or a folder that holds something else.
    """
    out = Path(out)
    for name, given in values.items():
        ground.check_name(name)
        twice = [v for i, v in enumerate(given) if v in given[:i]]
        if twice or not given:
            raise ValueError(f"{name} has {f'{shown(twice[0])} twice' if twice else 'no value'}: give each value once")
    if not values:
        raise ValueError("no setting is given: give at least one, like guide")
    check_out(out)
    rows, left_out = _rows(ground, values)
    if left_out and not (skip_impossible and rows):
        raise ValueError(_refusal(left_out, bool(rows)))
    ground.check([*rows])
    return Grid(ground, out, values, rows, left_out)


def _rows(ground: Ground, values: Mapping[str, Sequence]) -> tuple[dict, dict[str, str]]:
    """Row -> combination, and of combinations that cannot be the reason."""
    rows, left_out = {}, {}
    for each in product(*values.values()):
        combination = dict(zip(values, each))
        try:
            same = rows.setdefault(ground.row(combination), combination)
            # Settings that make no difference, as T_s of one level, are nobody's.
            same.update((name, None) for name, value in combination.items() if same[name] != value)
        except (ValueError, TypeError) as error:
            left_out[_told(values, combination)] = str(error)
    refused = ground.refused([*rows]) if rows else {}
    left_out |= {_told(values, rows[row]): said for row, said in refused.items()}
    return {row: combination for row, combination in rows.items() if row not in refused}, left_out


def _told(values: Mapping[str, Sequence], combination: Combination) -> str:
    """A combination by the settings that have several values, where any has."""
    several = {name: value for name, value in combination.items() if len(values[name]) > 1}
    return in_words(several or combination)


def _refusal(left_out: Mapping[str, str], some: bool) -> str:
    by_reason: dict[str, list[str]] = {}
    for combination, said in left_out.items():
        by_reason.setdefault(said, []).append(combination)
    if len(left_out) == 1:
        ((combination, said),) = left_out.items()
        return f"{combination} cannot be: {said}"
    cure = ": leave their values out, or set skip_impossible, to compute the others" if some else ""
    head = f"{counted(len(left_out), 'combination')} cannot be{cure}"
    return "\n".join([head, *(f"{'; '.join(those)}: {said}" for said, those in by_reason.items())])


def sweep(
    on: str | Iterable[str],
    *,
    out: str | Path = "vipaint-ablate",
    skip_impossible: bool = False,
    workers: int = 1,
    log: Callable[[str], None] = lambda text: None,
    **values: object,
) -> Sweep:
    """Measure every combination of settings, each record kept as soon as it is there; what is there is not computed
    again, whether this function or ``vipaint ablate`` has computed it.

    Args:
        on: cells of exact problems, ``"8,1"`` or several of them, as ``vipaint exact`` has them; or a prior, a built-in
            name, a folder or a hub id, to be measured on pictures as ``vipaint evaluate`` does.
        out: the folder of records, tables and the picture.
        skip_impossible: leave combinations out that cannot be, instead of refusing all.
        workers: on pictures, how many processes.
        log: called with a line for each finished record.
        **values: settings, each one value or a list of them, None for its default: ``guide`` (with exact problems also
            ``NAME+smc`` and the like), ``beta``, ``levels`` (K), ``T_e`` and ``T_s`` (noise-to-signal ratios
            sigma/alpha; levels between them lie as :func:`~vipaint_pyro.samplers.vipaint.levels.ratios_between` says),
            ``noise_scale`` (b), and any other of VIPaint, or on exact problems of
            :class:`~vipaint_pyro.evaluation.exact_methods.Lab`. And what is measured: ``problems``, ``samples`` and
            ``tune`` of exact problems; ``masks``, ``task``, ``data``, ``images``, ``samples`` and what else a
            :class:`~vipaint_pyro.evaluation.study.plan.Plan` has of pictures.

    Raises:
        ValueError: before anything is computed, for what cannot be: combinations are all listed.

    Example:
        >>> found = sweep("8,1", guide=["hierarchical", "mean-field"], levels=[2, 4], problems=2, samples=100)
        >>> found.table()[0]["bound_gap"], found.figure(x="levels")  # doctest: +SKIP
    """
    known = ground_of(on, out, values)
    grid = {name: value for name, value in values.items() if name not in known.about}
    settings = {name: [*v] if isinstance(v, (list, tuple, range)) else [v] for name, v in grid.items()}
    found = grid_of(known, out, settings, skip_impossible).compute(log, workers)
    draw(found, Path(out))
    return found
