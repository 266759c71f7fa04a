"""vipaint evaluate as it is called: bad input is one line, a failing image is recorded, presets are values."""

import json
import re

import pytest
from click.testing import CliRunner

from tests.evaluation.study.conftest import command, evaluate, records
from vipaint_pyro.cli.evaluate_options import DEFAULTS, PRESETS, _options, with_preset
from vipaint_pyro.cli.main import main
from vipaint_pyro.evaluation.study import local
from vipaint_pyro.measurements.masks import MASKS
from vipaint_pyro.measurements.tasks import TASKS


@pytest.mark.parametrize(
    "more, said",
    [
        (["--prior", "nowhere"], "unknown prior 'nowhere'"),
        (["--data", "nowhere"], "the data are fashion-mnist, cartoon-faces, photos, a folder"),
        (["--methods", "dsp"], "no method is called 'dsp'. Did you mean 'dps'"),
        (["--methods", "dps:zetta=1"], "dps has no setting 'zetta'. Did you mean 'zeta'"),
        (["--methods", "dps:zeta=much"], "zeta=much: zeta is a finite number"),
        (["--methods", "dps:zeta=-1"], "dps:zeta=-1 under rotated, super-resolution: zeta is"),
        (["--methods", "dps,,blended"], "a method is NAME"),
        (["--methods", "dps:zeta=inf"], "dps:zeta=inf under rotated, super-resolution: zeta is"),
        (["--methods", "vipaint-3"], "vipaint-3 under rotated, super-resolution: levels are known for vipaint-1, "
                                     "vipaint-2, vipaint-4: for others write the timesteps, as vipaint:timesteps="),
        (["--methods", ""], "a method is NAME"),
        (["--methods", "dps,dps"], "'dps' is given twice"),
        (["--masks", "rotten"], "--masks has no 'rotten': it has rotated"),
        (["--task", "rotated"], "--task has no 'rotated': it has super-resolution"),
        (["--masks", "rotated,rotated"], "'rotated' is given twice"),
        (["--images", "9"], "images 0 ... 8 are asked for, but the data have 4 images"),
        (["--first", "3"], "images 3 ... 4 are asked for"),
        (["--labels", "true"], "no image asked for has one that the prior knows: give --labels none, or put them into "
                               "subfolders that are named by its classes ('cat', 'dog') or their numbers, from 0 on"),
        (["--labels", "prompts.txt"], "--labels is true or none, since this prior takes no text"),
        (["--guidance", "2"], "needs a class label to guide towards"),
        (["--lpips", "squeeze"], "net is 'alex' or 'vgg'"),
        (["--lpips", "vgg:nowhere.safetensors"], "LPIPS weights nowhere.safetensors not found"),
        (["--features", "vgg"], "--features is one of lpips-alex, faces-classifier, inception"),
        (["--features", "faces-classifier"], "features faces-classifier cannot be had here: cartoon faces are"),
        (["--features", "lpips-alex:file"], "leave weights out"),
        (["--settings", "nowhere.json"], "nowhere.json"),
        (["--settings", "pictures/0.png"], "is no JSON"),
        (["--device", "warp"], "device 'warp' cannot be used"),
        (["--split", "train"], "has no split 'train'"),
        (["--variant", "fp16"], "fp16"),
        (["--out", "pictures/0.png/x"], "pictures/0.png is a file"),
        (["--out", "pictures"], "pictures holds something else than a study"),
    ],
)
def test_bad_input_is_one_line_before_anything_is_computed(here, more, said):
    result = CliRunner().invoke(main, [*command(), *more])
    assert result.exit_code == 1 and len(result.output.splitlines()) == 1, result.output
    assert result.output.startswith("Error: ") and said in result.output, result.output
    assert not (here / "out" / "records").exists()


def test_all_refusals_come_at_once_and_name_method_and_condition(here):
    conditions = ["--masks", "rotated", "--task", "deblur"]
    result = evaluate(methods="psld,repaint,dps:num_steps=2", conditions=conditions)
    starts = [line.removeprefix("Error: ").partition(":")[0] for line in result.output.splitlines()]
    assert result.exit_code == 1
    assert starts == ["psld under rotated, deblur", "repaint under deblur"]


def test_levels_that_are_not_known_are_shown_how_to_be_written(here):
    said = evaluate(methods="vipaint-3").output
    spec = said.partition(", as ")[2].partition(" is vipaint-4 here")[0]
    assert evaluate("--dry-run", methods=f"{spec};fit_steps=2;refinement_steps=2").exit_code == 0, spec


