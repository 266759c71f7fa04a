"""Numbers with their nouns."""

import pytest

from vipaint_pyro.wording import counted


@pytest.mark.parametrize(
    "number, noun, said",
    [(0, "image", "0 images"), (1, "image", "1 image"), (2, "image", "2 images"), (1, "class", "1 class"),
     (3, "class", "3 classes"), (1, "negative prompt", "1 negative prompt")],
)  # fmt: skip
def test_one_of_them_and_more(number, noun, said):
    assert counted(number, noun) == said
