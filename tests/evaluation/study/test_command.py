"""The command of a study, read off its plan."""

import shlex

from vipaint_pyro.evaluation.study.command import command_of

PLAN = {
    "prior": "fashion-mnist", "data": "my pictures", "variant": None, "resize": True, "first": 0, "images": 8,
    "methods": ["vipaint-4@50:beta=2;gamma=0.5", "dps"], "conditions": ["box", "super-resolution", "rotated"],
    "features": "lpips-alex",
    "settings": {"methods": {}, "conditions": {}},
}  # fmt: skip


def test_every_setting_is_an_option():
    assert shlex.split(command_of(PLAN)) == [
        "vipaint", "evaluate", "--prior", "fashion-mnist", "--data", "my pictures", "--resize", "--first", "0",
        "--images", "8", "--features", "lpips-alex", "--methods", "vipaint-4@50:beta=2;gamma=0.5,dps",
        "--masks", "box,rotated", "--task", "super-resolution",
    ]  # fmt: skip


def test_chosen_settings_are_a_file():
    chosen = PLAN | {"settings": {"methods": {"dps": {"zeta": 2}}, "conditions": {}}, "resize": False}
    words = shlex.split(command_of(chosen))
    assert words[-2:] == ["--settings", "settings.json"] and "--resize" not in words
    assert "--task" not in command_of(PLAN | {"conditions": ["box"]})


def test_a_study_that_knew_no_features():
    assert "--features none" in command_of({k: v for k, v in PLAN.items() if k != "features"})
