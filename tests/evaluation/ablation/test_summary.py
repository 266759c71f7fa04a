"""Means and paired differences of an ablation, against ones worked out by hand; and which setting lies where."""

import math

import pytest

from vipaint_pyro.evaluation.ablation.axes import chosen_axes
from vipaint_pyro.evaluation.ablation.figure import settings_figure
from vipaint_pyro.evaluation.ablation.summary import summary


def record(on, problem, error=None, **measures):
    return {"on": on, "problem": problem, "timesteps": "9 4", "error": error, **measures}


GRID = [{"guide": "a", "beta": 1.0}, {"guide": "a", "beta": 3.0}, {"guide": "b", "beta": 1.0}]
RECORDS = [
    [record("8,1", 0, gap=1.0, s=5.0), record("8,1", 1, gap=2.0, s=5.0), record("8,1", 2, gap=6.0, s=5.0)],
    [record("8,1", 0, gap=1.5, s=6.0), record("8,1", 1, gap=4.0, s=6.0), record("8,1", 2, error="failed: no")],
    [record("8,2", 0, gap=7.0, s=1.0)],
]


def test_means_and_paired_differences_are_those_worked_out_by_hand():
    first, second, third = summary(GRID, RECORDS, shared=("s",))
    # 1, 2, 6: mean 3, variance (4 + 1 + 9) / 2 = 7.
    assert first["gap"] == 3.0 and first["gap_error"] == pytest.approx(math.sqrt(7 / 3), rel=1e-12)
    assert "gap_difference" not in first and (first["problems"], first["failed"]) == (3, 0)
    # 1.5 - 1 and 4 - 2 on the two that both have: 0.5 and 2, mean 1.25, variance 1.125.
    assert second["gap_difference"] == 1.25
    assert second["gap_difference_error"] == pytest.approx(math.sqrt(1.125 / 2), rel=1e-12)
    assert (second["problems"], second["failed"]) == (2, 1)
    assert second["s_difference"] == 1.0 and second["s_error"] is second["s_difference_error"] is None
    # Nothing of the first combination is on 8,2, and one problem has no standard error.
    assert third["on"] == "8,2" and third["gap"] == 7.0 and third["gap_error"] is None
    assert third["gap_difference"] is None


def test_settings_find_their_places():
    grid = [{"guide": g, "beta": b, "levels": k, "T_e": 9.0} for g in "ab" for b in (1.0, 2.0) for k in (1, 2, 4)]
    assert chosen_axes(grid) == ("levels", ["guide"], "beta")
    assert chosen_axes(grid, x="beta") == ("beta", ["guide"], "levels")
    assert chosen_axes(grid, x="guide", color="levels") == ("guide", ["levels"], "beta")
    assert chosen_axes(grid[:1]) == ("beta", [], None)  # nothing varies: a point
    more = [{**c, "T_e": t} for c in grid for t in (5.0, 9.0)]
    assert chosen_axes(more) == ("levels", ["guide", "T_e"], "beta")  # a line for each pair
    with pytest.raises(ValueError, match="has no setting 'gamma': it has guide, beta"):
        chosen_axes(grid, x="gamma")
    with pytest.raises(ValueError, match="one place"):
        chosen_axes(grid, x="beta", color="beta")


def test_the_picture_has_a_line_for_each_value_and_a_panel_for_each_other():
    grid = [{"guide": g, "beta": b, "levels": k} for g in "ab" for b in (0.1, 1.0) for k in (1, 2)]
    records = [[record("8,1", i, gap=n + i) for i in range(3)] for n in range(8)]
    table = summary(grid, records)
    figure = settings_figure(table, "gap", "beta", ["guide"], "levels", "the gap", {"levels": "K"})
    assert [axes.get_title() for axes in figure.axes] == ["K 1", "K 2"]
    (one, *_), (two, *_) = ([c for c in axes.containers] for axes in figure.axes)
    assert list(one.lines[0].get_ydata()) == [1.0, 3.0] and list(two.lines[0].get_ydata()) == [2.0, 4.0]
    assert figure.axes[0].get_xscale() == "log" and figure.axes[0].get_ylabel() == "the gap"
    assert [t.get_text() for t in figure.legends[0].get_texts()] == ["a", "b"]
    named = settings_figure(table[:1], "gap", "guide").axes[0]
    assert [t.get_text() for t in named.get_xticklabels()] == ["a"] and named.get_xscale() == "linear"
