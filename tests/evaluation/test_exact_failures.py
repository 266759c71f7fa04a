"""A method that fails in a cell is a row that says so: the others go on, and the same command tries it again."""

import csv
import json
import shutil

import pytest
import torch
from click.testing import CliRunner

from vipaint_pyro.cli.main import main
from vipaint_pyro.evaluation import exact_table
from vipaint_pyro.evaluation.exact_methods import Draws, draw_named
from vipaint_pyro.evaluation.exact_published import PUBLISHED
from vipaint_pyro.evaluation.exact_table import rows
from vipaint_pyro.faults import NonFiniteError

METHODS = ("exact", "ddnm", "delta")
FEW = ["--cell", "8,1", "--cell", "8,2", "--samples", "100", "--problems", "2"]


def exact(out, *methods):
    return CliRunner().invoke(main, ["exact", *methods, *FEW, "--out", str(out)])


def not_finite(problems):
    draws = torch.zeros(100, 2, 1, 1, 8, dtype=torch.float64)
    draws[7, 1] = torch.inf
    return Draws(draws)


def raised(error):
    def raising(problems):
        raise error

    return raising


#: What may go wrong in a cell, and what is said of it: its type and its message.
FAULTS = {
    "numbers": (raised(NonFiniteError("x", time=3)), "NonFiniteError", "x is not finite (time 3)"),
    "samples": (not_finite, "NonFiniteError", "a sample is not finite"),
    "huge samples": (lambda p: Draws(1e39 * torch.ones(100, 2, 1, 1, 8).double()), "NonFiniteError",
                     "a sample is not finite"),
    "memory": (raised(RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 99 bytes")),
               "OutOfMemory", "out of memory (99 bytes more were asked for)"),
    "python's memory": (raised(MemoryError()), "OutOfMemory", "out of memory"),
    "refused": (raised(ValueError("not | here,\nbut there")), "ValueError", "not | here, but there"),
}  # fmt: skip


@pytest.fixture
def failing(monkeypatch):
    """A function that makes ddnm fail in the cell 8,2; the names of what is drawn."""
    drawn = []

    def begin(fault):
        def draw(name, problems, lab, seed=0):
            drawn.append((name, problems.y.shape[-1]))
            return fault(problems) if drawn[-1] == ("ddnm", 2) else draw_named(name, problems, lab, seed)

        monkeypatch.setattr(exact_table, "draw_named", draw)
        return drawn

    return begin


@pytest.mark.battery
@pytest.mark.parametrize("kind", FAULTS)
def test_the_other_methods_and_cells_go_on(tmp_path, failing, kind):
    fault, error, message = FAULTS[kind]
    failing(fault)
    done = exact(tmp_path / "t", *METHODS)
    assert done.exit_code == 1, done.output
    assert done.output.endswith("\n1 of 6 rows failed, as the table says: the same command tries them again\n")
    table = {(r["method"], r["d_y"]): r for r in rows(tmp_path / "t")}
    published = [f"{name} (published)" for name in PUBLISHED]
    assert set(table) == {(name, d_y) for name in (*METHODS, *published) for d_y in (1, 2)}
    assert [key for key, row in table.items() if "error" in row] == [("ddnm", 2)]
    assert all("sliced_w1" in row for key, row in table.items() if key != ("ddnm", 2))
    said = json.loads((tmp_path / "t" / "cells" / "ddnm-8-2.json").read_text())["error"]
    assert said["type"] == error and " ".join(said["message"].split()).endswith(message)


def test_the_table_says_why(tmp_path, failing):
    failing(FAULTS["refused"][0])
    done = exact(tmp_path, *METHODS)
    assert "(8, 2) ddnm: failed: not | here, but there\n" in done.output
    lines = (tmp_path / "table.md").read_text().splitlines()
    measured = lines[: lines.index("")]
    assert measured[-1] == r"| 8, 2 | ddnm | failed: not \| here, but there |  |  |  |  |  |  |  |  |"
    assert len({line.replace(r"\|", "").count("|") for line in measured}) == 1
    with open(tmp_path / "table.csv", newline="") as file:
        read = list(csv.DictReader(file))
    (failed,) = [r for r in read if r["error"]]
    assert failed["error"] == "failed: not | here, but there" and failed["sliced_w1"] == ""
    labels = [t.get_text() for axes in exact_table.plot_table(tmp_path).axes for t in axes.get_yticklabels()]
    assert labels[-1 - len(PUBLISHED)] == "ddnm, failed" and sum("failed" in label for label in labels) == 1


def test_the_same_command_tries_again_what_failed_alone(tmp_path, failing, monkeypatch):
    failing(FAULTS["numbers"][0])
    assert exact(tmp_path, *METHODS).exit_code == 1
    drawn = failing(FAULTS["memory"][0])
    drawn.clear()
    done = exact(tmp_path, *METHODS)
    assert done.exit_code == 1 and drawn == [("ddnm", 2)] and "failed: out of memory" in done.output
    assert exact(tmp_path, "exact", "delta").exit_code == 0  # that one was not asked for
    monkeypatch.undo()
    done = exact(tmp_path, *METHODS)
    assert done.exit_code == 0 and "failed" not in done.output, done.output
    assert "failed" not in (tmp_path / "table.md").read_text()


def test_where_all_fails_there_is_a_table_still(tmp_path, failing):
    failing(raised(RuntimeError()))
    assert exact(tmp_path / "all", "ddnm").exit_code == 1
    shutil.rmtree(tmp_path / "all" / "cells")
    done = CliRunner().invoke(main, ["exact", "ddnm", *FEW[2:], "--out", str(tmp_path / "one")])
    assert done.output.endswith("1 of 1 rows failed, as the table says: the same command tries them again\n")
    assert "| 8, 2 | ddnm | failed: RuntimeError |" in done.output and (tmp_path / "one" / "table.png").is_file()


def test_ctrl_c_is_no_failure(tmp_path, failing):
    failing(raised(KeyboardInterrupt()))
    done = exact(tmp_path, *METHODS)
    assert done.exit_code == 1 and "failed" not in done.output
    assert not (tmp_path / "cells" / "ddnm-8-2.json").exists() and (tmp_path / "cells" / "ddnm-8-1.json").exists()


@pytest.mark.battery
@pytest.mark.parametrize("error", ["words", {}, {"type": "ValueError"}, {"type": "ValueError", "message": 3}])
def test_a_damaged_failure_is_named(tmp_path, failing, error):
    failing(FAULTS["numbers"][0])
    exact(tmp_path, "ddnm")
    path = tmp_path / "cells" / "ddnm-8-2.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"error": error}))
    done = exact(tmp_path, "ddnm")
    assert done.exit_code == 1 and f"{path} is damaged" in done.output
    assert "(its error has no type and message): delete it" in done.output


def test_records_from_before_failures_were_kept_are_read(tmp_path):
    assert exact(tmp_path, "delta").exit_code == 0
    for path in (tmp_path / "cells").iterdir():
        record = json.loads(path.read_text())
        assert record.pop("error") is None
        path.write_text(json.dumps(record))
    before = [p.stat().st_mtime_ns for p in sorted((tmp_path / "cells").iterdir())]
    assert exact(tmp_path, "delta").exit_code == 0
    assert [p.stat().st_mtime_ns for p in sorted((tmp_path / "cells").iterdir())] == before
