"""The folder of the laboratory's table: damaged records and foreign files are named before anything runs."""

import json

import PIL.Image
import pytest
from click.testing import CliRunner

from vipaint_pyro.cli.main import main
from vipaint_pyro.evaluation import exact_table
from vipaint_pyro.evaluation.exact_baselines import BASELINES
from vipaint_pyro.evaluation.exact_methods import Lab
from vipaint_pyro.evaluation.exact_records import read_record
from vipaint_pyro.evaluation.exact_table import run_table
from vipaint_pyro.samplers import DPSSampler

FEW = ["--cell", "8,1", "--samples", "100", "--problems", "2"]


def exact(out, *arguments):
    return CliRunner().invoke(main, ["exact", *arguments, *FEW, "--out", str(out)])


@pytest.fixture
def table(tmp_path):
    """A whole table of two methods."""
    done = exact(tmp_path / "t", "exact", "delta")
    assert done.exit_code == 0, done.output
    return tmp_path / "t"


def changed(path, **entries):
    record = json.loads(path.read_text()) | entries
    path.write_text(json.dumps({k: v for k, v in record.items() if v is not None}))


DAMAGES = {
    "truncated": (lambda p: p.write_text(p.read_text()[:100]), "no JSON"),
    "empty": (lambda p: p.write_text(""), "no JSON"),
    "binary": (lambda p: p.write_bytes(bytes(range(256))), "no JSON"),
    "list": (lambda p: p.write_text("[1, 2]"), "it holds no object"),
    "another program's": (lambda p: p.write_text('{"name": "package"}'), "it has no method"),
    "no settings": (lambda p: changed(p, settings=None), "it has no settings"),
    "no seconds": (lambda p: changed(p, seconds=None), "it has no seconds"),
    "text": (lambda p: changed(p, seconds="1"), "it has no seconds"),
    "cell": (lambda p: changed(p, cell=[8]), "its cell is [8]"),
    "another cell": (lambda p: changed(p, cell=[8, 2]), "it holds delta in the cell [8, 2]"),
    "no scores": (lambda p: changed(p, scores={}), "its scores are others"),
    "words": (lambda p: changed(p, scores={n: ["a", "b"] for n in SCORES}), "its sliced_w1 are no numbers"),
    "too few": (lambda p: changed(p, scores={n: [1.0] for n in SCORES}), "it has 1 sliced_w1 for 2 problems"),
}
SCORES = ("sliced_w1", "mode_tv", "modes_found")


@pytest.mark.battery
@pytest.mark.parametrize("kind", DAMAGES)
def test_a_damaged_record_is_named_with_its_cure(table, kind, monkeypatch):
    damage, reason = DAMAGES[kind]
    path = table / "cells" / "delta-8-1.json"
    damage(path)
    monkeypatch.setattr(exact_table, "draw_named", None)  # nothing runs
    before = {p: p.read_bytes() for p in table.rglob("*") if p.is_file()}
    done = exact(table, "exact", "delta", "prior")
    said = f"Error: {path} is damaged, or no record of vipaint exact ({reason}"
    assert done.exit_code == 1 and said in done.output, done.output
    assert "delete it, and it is computed again" in done.output and done.output.count("\n") == 1
    assert {p: p.read_bytes() for p in table.rglob("*") if p.is_file()} == before
    monkeypatch.undo()
    path.unlink()
    assert exact(table, "exact", "delta").exit_code == 0  # the cure


FOREIGN = {
    "table.md": lambda p: p.write_text("# My notes\n"),
    "table.csv": lambda p: p.write_text("name,price\n"),
    "table.png": lambda p: PIL.Image.new("L", (2, 2)).save(p),
    "table.png of bytes": lambda p: p.write_bytes(b"mine"),
    "table.csv of bytes": lambda p: p.write_bytes(b"\xff\xfe"),
}


@pytest.mark.battery
@pytest.mark.parametrize("kind", FOREIGN)
@pytest.mark.parametrize("how", ["added", "replaced", "a folder", "a dangling link"])
def test_foreign_files_with_the_tables_names_are_kept(tmp_path, table, kind, how, monkeypatch):
    path = table / kind.partition(" of ")[0]
    path.unlink()
    if how == "a folder":
        path.mkdir()
    elif how == "a dangling link":
        path.symlink_to(tmp_path / "none")
    else:
        FOREIGN[kind](path)
    if how == "added":
        for other in table.glob("table.*"):
            if other != path:
                other.unlink()
    content = path.read_bytes() if path.is_file() else None
    monkeypatch.setattr(exact_table, "draw_named", None)
    done = exact(table, "exact", "delta", "prior")
    assert done.exit_code == 1 and f"Error: {path} was not written by vipaint exact: move it" in done.output
    assert path.is_symlink() or path.is_dir() or path.read_bytes() == content
    assert not (tmp_path / "none").exists()


