"""Plans: what they may be, what is an addition to one and what a change."""

import json
from dataclasses import replace

import pytest

from vipaint_pyro.evaluation.study.plan import Item, Plan, merged
from vipaint_pyro.evaluation.study.specs import Spec, chosen_for, file_name, split_specs

PLAN = Plan("fashion-mnist", "fashion-mnist", ("vipaint-4", "dps"), ("rotated", "deblur"), images=2, first=3)


def test_items_come_image_by_image():
    assert PLAN.items()[:5] == [
        Item(3, "rotated", "vipaint-4"), Item(3, "rotated", "dps"), Item(3, "deblur", "vipaint-4"),
        Item(3, "deblur", "dps"), Item(4, "rotated", "vipaint-4"),
    ]  # fmt: skip
    assert len(PLAN.items()) == 8


def test_a_plan_survives_json():
    plan = replace(PLAN, settings={"methods": {"vipaint": {"timesteps": [500, 400]}}})
    assert Plan.from_json(json.loads(json.dumps(plan.to_json()))) == plan


def test_a_study_that_knew_no_features_has_none():
    said = {k: v for k, v in PLAN.to_json().items() if k != "features"}
    assert Plan.from_json(said).features == "none"
    with pytest.raises(ValueError, match="^features: none -> lpips-alex$"):
        merged(Plan.from_json(said), PLAN)


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"methods": ()}, "no method is given"),
        ({"methods": ("dps", "dps")}, "'dps' is given twice"),
        ({"methods": ("dp",)}, "no method is called 'dp'. Did you mean 'dps'"),
        ({"methods": ("dps:zeta=1", "dps:zeta-1")}, "a setting is NAME=VALUE"),
        ({"methods": ("dps:zeta=1;limit=yes", "dps:zeta=1;limit:yes")}, "limit is True or False|NAME=VALUE"),
        ({"methods": ("dps@0",)}, "at least 1"),
        ({"methods": ("vipaint-2:timesteps=500,400",)}, "vipaint:timesteps"),
        ({"conditions": ("rotten",)}, "no condition is called 'rotten'"),
        ({"images": 0}, "images is a whole number of at least 1"),
        ({"samples": 0}, "samples is"),
        ({"guidance": float("nan")}, "guidance is"),
        ({"keep": "some"}, "keep is one of"),
        ({"settings": []}, "chosen settings are"),
        ({"settings": {"methods": {"dps": {"zetta": 1}}}}, "dps has no setting 'zetta'"),
        ({"settings": {"conditions": {"rotten": {}}}}, "no condition is called 'rotten'"),
    ],
)
def test_a_plan_that_cannot_be_is_refused(changes, message):
    with pytest.raises(ValueError, match=message) as caught:
        replace(PLAN, **changes)
    assert "\n" not in str(caught.value)


def test_names_that_would_share_a_file_are_refused():
    one, other = "dps:perceptual_weights=a b;zeta=1", "dps:perceptual_weights=a/b;zeta=1"
    with pytest.raises(ValueError, match="share their files"):
        replace(PLAN, methods=(one, other))


def test_more_images_methods_and_conditions_are_additions():
    more = replace(PLAN, images=5, first=2, methods=("dps", "blended"), conditions=("random",))
    both = merged(PLAN, more)
    assert both.methods == ("vipaint-4", "dps", "blended") and both.conditions == ("rotated", "deblur", "random")
    assert both.numbers == range(2, 7) and merged(both, PLAN) == both


def test_settings_of_a_new_method_are_additions_and_of_an_old_one_changes():
    chosen = replace(PLAN, settings={"methods": {"dps": {"zeta": 1.0}}})
    new = replace(chosen, settings={"methods": {"dps": {"zeta": 1.0}, "repaint": {"num_steps": 10}}})
    assert merged(chosen, new).settings["methods"]["repaint"] == {"num_steps": 10}
    with pytest.raises(ValueError, match="zeta of dps under rotated: 1.0 -> 2.0; zeta of dps under deblur: 1.0 -> 2.0"):
        merged(chosen, replace(PLAN, settings={"methods": {"dps": {"zeta": 2.0}}}))
    one = replace(PLAN, settings={"methods": {"dps": {"zeta": 1.0}}, "conditions": {"deblur": {"dps": {"zeta": 3.0}}}})
    with pytest.raises(ValueError, match="^zeta of dps under deblur: 1.0 -> 3.0$"):
        merged(chosen, one)


@pytest.mark.parametrize(
    "name, value, said",
    [("seed", 1, "seed: 0 -> 1"), ("samples", 7, "samples: 5 -> 7"), ("labels", "none", "labels: true -> none"),
     ("variant", "fp16", "variant: not given -> fp16"), ("threads", 2, "threads: 1 -> 2"),
     ("features", "none", "features: lpips-alex -> none")],
)  # fmt: skip
def test_another_setting_is_a_change_that_is_named(name, value, said):
    with pytest.raises(ValueError, match=f"^{said}$"):
        merged(PLAN, replace(PLAN, **{name: value}))


def test_a_gap_between_images_is_refused():
    with pytest.raises(ValueError, match="images 3 ... 4 are there, 9 ... 10 would leave a gap"):
        merged(PLAN, replace(PLAN, first=9))


def test_whose_samples_are_kept():
    assert [PLAN.keeps(i) for i in (3, 10, 11)] == [True, True, False]
    assert replace(PLAN, keep="all").keeps(99) and not replace(PLAN, keep="none").keeps(3)


def test_specs_are_taken_apart():
    spec = Spec.of("dps@200:zeta=0.3;limit=yes")
    assert (spec.name, spec.calls, spec.settings) == ("dps", 200, {"zeta": 0.3, "limit": True})
    assert Spec.of("vipaint-2").levels == 2 and Spec.of("vipaint-2").method.name == "vipaint"
    assert split_specs("vipaint:timesteps=500,400;beta=2, dps,blended") == (
        "vipaint:timesteps=500,400;beta=2", "dps", "blended"
    )  # fmt: skip
    assert file_name("dps@200:zeta=0.3;limit=yes") == "dps@200-zeta-0.3-limit-yes"
    assert len(file_name("dps:zeta=" + "1" * 300)) < 140 and file_name("dps:zeta=1 /x") == "dps-zeta-1--x"


def test_chosen_settings_are_the_names_then_the_specs_then_the_conditions():
    settings = {
        "methods": {"dps": {"zeta": 1, "limit": True}, "dps@9": {"zeta": 2}},
        "conditions": {"deblur": {"dps": {"zeta": 3}}},
    }
    asked = ("dps", "rotated"), ("dps@9", "rotated"), ("dps", "deblur")
    found = [chosen_for(settings, Spec.of(spec), condition) for spec, condition in asked]
    assert found == [{"zeta": 1, "limit": True}, {"zeta": 2, "limit": True}, {"zeta": 3, "limit": True}]
