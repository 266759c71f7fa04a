"""A grid on pictures: methods of one study, with its records; on a tiny prior."""

import csv
from pathlib import Path

import pytest

from tests.cli.calls import vipaint
from tests.evaluation.study.conftest import evaluate, records
from vipaint_pyro.evaluation import sweep
from vipaint_pyro.evaluation.ablation.grids import grid_of
from vipaint_pyro.evaluation.ablation.grounds import ground_of

ABOUT = {"masks": "rotated", "data": "pictures", "labels": "none", "images": 2, "samples": 2, "features": "none"}
SHORT = {"fit_steps": 2, "num_chains": 1, "refinement_steps": 2}


def grid(skip=False, on="prior", about=ABOUT, **values):
    return grid_of(ground_of(on, "out", about), "out", values, skip)


def test_a_combination_is_a_method_of_a_study(here):
    rows = grid(guide=["hierarchical", "gaussian"], beta=[0.3], limit=[None, False], fit_steps=[2]).rows
    assert [*rows] == [
        f"vipaint:guide-name={guide};beta=0.3;{limit}fit-steps=2"
        for guide in ("hierarchical", "gaussian")
        for limit in ("", "limit=false;")
    ]
    # The ratios of tests/samplers/test_levels.py, at the times of this prior's schedule (DDPM's linear one).
    (plain, two, three) = grid(levels=[2, 3], T_e=[None, 10.0]).rows.values(), *_times(levels=[2, 3], T_e=[10.0])
    assert len(plain) == 4 and len(two) == 2 and len(three) == 3 and two[0] == three[0] and two[-1] == three[-1]
    ratio = (10.0 * 1.0) ** 0.5
    schedule = ground_of("prior", "out", ABOUT)._prior.schedule
    assert three == tuple(schedule.time_of_ratio(r) for r in (10.0, ratio, 1.0))


def _times(**values):
    return [tuple(int(t) for t in row.partition("timesteps=")[2].split(",")) for row in grid(**values).rows]


def test_what_cannot_be_is_listed_and_may_be_left_out(here):
    values = {"guide": ["gaussian", "AutoDelta"], "correct": ["none", "psis"], "levels": [1, 2], **_each(SHORT)}
    with pytest.raises(ValueError, match=r"^4 combinations cannot be: leave their values out") as error:
        grid(**values)
    lines = str(error.value).splitlines()
    assert "guide gaussian, correct none, levels 2" in lines[1] and "is for 1 level, not 2" in lines[1]
    assert any("guide AutoDelta, correct psis, levels 1" in line and "is a point" in line for line in lines)
    found = grid(skip=True, **values)
    assert [(c["guide"], c["correct"], c["levels"]) for c in found.rows.values()] == [
        ("gaussian", "none", 1), ("gaussian", "psis", 1), ("AutoDelta", "none", 1), ("AutoDelta", "none", 2)
    ]  # fmt: skip
    assert not Path("out").exists()


def _each(values):
    return {name: [value] for name, value in values.items()}


@pytest.mark.parametrize(
    "values, about, said",
    [
        ({"zetta": [1.0]}, {}, "pictures have no setting 'zetta'. Did you mean 'zeta'"),
        ({"problems": [3]}, {}, "pictures have no setting 'problems'"),
        ({"guide": ["hierarchicall"]}, {}, "Did you mean 'hierarchical'"),
        ({"beta": [-1.0]}, {}, "beta is a finite number"),
        ({"fit_steps": ["many"]}, {}, "fit-steps is a whole number"),
        ({"levels": [0]}, {}, "levels is a whole number of at least 1"),
        ({"T_e": [1e9]}, {}, "T_e is a ratio of noise to signal between"),
        ({"beta": [1.0]}, {"masks": None}, "no condition is given"),
        ({"beta": [1.0]}, {"masks": "rotten"}, "no condition is called 'rotten'"),
        ({"beta": [1.0]}, {"data": None}, r"no data are given: .* \(a cell of mixtures is written 8,1\)"),
        ({"beta": [1.0]}, {"images": 9}, "the data have 4 images"),
    ],
)
def test_bad_grids_are_refused(here, values, about, said):
    with pytest.raises(ValueError, match=said):
        grid(about=ABOUT | about, **values)
    assert not Path("out").exists()


def test_records_are_those_of_a_study_of_these_methods(here):
    done = evaluate("--features", "none", methods="vipaint:beta=3.0;fit-steps=2;num-chains=1;refinement-steps=2",
                    conditions=["--masks", "rotated"], images=1, out="study")  # fmt: skip
    assert done.exit_code == 0, done.output
    about = ABOUT | {"images": 1}
    sweep("prior", out="a", beta=[3.0], **SHORT, **about)
    assert records("a/study") == records("study")
    found = sweep("prior", out="a", beta=[1.0, 3.0], **SHORT, **about)  # 3 is there
    whole = sweep("prior", out="b", beta=[1.0, 3.0], **SHORT, **about)
    assert records("a/study") == records("b/study") and len(found.records) == len(whole.records) == 2
    first, second = found.table()
    one, three = (r["lpips_composite"] for r in found.records)
    assert second["lpips_composite_difference"] == three - one
    assert first["calls"] == second["calls"] > 0 and found.records[0]["timesteps"].count(" ") == 3


@pytest.mark.slow
def test_the_command_measures_writes_and_draws(here):
    line = ["ablate", "--on", "prior", "--data", "pictures", "--labels", "none", "--masks", "rotated", "--images", 1,
            "--samples", 2, "--guide", "hierarchical,mean-field", "--set", "fit-steps=2", "--set", "num-chains=1",
            "--set", "refinement-steps=2", "--levels", "1,2", "--measure", "psnr", "--x", "guide"]  # fmt: skip
    dry = vipaint(*line, "--dry-run")
    assert dry.exit_code == 0 and "4 records, 0 of them there" in dry.output and "forward and" in dry.output
    done = vipaint(*line)
    assert done.exit_code == 0, done.output
    with open("vipaint-ablate/records.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(r["on"], r["problem"], r["guide"], r["levels"]) for r in rows] == [
        ("rotated", "0", guide, k) for guide in ("hierarchical", "mean-field") for k in "12"
    ]
    assert all(float(r["psnr"]) > 0 and float(r["seconds"]) > 0 for r in rows)
    assert "nothing is to be computed" in vipaint(*line, "--dry-run").output
    other = vipaint(*line, "--samples", 3)
    assert other.exit_code == 1 and "has other settings (samples: 2 -> 3)" in other.output
    for more, said in (
        (["--problems", 3], "--problems is not for pictures"),
        (["--set", "fit-steps=3"], "is given besides"),
        (["--set", "beta"], "--set takes NAME=V,V"),
        (["--beta", "1,x"], "beta=x: beta is a finite number"),
        (["--device", "warp"], "device 'warp'"),
    ):
        bad = vipaint(*line, *more)
        assert bad.exit_code == 1 and said in bad.output and bad.output.count("\n") == 1, bad.output