def test_other_files_beside_the_table_are_kept(table):
    (table / "notes.md").write_text("mine")
    (table / "cells" / "notes.txt").write_text("mine")
    assert exact(table, "exact", "delta", "prior").exit_code == 0
    assert (table / "notes.md").read_text() == (table / "cells" / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize(
    "methods, cells, lab, words",
    [
        (["exact"], [(8, 1), (7, 1)], Lab(), "d is even and 1 <= d_y <= d, but they are 7 and 1"),
        (["exact", "hierarchical"], [(8, 1)], Lab(steps=999), "steps is at most 398 for hierarchical"),
        (["exact", "dps"], [(8, 1)], Lab(dps_steps=9999), "steps to the clean image, not 9999"),
        (["exact"], [(8, 1)], Lab(kernel="other"), "kernel"),
    ],
)
def test_what_cannot_be_is_said_before_anything_runs(tmp_path, methods, cells, lab, words):
    with pytest.raises(ValueError, match=words):
        run_table(methods, cells, lab, tmp_path / "t", seeds=range(2))
    assert not (tmp_path / "t").exists()


@pytest.mark.parametrize(
    "arguments, words",
    [(["hierarchical", "--steps", "999"], "--steps is at most 398 for hierarchical"),
     (["exact", "--beta", "nan"], "--beta is a finite number, above 0, but is nan"),
     (["exact", "--cell", "8,9"], "1 <= d_y <= d")],
)  # fmt: skip
def test_the_command_says_so_too(tmp_path, arguments, words):
    done = exact(tmp_path / "t", *arguments)
    assert done.exit_code == 1 and words in done.output and not (tmp_path / "t").exists()


def test_a_table_cannot_be_kept_in_a_file(tmp_path):
    (tmp_path / "file").write_text("mine")
    for out in ("file", "file/x"):
        done = exact(tmp_path / out, "exact")
        assert done.exit_code == 1 and "file" in done.output and done.output.count("\n") == 1
    assert (tmp_path / "file").read_text() == "mine"


def test_scratch_of_a_killed_run_is_swept_though_nothing_is_to_be_done(table):
    for place in (table, table / "cells"):
        scratch = place / ".vipaint-0123456789ab.partial"
        scratch.mkdir()
        (scratch / "lock").touch()
    assert exact(table, "exact", "delta").exit_code == 0
    assert not list(table.rglob(".vipaint*"))


def test_a_record_comes_back(table):
    record = read_record(table / "cells" / "delta-8-1.json")
    assert record["method"] == "delta" and len(record["scores"]["sliced_w1"]) == 2


def test_other_settings_are_named_old_and_new(table):
    other = ["exact", "exact", "--steps", "20", *FEW[:-1], "3", "--out", str(table)]
    done = CliRunner().invoke(main, other)
    said = f"Error: {table} holds a table with other settings (steps: 90 -> 20; problems: 0 ... 1 -> 0 ... 2): "
    assert done.exit_code == 1 and done.output == f"{said}name another folder with --out\n"


def test_a_changed_setting_of_a_row_is_named_and_a_record_of_before_is_taken_as_it_is(tmp_path, monkeypatch):
    lab = Lab(samples=100, dps_steps=3)

    def run(*methods):
        return run_table(methods, [(8, 1)], lab, tmp_path, seeds=range(2))

    run("dps", "exact")
    path = tmp_path / "cells" / "dps-8-1.json"
    record = read_record(path)
    assert record["sampler"]["class"] == "DPSSampler" and record["sampler"]["zeta"] == 0.2
    assert "sampler" not in read_record(tmp_path / "cells" / "exact-8-1.json")
    monkeypatch.setitem(BASELINES, "dps", lambda lab: DPSSampler(lab.dps_steps, zeta=0.3))
    for methods in (("dps",), ("exact",)):  # the table would hold the old row either way
        with pytest.raises(ValueError, match=r"other settings \(dps zeta: 0\.2 -> 0\.3\): name another folder"):
            run(*methods)
    changed(path, sampler=None)
    before = path.read_bytes()
    assert run("dps", "exact") == 0 and path.read_bytes() == before
