"""The table of pictures: who is at the floor, what is kept, and that a run goes on where it was."""

import json

import PIL.Image
import pytest
import torch
from safetensors.torch import load_file

from vipaint_pyro.evaluation.exact_pictures import table
from vipaint_pyro.evaluation.exact_pictures.cells import CELLS
from vipaint_pyro.evaluation.exact_pictures.methods import default_methods, described_row, draw_row
from vipaint_pyro.evaluation.exact_pictures.problems import make_problem
from vipaint_pyro.evaluation.exact_pictures.records import PICTURES
from vipaint_pyro.evaluation.exact_pictures.sheets import write_sheets
from vipaint_pyro.evaluation.exact_pictures.summary import rows, write_tables
from vipaint_pyro.evaluation.exact_pictures.table import Asked, run_pictures
from vipaint_pyro.evaluation.exact_records import read_record, records
from vipaint_pyro.priors.schedules import NoiseSchedule
from vipaint_pyro.samplers import METHODS

CELL = "garments-few-0.2"
SMALL = Asked(("exact", "prior", "exact-score", "dps"), (CELL,), (12,), range(2), samples=4)


def kept(folder):
    """What does not depend on the machine of every record, by the name of its file, and the samples."""
    found = {p.name: json.loads(p.read_text()) for p in (folder / "cells").iterdir()}
    for record in found.values():
        record.pop("seconds", None)
    return found, {p.name: load_file(p)["samples"].tolist() for p in (folder / "samples").iterdir()}


def test_who_knows_the_posterior_is_at_the_floor(tmp_path, few):
    asked = Asked(("exact", "exact-score", "prior"), (CELL, "garments-rotated-0.05"), (40,), range(6), samples=60)
    assert run_pictures(asked, tmp_path) == 0
    found = {(r["cell"], r["method"]): r for r in rows(tmp_path)}
    for cell in asked.cells:
        for name in ("exact", "exact-score@40"):
            row = found[cell, name]
            assert row["class_tv"] < 0.03 + row["class_tv_of_exact"] and row["off"] == 0
            assert row["pictures"] == pytest.approx(row["pictures_of_exact"], abs=0.15)
            assert row["seen_error"] == pytest.approx(row["seen_error_of_exact"], rel=0.1)
            assert abs(row["energy_distance"]) < 0.01
        assert found[cell, "prior"]["class_tv"] > 0.3 and found[cell, "prior"]["energy_distance"] > 0.3
    assert found[CELL, "exact"]["atoms"] > 1.02 > found["garments-rotated-0.05", "exact"]["atoms"]
    assert found[CELL, "exact"]["calls"] == 0 and found[CELL, "exact-score@40"]["calls"] == 40


@pytest.mark.battery
@pytest.mark.parametrize("name", default_methods()[2:])
def test_calls_are_equal(atoms, name):
    # The chain of DAPS calls nothing.
    method = "daps:mcmc_steps=2" if name == "daps" else name
    drawn = draw_row(method, 40, make_problem(CELLS[CELL], 0, atoms), 3, torch.Generator().manual_seed(0))
    # Backward calls by each prediction that knows y.
    most = 3 if name == "tds" else 2 if name == "tmpd" or name.startswith("vipaint") else 1
    assert abs(drawn.calls - 40) <= 4 and drawn.backward <= most * drawn.calls
    assert drawn.images.shape == (3, 1, 1, 28, 28) and drawn.images.dtype == torch.float64


def test_every_sampler_for_pixels_is_a_row_at_every_number_of_calls():
    names = {name.partition(":")[0] for name in default_methods()}
    assert {"vipaint-4", "vipaint-2"} < names
    assert names >= {n for n, m in METHODS.items() if "latent" not in m.needs and n != "vipaint"}
    for name in default_methods()[2:]:
        for calls in (100, 250, 1000):
            assert described_row(name, calls, CELLS["faces-few-0.2"], 50)["class"]


def test_vipaint_is_told_that_the_denoiser_is_exact():
    ratios = {"vipaint-4": (60, 40, 30, 20), "vipaint-2": (40, 20)}
    schedule = NoiseSchedule.variance_preserving()
    for name, levels in ratios.items():
        found = described_row(name, 250, CELLS["garments-few-0.2"], 25)
        assert found["refine"] == "tds" and tuple(found["timesteps"]) == tuple(map(schedule.time_of_ratio, levels))
    assert described_row("vipaint-4:refine=dps", 250, CELLS["garments-few-0.2"], 25)["refine"] == "dps"


