"""Numbers with their nouns."""

import pytest

from vipaint_pyro.wording import counted, did_you_mean


@pytest.mark.parametrize(
    "number, noun, said",
    [(0, "image", "0 images"), (1, "image", "1 image"), (2, "image", "2 images"), (1, "class", "1 class"),
     (3, "class", "3 classes"), (1, "negative prompt", "1 negative prompt")],
)  # fmt: skip
def test_one_of_them_and_more(number, noun, said):
    assert counted(number, noun) == said


@pytest.mark.parametrize(
    "name, said",
    [("dsp", "Did you mean 'dps'? "), ("RED_Dif", "Did you mean 'red-diff'? "),
     ("AUTONORMAL", "Did you mean 'AutoNormal'? "),
     ("num-step", "Did you mean 'num_steps'? "), ("zzz", ""), ("", "")],
)  # fmt: skip
def test_the_nearest_name_as_it_is_written(name, said):
    assert did_you_mean(name, ("dps", "red-diff", "AutoNormal", "num_steps")) == said
