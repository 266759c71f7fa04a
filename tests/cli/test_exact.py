"""``vipaint exact``: which problems it measures on, and which cells are none."""

import pytest
from click.testing import CliRunner

from vipaint_pyro.cli.exact import _cell, exact
from vipaint_pyro.evaluation import exact_table


@pytest.mark.parametrize("text", ["8", "8,1,2", "x,1", "7,1", "0,1", "-2,1", "8,0", "8,9", "8;1", "8.0,1"])
def test_cells_that_are_none(text):
    with pytest.raises(ValueError, match="cell"):
        _cell(text)
    assert _cell("8,8") == (8, 8) and _cell("2,1") == (2, 1)


@pytest.mark.parametrize(
    "which, seeds", [([], [0, 1, 2]), (["--tune"], [20, 21, 22]), (["--first", "60"], [60, 61, 62])]
)
def test_what_is_tuned_on_is_not_what_is_reported(which, seeds, tmp_path, monkeypatch):
    asked = {}

    def run_table(methods, cells, lab, out, *, seeds, log):
        asked.update(methods=methods, cells=cells, seeds=list(seeds))
        raise ValueError("enough")

    monkeypatch.setattr(exact_table, "run_table", run_table)
    arguments = ["dps", "--cell", "8,2", "--problems", "3", "--out", str(tmp_path)]
    result = CliRunner().invoke(exact, [*arguments, *which])
    assert asked == {"methods": ("dps",), "cells": [(8, 2)], "seeds": seeds}, result.output
    both = CliRunner().invoke(exact, [*arguments, "--tune", "--first", "0"])
    assert both.exit_code == 2 and "--tune and --first both say which problems: leave one of them out" in both.output