def test_levels_of_ones_own_cost_the_same(atoms):
    problem = make_problem(CELLS[CELL], 0, atoms)
    drawn = draw_row("vipaint:timesteps=853,768", 60, problem, 3, torch.Generator().manual_seed(0))
    assert abs(drawn.calls - 60) <= 6


def test_a_run_that_was_stopped_ends_as_one_that_was_not(tmp_path, few, monkeypatch):
    assert run_pictures(SMALL, tmp_path / "whole") == 0
    drawn = []

    def stop(*arguments):
        drawn.append(arguments)
        if len(drawn) == 4:
            raise KeyboardInterrupt
        return draw_row(*arguments)

    monkeypatch.setattr(table, "draw_row", stop)
    with pytest.raises(KeyboardInterrupt):
        run_pictures(SMALL, tmp_path / "parts")
    assert len(list((tmp_path / "parts" / "cells").iterdir())) == 3
    run_pictures(SMALL, tmp_path / "parts")
    assert len(drawn) == 4 + 5 and kept(tmp_path / "parts") == kept(tmp_path / "whole")
    run_pictures(SMALL, tmp_path / "parts")
    assert len(drawn) == 9 and len(few) == 3  # nothing is loaded where nothing is to be done


def test_samplers_are_settled_once_for_all_problems(tmp_path, few, monkeypatch):
    asked_of = []
    monkeypatch.setattr(table, "described_row", lambda *row: asked_of.append(row[0]) or described_row(*row))
    run_pictures(Asked(("exact", "dps"), (CELL,), (4,), range(2), samples=2), tmp_path)
    assert asked_of == ["exact", "dps"]
    assert [r["sampler"]["num_steps"] for r in kept(tmp_path)[0].values() if r["method"] == "dps"] == [4, 4]


def test_a_run_that_ended_before_its_first_record_goes_on(tmp_path, atoms, monkeypatch):
    def load(name, number, outside, kept, data):
        kept.mkdir(parents=True, exist_ok=True)
        (kept / "faces-train-2000.safetensors").touch()
        raise FileNotFoundError("no garments")

    monkeypatch.setattr(table, "load_atoms", load)
    with pytest.raises(FileNotFoundError):
        run_pictures(SMALL, tmp_path / "t")
    monkeypatch.setattr(table, "load_atoms", lambda *_: atoms)
    assert run_pictures(SMALL, tmp_path / "t") == 0


def test_more_is_added_and_other_settings_are_refused(tmp_path, few):
    run_pictures(Asked(("exact",), (CELL,), (12,), range(2), samples=4), tmp_path)
    run_pictures(Asked(("exact", "dps"), (CELL, "garments-few-0.2-outside"), (12, 20), range(3), samples=4), tmp_path)
    assert len(records(tmp_path, PICTURES)) == 2 * 3 * 3 and few[-1] == ("garments", 2000, 3)
    with pytest.raises(ValueError, match=r"holds a table with other settings \(samples: 4 -> 5\)"):
        run_pictures(Asked(("exact",), (CELL,), (12,), range(2), samples=5), tmp_path)


def test_a_changed_default_of_a_method_is_refused(tmp_path, few, monkeypatch):
    run_pictures(SMALL, tmp_path)
    path = PICTURES.path(tmp_path, {"cell": CELL, "problem": 0, "budget": 12, "method": "dps"})
    record = read_record(path, PICTURES)
    record["sampler"]["zeta"] = 9.0
    path.write_text(json.dumps(record))
    with pytest.raises(ValueError, match=r"dps zeta: 9\.0 -> 0\.5"):
        run_pictures(SMALL, tmp_path)


def test_a_failure_is_a_row_and_is_tried_again(tmp_path, few, monkeypatch):
    def fail(name, *arguments):
        if name == "dps":
            raise RuntimeError("not | here")
        return draw_row(name, *arguments)

    monkeypatch.setattr(table, "draw_row", fail)
    assert run_pictures(SMALL, tmp_path) == 2
    assert "| garments-few-0.2 | dps@12 | failed: not \\| here |" in write_tables(tmp_path)
    lines = (tmp_path / "table.md").read_text().split("\n\n")[0].splitlines()
    assert len({line.replace(r"\|", "").count("|") for line in lines}) == 1
    monkeypatch.setattr(table, "draw_row", draw_row)
    assert run_pictures(SMALL, tmp_path) == 0 and "failed" not in write_tables(tmp_path)


