"""vipaint evaluate as it is called: bad input is one line, a failing image is recorded, presets are values."""

import json

import pytest
from click.testing import CliRunner

from tests.evaluation.study.conftest import command, evaluate, records
from vipaint_pyro.cli.evaluate_options import DEFAULTS, PRESETS, _options, with_preset
from vipaint_pyro.cli.main import main


@pytest.mark.parametrize(
    "more, said",
    [
        (["--prior", "nowhere"], "unknown prior 'nowhere'"),
        (["--data", "nowhere"], "the data are fashion-mnist, cartoon-faces, a folder"),
        (["--methods", "dsp"], "no method is called 'dsp'. Did you mean 'dps'"),
        (["--methods", "dps:zetta=1"], "dps has no setting 'zetta'. Did you mean 'zeta'"),
        (["--methods", "dps:zeta=much"], "zeta=much: zeta is a finite number"),
        (["--methods", "dps:zeta=-1"], "dps:zeta=-1 cannot do rotated, super-resolution: zeta is"),
        (["--methods", "dps,,blended"], "a method is NAME"),
        (["--methods", "vipaint-3"], "vipaint-3 cannot do rotated, super-resolution: ratios are known for K"),
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
    assert starts == ["psld cannot do rotated, deblur", "repaint cannot do deblur"]


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
    assert lines[-2:] == [
        "4 of 6 items are done, in out: open out/report.html",
        "2 of 6 items failed, as their records say: --retry-failed does them again",
    ]
    assert "1.png" in (here / "out" / "report.html").read_text()
    record = json.loads((here / "out" / "records" / "rotated" / "dps-num_steps-3" / "00001.json").read_text())
    assert record["scores"] is None and "1.png" in record["error"]["message"]
    again = evaluate(images=3, conditions=["--masks", "rotated"])  # which does not try again by itself
    assert again.exit_code == 1 and "[" not in again.output
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
