"""Which baseline a study settles on, and how it is said."""

import json
from dataclasses import replace

import pytest

from tests.cli.test_figure import vipaint
from tests.evaluation.figures.common import VIPAINT, tiny_scene
from tests.evaluation.study.written import Study
from vipaint_pyro.evaluation.figures import FIGURES
from vipaint_pyro.evaluation.figures import scene as scenes
from vipaint_pyro.evaluation.figures.baseline import best_of, by_default, by_name


def study(folder, scores, metric="lpips_composite", **more):
    """A study in which each method's images have these scores; None has not been there yet."""
    found = Study(folder, scores, images=3, **more)
    for name, values in scores.items():
        for image, value in enumerate(values):
            if value is not None:
                found.add("rotated", name, image, **{"lpips": value} if metric == "lpips_composite" else value)
    return folder


LPIPS = {"vipaint-4": [0.01, 0.01, 0.01], "dps:zeta=2": [0.3, 0.1, 0.2], "ddnm": [0.1, 0.1, 0.1], "telea": [0, 0, 0]}


def test_the_lowest_mean_of_what_is_neither_vipaint_nor_for_scale(tmp_path):
    scores = {name: values for name, values in LPIPS.items() if name != "telea"}
    found = best_of(study(tmp_path, scores), "fashion-mnist", "rotated")
    assert found.name == "ddnm" and found.settings["num_steps"] == 10  # as its records say
    assert found.facts["metric"] == "lpips_composite" and found.facts["images"] == 3
    assert found.facts["mean"] == pytest.approx(0.1) and found.facts["standard_error"] == pytest.approx(0, abs=1e-12)
    assert found.why == f"the lowest mean LPIPS, 0.1000, of the baselines in {tmp_path}, over 3 images"


def test_what_stands_there_for_scale_is_no_baseline(tmp_path):
    assert best_of(study(tmp_path, LPIPS), "fashion-mnist", "rotated").name == "ddnm"


def test_it_is_taken_with_the_settings_that_it_had(tmp_path):
    found = best_of(study(tmp_path, {"dps:zeta=2": [0.1], "ddnm": [0.2]}), "fashion-mnist", "rotated")
    assert (found.name, found.facts["method"]) == ("dps", "dps:zeta=2")
    assert found.settings == {"zeta": 1.0, "num_steps": 10} and found.facts["standard_error"] is None


def test_the_images_are_those_that_all_have(tmp_path):
    scores = {"ddnm": [0.2, 0.2, 0.0], "dps": [0.1, 0.1, None]}  # ddnm alone has an easy image
    found = best_of(study(tmp_path, scores), "fashion-mnist", "rotated")
    assert found.name == "dps" and found.facts["images"] == 2


def test_the_energy_score_decides_where_all_have_one(tmp_path):
    both = {"ddnm": {"lpips": 0.1, "energy_score": 0.3}, "dps": {"lpips": 0.2, "energy_score": 0.2}}
    found = best_of(study(tmp_path / "a", {k: [v] * 3 for k, v in both.items()}, "both"), "fashion-mnist", "rotated")
    assert found.name == "dps" and found.facts["metric"] == "energy_score" and "mean energy score, 0.2000" in found.why
    both["ddnm"]["energy_score"] = None
    found = best_of(study(tmp_path / "b", {k: [v] * 3 for k, v in both.items()}, "both"), "fashion-mnist", "rotated")
    assert found.name == "ddnm" and found.facts["metric"] == "lpips_composite"


def test_without_records_it_is_said_where_the_choice_comes_from(tmp_path):
    assert by_default("dps").said()["why"].startswith("the default: ") and "docs/results.md" in by_default("dps").why
    assert by_name("ddnm").why == "named by --baseline" and "in place of a's best" in by_name("ddnm", "a").why


def test_what_settles_nothing_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(scenes, "scene_of", lambda *_: pytest.fail("pictures were read"))
    study(tmp_path / "own", {"vipaint": [0.1]})
    study(tmp_path / "other", {"dps": [0.1]}, prior="cartoon-faces")
    study(tmp_path / "holes", {"dps": [0.1]}, conditions=("small",))
    (tmp_path / "holes" / "records" / "rotated").rename(tmp_path / "holes" / "records" / "small")
    for path in (tmp_path / "holes" / "records").rglob("*.json"):
        path.write_text(path.read_text().replace('"rotated"', '"small"'))
    for records, said in {
        "none": "none holds no study", "own": "has no finished method besides vipaint",
        "other": "is of the prior cartoon-faces", "holes": "has none such, but small",
    }.items():  # fmt: skip
        done = vipaint(7, "--records", records, "--out", "f.png", "--prior", "fashion-mnist", "--quiet")
        assert done.exit_code == 1 and said in done.output and done.output.count("\n") == 1, done.output
    done = vipaint(4, "--records", "own", "--out", "f.png", "--quiet")
    assert done.exit_code == 1 and "--records settles a baseline, which this figure has not" in done.output


@pytest.mark.parametrize("more, name", [((), "ddnm"), (("--baseline", "dps"), "dps")])
def test_the_file_beside_the_figure_says_so(tmp_path, monkeypatch, network_prior, more, name):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(scenes, "scene_of", lambda *_: tiny_scene(network_prior, 7))
    few = {"vipaint": {**VIPAINT, "fit_steps": 2}, "dps": {"num_steps": 3}}
    quick = replace(FIGURES[7].quick, images=2, samples=2, settings=few)
    monkeypatch.setitem(FIGURES, 7, replace(FIGURES[7], quick=quick))
    study(tmp_path / "study", {"dps": [0.2], "ddnm": [0.1]})
    done = vipaint(7, "--records", "study", "--out", "f.png", *more)
    assert done.exit_code == 0 and f"baseline {name}: " in done.stderr, done.output
    said = json.loads((tmp_path / "f.json").read_text())
    assert said["baseline"]["name"] == said["plan"]["baseline"] == name and name in said["numbers"]
    assert ("study" in said["baseline"]) == (not more) and said["baseline"]["why"]
    assert said["samplers"][name]["num_steps"] == (3 if more else 10)