def test_means_and_standard_errors(tmp_path, few):
    run_pictures(Asked(("prior",), (CELL,), (12,), range(3), samples=4), tmp_path)
    values = torch.tensor([r["scores"]["class_tv"][0] for r in records(tmp_path, PICTURES)], dtype=torch.float64)
    (row,) = rows(tmp_path)
    assert row["class_tv"] == pytest.approx(values.mean().item()) and row["problems"] == 3
    assert row["class_tv_se"] == pytest.approx(values.std().item() / 3**0.5) and row["class_tv_se"] > 0
    assert f"| {values.mean():.2f} ± {values.std() / 3**0.5:.2f} (" in write_tables(tmp_path)
    assert (tmp_path / "table.csv").read_text().startswith("cell,method,budget,")


def test_a_sheet_of_every_method(tmp_path, few):
    run_pictures(Asked(("exact", "dps"), (CELL, "garments-rotated-0.2"), (12, 20), range(2), samples=4), tmp_path)
    sheets = write_sheets(tmp_path)
    assert [p.name for p in sheets] == ["dps.png", "exact.png"] and all(p.is_file() for p in sheets)
    (wide, high), (one, same) = map(size_of, sheets)
    assert wide - one == 3 * 90 and high == same  # three draws more at the second number of calls
    path = next((tmp_path / "samples").glob("*dps@20*"))
    path.write_bytes(b"none")
    with pytest.raises(ValueError, match="is damaged, or holds other samples: delete it"):
        write_sheets(tmp_path)
    path.unlink()
    assert len(write_sheets(tmp_path)) == 2


def size_of(path):
    with PIL.Image.open(path) as picture:
        return picture.size


@pytest.mark.parametrize(
    "change, words",
    [({"cells": ("garments",)}, "no cell of pictures"), ({"calls": (0,)}, "calls is a whole number"),
     ({"samples": 1}, "samples is a whole number"), ({"methods": ("dsp",)}, "Did you mean 'dps'"),
     ({"methods": ("dps@9",)}, "--calls says how many calls every method makes: give dps"),
     ({"methods": ("psld",)}, "latent"), ({"methods": ("dps:zet=1",)}, "zet"),
     ({"methods": ("vipaint-4:correct=smc",)}, "28 weigh and guide its particles"),
     ({"methods": ("repaint",), "calls": (2,)}, "repaint cannot be made to cost 2 forward calls"),
     ({"calls": (1001,)}, "1000|1001")],
)  # fmt: skip
def test_what_cannot_be_is_said_before_anything_runs(tmp_path, few, change, words):
    asked = Asked(**({"methods": SMALL.methods, "cells": (CELL,), "calls": (12,), "problems": range(2)} | change))
    with pytest.raises(ValueError, match=words):
        run_pictures(asked, tmp_path / "t")
    assert not (tmp_path / "t").exists() and not few


DAMAGES = {
    "cell": ({"cell": "garments"}, "its cell is 'garments'"),
    "problem": ({"problem": -1}, "it has no problem"),
    "budget": ({"budget": "many"}, "it has no budget"),
    "another": ({"problem": 7}, "it holds dps in the cell garments-few-0.2"),
    "scores": ({"scores": {"class_tv": [0.1]}}, "its scores are others"),
    "seconds": ({"seconds": None}, "it has no seconds"),
}


@pytest.mark.parametrize("kind", DAMAGES)
def test_a_damaged_record_is_named(tmp_path, few, kind):
    run_pictures(Asked(("dps",), (CELL,), (12,), range(1), samples=4), tmp_path)
    (path,) = (tmp_path / "cells").iterdir()
    path.write_text(json.dumps(json.loads(path.read_text()) | DAMAGES[kind][0]))
    with pytest.raises(ValueError, match="no record of vipaint exact --pictures") as said:
        run_pictures(SMALL, tmp_path)
    assert DAMAGES[kind][1] in str(said.value) and str(path) in str(said.value)
