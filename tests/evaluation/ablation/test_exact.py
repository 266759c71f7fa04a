"""A grid on exact problems: what it expands to, what is refused, and that its numbers are ``vipaint exact``'s."""

import csv
import json

import pytest
import torch

from tests.cli.calls import vipaint
from vipaint_pyro.evaluation import exact_table, sweep
from vipaint_pyro.evaluation.ablation.grids import grid_of
from vipaint_pyro.evaluation.ablation.grounds import ground_of
from vipaint_pyro.evaluation.exact_methods import Lab, draw_named
from vipaint_pyro.evaluation.exact_table import run_table
from vipaint_pyro.exact import mixture_problems

FEW = {"problems": 2, "samples": 100}
SHORT = {"fit_steps": 3, "fit_chains": 2, "steps": 4}


def grid(out, skip=False, **values):
    return grid_of(ground_of("8,1", out, FEW), out, values, skip)


def test_a_grid_is_the_product_of_its_values_each_with_its_configuration(tmp_path):
    rows = grid(tmp_path, guide=["hierarchical", "mean-field+smc"], beta=[1.0, 3.0], levels=[2, 3], T_e=[50.0]).rows
    common = {"samples": 100}
    two, three = (50.0, 25.0), (50.0, pytest.approx(1250**0.5), 25.0)
    assert [*rows] == [
        (guide, Lab(beta=beta, ratios=lab.ratios, **common)) for guide, lab in rows for beta in [lab.beta]
    ]
    expected = [(g, b, r) for g in ("hierarchical", "mean-field+smc") for b in (1.0, 3.0) for r in (two, three)]
    assert [(guide, lab.beta, lab.ratios) for guide, lab in rows] == expected
    assert rows[[*rows][1]] == {"guide": "hierarchical", "beta": 1.0, "levels": 3, "T_e": 50.0}
    # Without any of K, T_e and T_s the levels are the laboratory's, so that the folder is that of vipaint exact.
    assert [*grid(tmp_path, guide=["gaussian"], beta=[None]).rows] == [("gaussian", Lab(**common))]


def test_combinations_that_come_to_the_same_are_one(tmp_path):
    found = grid(tmp_path, levels=[1, 2], T_s=[10.0, 20.0])
    assert [c["T_s"] for c in found.rows.values()] == [None, 10.0, 20.0]
    said = found.size()
    assert said == "4 combinations (2 levels x 2 T_s), 1 the same as another: 3 records, 0 of them there"


def test_combinations_that_cannot_be_are_all_listed_before_anything_is_computed(tmp_path, monkeypatch):
    monkeypatch.setattr(exact_table, "draw_named", None)
    values = {"guide": ["gaussian", "hierarchical"], "levels": [1, 4], "T_e": [20.0, 50.0]}
    with pytest.raises(ValueError) as error:
        grid(tmp_path, **values)
    assert str(error.value).splitlines() == [
        "3 combinations cannot be: leave their values out, or set skip_impossible, to compute the others",
        "guide gaussian, levels 4, T_e 20.0; guide gaussian, levels 4, T_e 50.0: the guide 'gaussian' is for 1 level, "
        "not 4",
        "guide hierarchical, levels 4, T_e 20.0: T_e has to lie above T_s, but its ratio is 20, and 25 that of "
        "T_s (T_s is not given, and has its default): give T_s too",
    ]
    found = grid(tmp_path, skip=True, **values)
    assert len(found.rows) == 5 and len(found.left_out) == 3 and not any(tmp_path.iterdir())
    with pytest.raises(ValueError, match="^guide gaussian, levels 4 cannot be: the guide"):  # nothing would be left
        grid(tmp_path, skip=True, guide=["gaussian"], levels=[4])


