"""Numbers with their nouns."""

import pytest

from vipaint_pyro.wording import counted, did_you_mean, differences


@pytest.mark.parametrize(
    "number, noun, said",
    [(0, "image", "0 images"), (1, "image", "1 image"), (2, "image", "2 images"), (1, "class", "1 class"),
     (3, "class", "3 classes"), (1, "negative prompt", "1 negative prompt")],
)  # fmt: skip
def test_one_of_them_and_more(number, noun, said):
    assert counted(number, noun) == said


@pytest.mark.parametrize(
    "name, said",
    [("dsp", "Did you mean 'dps'? "), ("dbs", "Did you mean 'dps'? "), ("RED_Dif", "Did you mean 'red-diff'? "),
     ("AUTONORMAL", "Did you mean 'AutoNormal'? "),
     ("num-step", "Did you mean 'num_steps'? "), ("zzz", ""), ("", "")],
)  # fmt: skip
def test_the_nearest_name_as_it_is_written(name, said):
    assert did_you_mean(name, ("tds", "dps", "red-diff", "AutoNormal", "num_steps")) == said  # dsp is no nearer to tds


def test_what_differs_is_said_old_and_new():
    old = {"a": 1, "b": None, "c": {"x": 1, "y": 2.0}, "d": [1] * 100}
    assert differences(old, old) == []
    new = {"a": 2, "b": "z", "c": {"x": 1, "y": 3.0}, "e": 0}
    found = differences(old, new)
    assert found[:3] == ["a: 1 -> 2", "b: not given -> z", "c y: 2.0 -> 3.0"] and found[-1] == "e: not given -> 0"
    assert found[3].startswith("d: [1, 1, ") and found[3].endswith("... -> not given") and len(found[3]) < 120
