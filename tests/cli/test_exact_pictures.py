"""``vipaint exact --pictures``: options of one table are no options of the other, and the whole in small."""

import pytest
from click.testing import CliRunner

from vipaint_pyro.cli.main import main
from vipaint_pyro.evaluation.exact_pictures import table


def exact(out, *arguments):
    return CliRunner().invoke(main, ["exact", *arguments, "--out", str(out)])


@pytest.mark.parametrize(
    "arguments, words",
    [(["--pictures", "--fit-steps", "9"], "--fit-steps is for mixtures, not for --pictures: leave it out"),
     (["--pictures", "--kernel", "exact"], "--kernel is for mixtures"),
     (["--calls", "100"], "--calls is for --pictures: leave it out"), (["--smoke"], "--smoke is for --pictures"),
     (["--data", "x"], "--data is for --pictures"), (["--samples", "99"], "'--samples': 99 is not in the range x>=100"),
     (["--pictures", "--samples", "1"], "1 is not in the range x>=2")],
)  # fmt: skip
def test_options_of_the_other_table_are_refused(tmp_path, arguments, words):
    done = exact(tmp_path / "t", *arguments)
    assert done.exit_code == 2 and words in done.output and not (tmp_path / "t").exists()


@pytest.mark.parametrize(
    "arguments, words",
    [(["--cell", "8,1"], "no cell of pictures is called '8,1'"), (["--calls", "a"], "--calls are whole numbers"),
     (["--calls", "0"], "--calls is a whole number"), (["hierarchical"], "unknown method 'hierarchical'"),
     (["--smoke", "exact", "--cell", "garments-few-0.2", "--data", "none"], "install Debian's package")],
)  # fmt: skip
def test_what_cannot_be_is_one_line(tmp_path, arguments, words):
    done = exact(tmp_path / "t", "--pictures", *arguments)
    assert done.exit_code == 1 and words in done.output and done.output.count("\n") == 1
    assert not (tmp_path / "t").exists()


@pytest.mark.parametrize("which, first", [([], 0), (["--tune"], 20), (["--first", "7"], 7)])
def test_which_problems(which, first, tmp_path, monkeypatch):
    asked = []

    def run_pictures(these, out, log):
        asked.append(list(these.problems))
        raise ValueError("enough")

    monkeypatch.setattr(table, "run_pictures", run_pictures)
    exact(tmp_path, "--pictures", "dps", "--problems", "3", *which)
    assert asked == [[first, first + 1, first + 2]]


@pytest.mark.drawn
def test_a_small_table_of_garments(tmp_path):
    arguments = ["--pictures", "--smoke", "--cell", "garments-few-0.2", "exact", "exact-score", "dps", "vipaint-4"]
    done = exact(tmp_path, *arguments)
    assert done.exit_code == 0, done.output
    assert "| garments-few-0.2 | vipaint-4@40 |" in done.output and "8 samples of each problem" in done.output
    assert "wrote" in done.output and len(list((tmp_path / "pictures").iterdir())) == 4
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "cells").iterdir()}
    again = exact(tmp_path, *arguments)
    assert again.exit_code == 0 and "class TV 0" not in again.output.splitlines()[0]
    assert before == {p: p.stat().st_mtime_ns for p in (tmp_path / "cells").iterdir()} and len(before) == 8


def test_folders_of_the_two_tables_are_told_apart(tmp_path):
    assert exact(tmp_path / "p", "--pictures", "--smoke", "exact", "--cell", "garments-few-0.2").exit_code == 0
    done = exact(tmp_path / "p", "exact")
    assert done.exit_code == 1 and "was not written by vipaint exact: move it" in done.output
    few = ["--cell", "8,1", "--samples", "100", "--problems", "2"]
    assert exact(tmp_path / "m", "exact", *few).exit_code == 0
    done = exact(tmp_path / "m", "--pictures", "--smoke", "exact")
    assert done.exit_code == 1 and "was not written by vipaint exact --pictures: move it" in done.output