@pytest.mark.parametrize(
    "values, said",
    [
        ({"betta": [1.0]}, "no setting 'betta'. Did you mean 'beta'"),
        ({"guide": ["hierarchicall"]}, "Did you mean 'hierarchical'"),
        ({"guide": ["mixture+mcmc"]}, "a correction is one of"),
        ({"guide": ["dps"]}, "no guide is called 'dps'"),
        ({"beta": [1.0, 1.0]}, "beta has 1.0 twice"),
        ({"beta": []}, "beta has no value"),
        ({"beta": [-1.0]}, "beta is a finite number, above 0"),
        ({"noise_scale": [0.0]}, "noise_scale is a finite number, above 0"),
        ({"T_e": [1e9]}, "T_e is a ratio of noise to signal between"),
        ({"levels": [90], "T_e": [26.0]}, "share times of the schedule"),
        ({"steps": [9999]}, "steps is at most"),
        ({}, "no setting is given"),
    ],
)
def test_bad_grids_are_refused(tmp_path, values, said):
    with pytest.raises(ValueError, match=said):
        grid(tmp_path / "out", **values)
    assert not (tmp_path / "out").exists()


def test_numbers_are_those_of_vipaint_exact_and_an_added_value_computes_only_what_is_new(tmp_path, monkeypatch):
    values = {"guide": ["hierarchical", "mean-field"], "beta": [1.0, 3.0], "levels": 2, **SHORT, **FEW}
    drawn = []

    def draw(name, problems, lab):
        drawn.append((name, lab.beta))
        return draw_named(name, problems, lab)

    monkeypatch.setattr(exact_table, "draw_named", draw)
    found = sweep("8,1", out=tmp_path / "a", **values | {"beta": [3.0]})
    assert drawn == [("hierarchical", 3.0), ("mean-field", 3.0)]
    found = sweep("8,1", out=tmp_path / "a", **values)
    assert drawn[2:] == [("hierarchical", 1.0), ("mean-field", 1.0)]
    kept = [(r["guide"], r["beta"], r["problem"], r["bound_gap"], r["sliced_w1"]) for r in found.records]

    lab = Lab(ratios=(100.0, 25.0), beta=3.0, samples=100, **SHORT)
    run_table(["mean-field"], [(8, 1)], lab, tmp_path / "exact", seeds=range(2))
    record = json.loads((tmp_path / "exact" / "cells" / "mean-field-8-1.json").read_text())
    for seed in (0, 1):
        row = ("mean-field", 3.0, seed, record["scores"]["bound_gap"][seed], record["scores"]["sliced_w1"][seed])
        assert row in kept
    assert len(kept) == 8


def plain(records):
    """Without what no two runs share."""
    return [{k: v for k, v in r.items() if k != "seconds"} for r in records]


def test_a_run_that_was_ended_goes_on_and_gives_the_records_of_an_unbroken_one(tmp_path):
    values = {"guide": ["hierarchical", "gaussian"], "beta": [1.0, 2.0], "T_e": 50.0, "levels": 1, **SHORT, **FEW}
    lines = []

    def ended(text):
        lines.append(text)
        if len(lines) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sweep("8,1", out=tmp_path / "a", log=ended, **values)
    assert not (tmp_path / "a" / "records.csv").exists()
    lines.clear()
    found = sweep("8,1", out=tmp_path / "a", log=lines.append, **values)
    assert len(lines) == 1 and "gaussian" in lines[0]
    assert plain(found.records) == plain(sweep("8,1", out=tmp_path / "b", **values).records)


@pytest.mark.slow
def test_a_guide_that_fails_is_a_line_of_the_table_and_tried_again(tmp_path, monkeypatch):
    def broken(name, problems, lab):
        if name == "mean-field":
            raise FloatingPointError("it is not finite")
        return draw_named(name, problems, lab)

    monkeypatch.setattr(exact_table, "draw_named", broken)
    values = {"guide": ["hierarchical", "mean-field"], **SHORT, **FEW}
    found = sweep("8,1", out=tmp_path, **values)
    assert found.failed == 1 and found.table()[1]["failed"] == 2 and found.table()[1]["bound_gap"] is None
    assert "| 8,1 | mean-field | 2 failed |" in (tmp_path / "summary.md").read_text()
    assert "it is not finite" in (tmp_path / "records.csv").read_text()
    monkeypatch.undo()
    assert sweep("8,1", out=tmp_path, **values).failed == 0


