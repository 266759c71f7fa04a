"""A grid of settings, looked at before anything is computed, and computed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod
from pathlib import Path

from vipaint_pyro.evaluation.ablation.axes import chosen_axes
from vipaint_pyro.evaluation.ablation.ground import Combination, Ground, in_words
from vipaint_pyro.evaluation.ablation.outcome import Sweep
from vipaint_pyro.evaluation.ablation.written import check_out, write_tables
from vipaint_pyro.wording import counted, shown

__all__ = ["Grid", "grid_of"]


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
    rows: dict = {}
    left_out: dict[str, str] = {}
    for each in product(*values.values()):
        combination = dict(zip(values, each))
        if combination.get("levels") == 1 and "T_s" in combination:
            combination["T_s"] = None  # one level is at T_e
        try:
            same = rows.setdefault(ground.row(combination), combination)
            # Settings that make no difference are nobody's.
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
