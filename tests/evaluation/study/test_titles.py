"""What the metrics are called under masks, tasks, and both."""

import pytest

from vipaint_pyro.evaluation.study.found import read_study
from vipaint_pyro.evaluation.study.notes import quality_notes, settings_of
from vipaint_pyro.evaluation.study.titles import heading, where

MASKS, TASKS = ("rotated", "box"), ("super-resolution", "deblur")
LPIPS, SPREAD = "LPIPS (AlexNet)", "diversity: standard deviation"


def found(study, conditions):
    s = study(["dps", "blended"], conditions=conditions, images=1)
    for condition in conditions:
        for method in ("dps", "blended"):
            s.add(condition, method, 0, lpips_raw=0.2, diversity=0.1, observed_error=0.1)
    return read_study(s.folder)


@pytest.mark.parametrize(
    "conditions, composite, diversity",
    [
        (MASKS, ", observed pixels put back", " where hidden"),
        (TASKS, ", as drawn and clipped", " over the whole image"),
        (
            (MASKS[0], TASKS[0]),
            ", observed pixels put back (restorations: as drawn and clipped)",
            " where hidden (restorations: over the whole image)",
        ),
    ],
)
def test_titles_are_by_the_conditions(study, conditions, composite, diversity):
    f = found(study, conditions)
    assert heading(f, "lpips_composite") == f"{LPIPS}{composite}, lower is better"
    assert heading(f, "diversity") == SPREAD + diversity
    assert heading(f, "lpips_raw") == f"{LPIPS}, as drawn, lower is better"


def test_where_there_are_both_kinds_it_is_said_which_is_which(study):
    f = found(study, ("rotated", "deblur", "box"))
    lines = [
        "rotated, box: of samples with their observed pixels put back",
        "deblur: of samples as drawn, clipped: nothing is put back",
    ]
    assert where(f, "lpips_composite") == where(f, "psnr") == lines and where(f, "observed_error") == []
    assert set(lines) < set(quality_notes(f, "lpips_composite"))
    assert where(f, "diversity")[1] == "deblur: it is of the whole image: no pixel is hidden"


def test_inpainting_alone_needs_no_word(study):
    f = found(study, MASKS)
    assert where(f, "psnr") == [] and settings_of(f, "box") == ""


def test_a_tasks_settings_are_said_below_its_table(study):
    import json

    f = found(study, ("super-resolution",))
    for record in f.records:
        record.said["settings"]["condition"]["options"] = {"scale": 4, "method": "bicubic", "length": None}
        record.path.write_text(json.dumps(record.said))
    notes = quality_notes(read_study(f.folder), "lpips_composite")
    said = "scale 4, method bicubic, noise of standard deviation 0.05 in units of [-1, 1]"
    assert f"super-resolution: {said}" in notes