def test_what_is_missing_is_named():
    for given, said in (
        ([], "no prior is given"), (["--prior", "cartoon-faces"], "no condition is given"),
        (["--prior", "x/y", "--masks", "small"], "no data are given"),
    ):  # fmt: skip
        result = CliRunner().invoke(main, ["evaluate", *given])
        assert result.exit_code == 1 and said in result.output and len(result.output.splitlines()) == 1


def test_a_failing_image_is_recorded_and_stops_no_other(here):
    whole = (here / "pictures" / "1.png").read_bytes()
    (here / "pictures" / "1.png").write_bytes(whole[:60])
    result = evaluate(images=3, conditions=["--masks", "rotated"])
    lines = result.output.splitlines()
    assert result.exit_code == 1
    warned = "Warning: 1 picture of 3 cannot be used (1.png): items of such a picture fail until it is mended"
    assert lines[0] == warned
    assert lines[-2:] == [
        "4 of 6 items are done, in out: open out/report.html",
        "2 of 6 items failed, as their records say: mend 1.png, then --retry-failed does them again",
    ]
    assert "1.png" in (here / "out" / "report.html").read_text()
    record = json.loads((here / "out" / "records" / "rotated" / "dps-num_steps-3" / "00001.json").read_text())
    assert record["scores"] is None and "1.png" in record["error"]["message"]
    again = evaluate(images=3, conditions=["--masks", "rotated"])  # which does not try again by itself
    assert again.exit_code == 1 and "[" not in again.output
    dry = evaluate("--retry-failed", "--dry-run", images=4, conditions=["--masks", "rotated"])
    assert dry.exit_code == 0 and "4 to do" in dry.output  # counted on the picture that can be read
    (here / "pictures" / "1.png").write_bytes(whole)
    mended = evaluate("--retry-failed", images=3, conditions=["--masks", "rotated"])
    assert mended.exit_code == 0 and "6 of 6 items are done" in mended.output
    assert all(r["error"] is None for r in records().values())


def test_a_preset_is_values_that_are_replaced_by_what_is_given():
    nothing = dict.fromkeys(DEFAULTS | {"preset": None, "prior": None})
    assert with_preset(nothing)["images"] == DEFAULTS["images"]
    quick = with_preset(nothing | {"preset": "quick", "images": 2})
    assert quick["images"] == 2 and quick["prior"] == "fashion-mnist" and quick["masks"] == "rotated,random"
    assert with_preset(nothing | {"preset": "paper", "task": "deblur"})["masks"] is None


def test_presets_hold_options_that_there_are():
    names = {o(lambda: None).__click_params__[0].name for o in _options()}
    assert set(DEFAULTS) <= names and all(set(p) <= names for p in PRESETS.values())


def test_the_help_says_what_presets_hold_and_what_masks_and_tasks_are():
    said = " ".join(CliRunner().invoke(main, ["evaluate", "--help"], terminal_width=400).output.split())
    for preset in PRESETS.values():
        assert " ".join(f"--{name} {value}" for name, value in preset.items()) in said
    for name in (*MASKS, *TASKS):
        assert f" {name} (" in said, name
    assert said.count("No default") == 3  # of the prior, masks and tasks


def test_a_dry_run_says_what_several_workers_take(here):
    masks = ["--masks", "rotated"]
    alone = evaluate("--dry-run", conditions=masks).output.splitlines()[-1]
    said = evaluate("--dry-run", "--workers", 9, conditions=masks).output.splitlines()[-1]
    assert " by one worker, from " in alone  # 4 items keep no more than 4 busy
    assert re.search(r"about .* of them by one worker and .* by 4 that do not slow each other, from ", said), said


@pytest.mark.parametrize("first", [0, 1])
def test_what_was_ended_says_how_to_report_what_is_there(here, monkeypatch, first):
    def ended(job):
        raise KeyboardInterrupt

    if first:
        assert evaluate(images=1, conditions=["--masks", "rotated"]).exit_code == 0
    monkeypatch.setattr(local, "compute", ended)
    result = evaluate(conditions=["--masks", "rotated"])
    report = "; vipaint report out reports what is there" if first else ""
    assert result.exit_code == 130
    assert result.output.splitlines()[-1].endswith(f"items done: the same command goes on from there{report}")


def test_the_estimate_alone_is_a_row(here):
    assert evaluate("--dry-run", methods="estimate").exit_code == 0
    result = evaluate(methods="dps:num_steps=2,estimate")
    assert result.exit_code == 0, result.output
    found = [r for r in records().values() if r["item"]["method"] == "estimate"]
    assert len(found) == 4 and all(r["calls"] == {"forward": 0, "backward": 0, "phases": {}} for r in found)
    assert all(r["scores"]["diversity"] == 0 for r in found)
    refused = evaluate(methods="estimate@50", out="other")
    assert refused.exit_code == 1 and "estimate cannot be given a number of calls" in refused.output