def test_the_command_and_the_function_share_records_and_files_are_tidy(tmp_path, monkeypatch):
    out = tmp_path / "out"
    options = ["--set", "fit-steps=3", "--set", "fit-chains=2", "--set", "steps=4", "--problems", 2, "--samples", 100]
    line = ["ablate", "--on", "8,1", "--guide", "hierarchical", "--beta", "1,3", "--noise-scale", "default,0.5"]
    dry = vipaint(*line, *options, "--out", out, "--dry-run")
    assert dry.exit_code == 0 and not out.exists(), dry.output
    assert "4 combinations (1 guide x 2 beta x 2 noise_scale" in dry.output
    # 2 problems: 3 steps of 2 chains with 4 levels, then 100 samples of them; see the records below.
    done = vipaint(*line, *options, "--out", out)
    assert done.exit_code == 0, done.output
    assert sorted(p.name for p in out.iterdir()) == [
        "ablation.png", "records.csv", "summary.csv", "summary.md", "tables"
    ]  # fmt: skip
    with open(out / "records.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 8 and {r["on"] for r in rows} == {"8,1"}
    assert [(r["beta"], r["noise_scale"], r["problem"]) for r in rows][:3] == [
        ("1.0", "", "0"), ("1.0", "", "1"), ("1.0", "0.5", "0")
    ]  # fmt: skip
    calls = sum(2 * (float(r["fit_calls"]) + 100 * float(r["calls"])) for r in rows) / 2
    assert f"about {calls:,.0f} calls of the denoiser" in dry.output
    with open(out / "summary.csv", newline="") as file:
        table = list(csv.DictReader(file))
    gaps = [[float(r["bound_gap"]) for r in rows if (r["beta"], r["noise_scale"]) == key]
            for key in (("1.0", ""), ("3.0", "0.5"))]  # fmt: skip
    differences = [b - a for a, b in zip(*gaps)]
    assert float(table[3]["bound_gap_difference"]) == pytest.approx(sum(differences) / 2, rel=1e-12)
    error = abs(differences[0] - differences[1]) / 2
    assert float(table[3]["bound_gap_difference_error"]) == pytest.approx(error, rel=1e-9)
    monkeypatch.setattr(exact_table, "draw_named", None)  # nothing is computed again
    again = sweep("8,1", out=out, guide="hierarchical", beta=[1.0, 3.0], noise_scale=[None, 0.5], **SHORT, **FEW)
    assert [r["bound_gap"] for r in again.records] == [float(r["bound_gap"]) for r in rows]
    other = vipaint(*line, *options[:-4], "--problems", 3, "--samples", 100, "--out", out)
    assert other.exit_code == 1 and "(problems: 0 ... 1 -> 0 ... 2)" in other.output


def test_a_laplace_fit_is_measured_by_the_bound_on_the_true_evidence():
    problems = mixture_problems(8, 1, range(2))
    bounds = {}
    for b in (None, 0.5, 1e6):
        lab = Lab(ratios=(5.0,), fit_steps=40, fit_chains=8, steps=2, samples=200, noise_scale=b)
        mean, error = draw_named("hierarchical", problems, lab).bound
        assert (mean < problems.posterior().log_evidence + 4 * error).all()
        bounds[b] = mean
    # A likelihood that hardly speaks leaves the guide at the prior, whose bound is the worse one.
    # Its own density of y is e^-14, which is no part of the bound.
    assert -10 < bounds[1e6].mean() < bounds[None].mean() - 0.5 and not torch.equal(bounds[0.5], bounds[None])


def test_a_folder_with_other_content_is_left_alone(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ValueError, match="has other content"):
        sweep("8,1", out=tmp_path, beta=[1.0])
    (tmp_path / "notes.txt").unlink()
    (tmp_path / "tables").mkdir()
    (tmp_path / "records.csv").write_text("mine")
    with pytest.raises(ValueError, match="was not written by vipaint ablate"):
        sweep("8,1", out=tmp_path, beta=[1.0])
    for on in ((), ("8,1", "fashion-mnist"), "", ["8,1", 3]):
        with pytest.raises(ValueError, match="is on cells of exact problems"):
            sweep(on, out=tmp_path, beta=[1.0])
